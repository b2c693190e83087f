@0xd4f1b7a92c6e8305;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("grid::bench::schema");

interface Echo {
  # A request and its answer.
  echo @0 (payload :Data) -> (payload :Data);

  # The server sends `size` bytes at a time to `sink`, until that fails.
  send @1 (size :UInt32, sink :Sink);
}

interface Sink {
  # Cap'n Proto's own flow control decides how many are on their way.
  put @0 (payload :Data) -> stream;
}
