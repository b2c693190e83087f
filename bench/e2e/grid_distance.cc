// bench_distance: a stream over a long link, beside raw TCP over the same: through a proxy that
// delays both directions and limits their rate (grid/testing/tcp_proxy.h).
//
//   bench_distance --round-trip 50ms --bytes-per-second 100000000
//
// Windows are the library's own, so the stream begins with 256 KiB; what counts is measured after
// the warm-up.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/common/flags.h"
#include "bench/e2e/grid_place.h"
#include "grid/base/log.h"
#include "grid/manager.h"
#include "grid/testing/tcp_proxy.h"
#include "tools/common/command_line.h"

namespace grid::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;

constexpr char kProgram[] = "bench_distance";
constexpr HandlerId kSend{1};

struct Flags {
  std::chrono::nanoseconds round_trip = std::chrono::milliseconds(50);
  uint64_t bytes_per_second = 100'000'000;
  size_t size = 16'384;
  std::chrono::nanoseconds warm_up = std::chrono::seconds(2);
  std::chrono::nanoseconds duration = std::chrono::seconds(2);

  testing::TcpProxyOptions proxy() const {
    return {.delay = std::chrono::duration_cast<std::chrono::microseconds>(round_trip / 2),
            .bytes_per_second = bytes_per_second};
  }
};

// Calls `receive`, which returns how many bytes came, until the time is over. Per second; negative
// when it failed.
template <typename Receive>
double Measure(const Flags& flags, Receive receive) {
  const auto begin = SteadyClock::now() + flags.warm_up;
  const auto end = begin + flags.duration;
  double bytes = 0;
  for (auto now = SteadyClock::now(); now < end; now = SteadyClock::now()) {
    const double received = receive();
    if (received < 0) return -1;
    if (now >= begin) bytes += received;
  }
  return bytes / std::chrono::duration<double>(flags.duration).count();
}

double MeasureTcp(const Flags& flags) {
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  testing::TcpProxy proxy(flags.proxy());
  proxy.Forward(acceptor.local_endpoint().port());
  std::thread sender([&] {
    tcp::socket socket = acceptor.accept();
    const std::vector<char> block(size_t{64} << 10, 'x');
    boost::system::error_code error;
    while (!error) asio::write(socket, asio::buffer(block), error);
  });
  tcp::socket socket(io);
  const std::string port = proxy.address().substr(proxy.address().find(':') + 1);
  socket.connect({asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::stoi(port))});
  std::vector<char> block(size_t{256} << 10);
  const double rate = Measure(flags, [&] {
    boost::system::error_code error;
    const size_t size = socket.read_some(asio::buffer(block), error);
    return error ? -1.0 : static_cast<double>(size);
  });
  socket.close();
  sender.join();
  return rate;
}

absl::StatusOr<double> MeasureStream(const Flags& flags) {
  const std::string payload(flags.size, 'x');  // outlives the handler
  testing::TcpProxy proxy(flags.proxy());
  ManagerOptions options;
  options.log = NullLog();
  options.local = ServerName(proxy.address());
  Manager server(options);
  options.local = ClientName(server.local());
  Manager client(options);

  absl::Status status = server.RegisterStream(
      {.id = kSend}, StreamFunction([&payload](Stream& stream, RequestContext&) {
        absl::Status written;
        while (written.ok()) written = stream.WriteBlocking(AsBytes(payload));
        return written;
      }));
  status.Update(server.AddPeer(client.local()));
  status.Update(client.AddPeer(server.local()));
  status.Update(server.Start());
  if (!status.ok()) return status;
  const absl::StatusOr<uint16_t> port = server.Listen("127.0.0.1:0");
  if (!port.ok()) return port.status();
  proxy.Forward(*port);
  status = client.Start();
  if (!status.ok()) return status;
  const Connection peer = client.Connection(server.local());
  status = peer.WaitConnected(std::chrono::seconds(10), asio::use_future).get();
  if (!status.ok()) return status;

  absl::StatusOr<Stream> stream = peer.OpenStream(kSend, {}, {});
  if (!stream.ok()) return stream.status();
  const double rate = Measure(flags, [&] {
    const ReadResult message = stream->ReadBlocking();
    if (!message.ok()) status = message.status();
    return message.ok() && message->has_value() ? static_cast<double>((*message)->size()) : -1.0;
  });
  stream->Cancel();
  if (!status.ok()) return status;
  return rate;
}

int Run(int argc, char** argv) {
  Flags flags;
  CLI::App app("A stream over a long link, and raw TCP over the same; prints one line of JSON.",
               kProgram);
  AddDurationFlag(app, "--round-trip", &flags.round_trip, "there and back, as 50ms (the default)");
  app.add_option("--bytes-per-second", flags.bytes_per_second, "what the link carries");
  app.add_option("--size", flags.size, "bytes of payload of a message");
  AddDurationFlag(app, "--duration", &flags.duration, "measured time, as 2s (the default)");
  AddDurationFlag(app, "--warm-up", &flags.warm_up, "before it, as 2s (the default)");
  if (const auto parsed = tools::ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }
  const double tcp_rate = MeasureTcp(flags);
  const absl::StatusOr<double> rate = MeasureStream(flags);
  if (!rate.ok()) {
    tools::PrintError(kProgram, rate.status().ToString());
    return 1;
  }
  std::fputs(absl::StrFormat("{\"system\":\"grid\",\"mode\":\"distance\",\"round_trip_ms\":%.3f,"
                             "\"link_bytes_per_s\":%d,\"tcp_bytes_per_s\":%.0f,"
                             "\"bytes_per_s\":%.0f}\n",
                             std::chrono::duration<double, std::milli>(flags.round_trip).count(),
                             flags.bytes_per_second, tcp_rate, *rate)
                 .c_str(),
             stdout);
  return 0;
}

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) { return grid::bench::Run(argc, argv); }
