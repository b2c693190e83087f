// ManagerOptions: everything that can be set about a Manager, with its default.
#ifndef GRID_GRID_OPTIONS_H_
#define GRID_GRID_OPTIONS_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/base/socket_options.h"

namespace grid {

class Authenticator;
class Network;

// What is bounded, and where. Reaching a limit is a status that names it and a counter; see
// grid/README.md, "Limits".
struct Limits {
  // One WebSocket message, and so one payload with its header where fragments are off; what is
  // larger is refused when sent and ends the connection when received.
  size_t max_message_bytes = size_t{32} << 20;
  // One payload where fragments are on (ExtensionOptions::fragment_bytes); what is larger is
  // refused when sent and ends its request or stream when received.
  size_t max_payload_bytes = size_t{1} << 30;
  // Payloads of which only a part has come, per connection: their bytes and their number. Beyond
  // either, the request or stream that needs more ends. max_buffered_bytes holds for them as well.
  size_t max_reassembly_bytes = size_t{1} << 30;
  uint32_t max_reassemblies = 1'000;
  // Bytes waiting to be written on one connection. A request or stream message beyond it fails with
  // kResourceExhausted, rejected, but stream messages wait from half of it on where both ends offer
  // the extension `credits`; control messages and replies always fit, until twice the limit and a
  // payload, where the connection is dropped.
  size_t max_output_bytes = size_t{64} << 20;
  // Requests and streams in flight on one connection, in each direction.
  uint32_t max_inflight = 100'000;
  // Requests and streams' starts that wait for a worker, per manager; beyond it they are rejected.
  size_t max_worker_queue = 100'000;
  // Incoming connections whose handshake has not finished, per listener; further ones are closed at
  // once.
  int max_pre_handshake = 1'000;
  // Bytes held in buffers, per manager: requests that wait for or run on a worker or a coroutine,
  // stream messages not yet read, and output. Beyond it incoming requests are rejected and streams
  // that receive more end with kResourceExhausted; what we send ourselves has its own limits.
  size_t max_buffered_bytes = size_t{1} << 30;
  // What the byte windows (StreamWindow) of all streams on one connection let come together. A
  // window takes at most half of what is left of it, to begin with and when it grows; but each
  // stream may have 4 KiB. Takes part where both ends offer the extension `credits`.
  uint64_t max_window_bytes = uint64_t{256} << 20;
  // Requests that wait for a connection (wait_for_ready), per peer.
  size_t max_waiting = 10'000;
  // Clients (ManagerOptions::client) that are connected, per manager; further ones are refused.
  size_t max_clients = 1'000;
  // Calls that a peer gives up while they run, on one connection: so many at once, and so many per
  // second in the long run. One that goes beyond it makes us work for nothing, and is dropped.
  uint32_t max_resets = 10'000;
  uint32_t resets_per_second = 1'000;
};

// All durations that the protocol and the library use (grid/PROTOCOL.md says which are the
// protocol's).
struct Timeouts {
  std::chrono::milliseconds request{60'000};  // where a request gives none
  std::chrono::milliseconds dial{
      2'000};  // TCP, TLS and upgrade; the Connect exchange again as long
  std::chrono::milliseconds redial_min{1'000};  // from one attempt's start to the next: a random
  std::chrono::milliseconds redial_max{2'000};  // time between these two
  std::chrono::milliseconds handshake{10'000};  // an incoming connection, until Connect was read
  std::chrono::milliseconds ping{10'000};  // between connection pings; two without a pong drop it
  std::chrono::milliseconds stream_ping{
      15'000};  // between pings of a stream without a (short) deadline
  std::chrono::milliseconds write_stall{3'500};  // a write without progress drops the connection
  std::chrono::milliseconds close{1'000};        // for the closing handshake
  std::chrono::minutes clock_skew{5};            // largest difference between two hosts' clocks
};

// What we offer beyond version 1 of the protocol; used with peers that offer it too
// (grid/PROTOCOL.md, "Extensions").
struct ExtensionOptions {
  // Streams are limited by windows in bytes as well as in messages, which each end chooses for what
  // it receives (StreamWindow); the capacities of the two ends need not match. Credit is given in
  // batches.
  bool credits = true;
  // Errors carry their code and delivery class, not only a text.
  bool status = true;
  // A payload of more bytes than this is sent in fragments, so that it holds up nothing else, and
  // priorities count (handlers/priority.h). 1 KiB to 16 MiB; 0: off. Never more than
  // max_message_bytes less 1 KiB; off where that is below 128 KiB.
  uint32_t fragment_bytes = 64 << 10;
  // Payloads for which it is asked (handlers/compression.h) are compressed with zstd, at this level
  // or the peer's if that is lower. 1, fast, to 12; 0: off, also for what peers would send.
  uint32_t zstd_level = 1;
  // What a call carries besides its payload: a trace and metadata (RequestOptions).
  bool meta = true;
  // Handler ids above 255.
  bool handlers16 = true;
  // Manager::Drain tells the peers, and theirs tells us.
  bool goaway = true;
  // Clients may connect: processes that we don't know, under a name that their token allows.
  bool client = true;
};

// Certificates for https hosts; PEM files, read by Start.
struct TlsFiles {
  std::string certificate_file;  // needed to listen under an https name
  std::string key_file;
  std::string ca_file;  // authorities trusted besides nothing else; empty: the system's
  bool require_client_certificate = false;  // as a server
};

struct ManagerOptions {
  // Our name in the mesh, "http://10.0.0.1:9000" or "https://…". Required. Peers must use the same
  // spelling.
  std::string local;
  // We are no member of the mesh, but a client: we dial each of our peers, whatever the rule says,
  // and never listen. The peers need not know us, but must speak the extension `client` and accept
  // our token under our name, which may be any: 1 to 255 printable ASCII characters without spaces.
  // A name is good for one connection to each peer: a newer one of that name replaces it.
  bool client = false;
  // Path of the WebSocket on every host.
  std::string route = "/minio/grid/v1";
  // Shown to peers and demanded from them; empty: nothing shown, everybody accepted.
  std::string token;
  // Makes and checks tokens instead (grid/authenticator.h); `token` must be empty then. Null:
  // `token` counts.
  std::shared_ptr<Authenticator> authenticator;

  // Threads that own connections; 1 to 256. Ignored with `io_contexts`.
  int io_threads = 1;
  // How long an I/O thread of the manager's own that has just worked looks for more before it
  // blocks; 0 to 1 ms. Ignored with `io_contexts`. Where traffic flows it takes the time of waking,
  // some 35 µs each way, out of every round trip, for up to one core per I/O thread; a thread that
  // finds nothing gives it up, and polling for over 100 µs takes at most an eleventh of the time,
  // so a manager with little to do uses little more time than with 0. Worth setting (50 µs to 200
  // µs) where there is a core to spare for each I/O thread on both hosts, not where they share one.
  std::chrono::microseconds poll_budget{0};
  // Threads for handlers registered with RunOn::kWorkerPool; 1 to 4096. Ignored with
  // `worker_executor`.
  int worker_threads = 8;

  Limits limits;
  Timeouts timeouts;
  ExtensionOptions extensions;
  // Dictionaries for compression, each the bytes of one as `gridctl train-dictionary` makes it: at
  // most 15, of 1 MiB, with ids of their own. Peers are told the ids, which stand for the same
  // bytes everywhere: a dictionary that changes needs another.
  std::vector<std::string> dictionaries;
  TlsFiles tls;
  SocketOptions sockets;

  // Replaced by tests and by programs that have their own. Null: the real clock, DefaultLog,
  // sockets.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<LogSink> log;
  std::shared_ptr<Network> network;

  // The host program's own I/O threads, one thread running each; they must run until Stop has
  // returned (or StopAsync has called `stopped`), and are not touched afterwards. Empty: the
  // manager makes `io_threads` of its own.
  std::vector<boost::asio::io_context*> io_contexts;
  // Where handlers of the worker pool run instead of the manager's own threads.
  boost::asio::any_io_executor worker_executor;

  // Seed of everything random (redial times, first mux ids); 0: from the system.
  uint64_t seed = 0;
};

}  // namespace grid

#endif  // GRID_GRID_OPTIONS_H_
