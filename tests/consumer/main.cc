// A user's program: two nodes on loopback and one request, with payloads that msgpack-c writes. It
// uses a socket of Asio itself, whose bodies are in the library.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <iostream>
#include <msgpack.hpp>
#include <string>

#include "grid/manager.h"

namespace {

// A name with a port that is free now.
std::string FreeName() {
  using boost::asio::ip::tcp;
  boost::asio::io_context io;
  const tcp::acceptor any(io, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
  return "http://127.0.0.1:" + std::to_string(any.local_endpoint().port());
}

grid::Buffer Pack(int number) {
  msgpack::sbuffer packed;
  msgpack::pack(packed, number);
  return grid::Buffer::CopyOf(std::string_view(packed.data(), packed.size()));
}

int Unpack(grid::BytesView bytes) {
  const std::string_view text = grid::AsText(bytes);
  return msgpack::unpack(text.data(), text.size()).get().as<int>();
}

}  // namespace

int main() {
  grid::ManagerOptions here, there;
  here.local = FreeName();
  there.local = FreeName();
  grid::Manager client(here), server(there);

  absl::Status status = server.RegisterSingle(
      {.id = grid::HandlerId{9}},
      [](grid::BytesView request, grid::RequestContext&) { return Pack(2 * Unpack(request)); });
  status.Update(client.AddPeer(there.local));
  status.Update(server.AddPeer(here.local));
  for (grid::Manager* node : {&server, &client}) {
    status.Update(node->Start());
    status.Update(node->Listen(node->local().substr(7)).status());
  }
  const grid::Buffer request = Pack(21);
  const absl::StatusOr<grid::Buffer> reply =
      client.Connection(there.local)
          .Request(grid::HandlerId{9}, request, {.wait_for_ready = true}, boost::asio::use_future)
          .get();
  status.Update(reply.status());
  if (!status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  std::cout << Unpack(*reply) << "\n";
  return Unpack(*reply) == 42 ? 0 : 1;
}
