// Raw TCP, as fast as a socket allows: everything that is ready goes out in one send and comes in
// with one receive.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <thread>

#include "bench/common/address.h"
#include "bench/common/poll_loop.h"
#include "bench/common/program.h"
#include "bench/common/stop.h"
#include "bench/peers/batch.h"
#include "bench/peers/tcp_channel.h"

namespace grid::bench {
namespace {

using boost::asio::ip::tcp;

constexpr size_t kStreamBatch = size_t{256} << 10;

absl::Status EchoAll(TcpChannel& channel) {
  for (;;) {
    channel.in().Consume(EchoBatch(channel.in().contents(), channel.out()));
    if (absl::Status status = channel.Exchange(Clock::time_point::max()); !status.ok()) {
      return status;
    }
  }
}

absl::Status SendForever(TcpChannel& channel, size_t size) {
  const std::string payload(size, 'x');
  for (;;) {
    do {
      AppendMessage(channel.out(), payload.data(), size);
    } while (channel.out().size() < kStreamBatch);
    if (absl::Status status = channel.Flush(); !status.ok()) return status;
  }
}

// Until the client is gone, which is how every run ends.
void ServeClient(tcp::socket socket, std::chrono::nanoseconds poll) {
  TcpChannel channel(std::move(socket), poll);
  Greeting greeting;
  size_t used = 0;
  while (used == 0) {
    if (!channel.Exchange(Clock::time_point::max()).ok()) return;
    used = ReadGreeting(channel.in().contents(), greeting);
  }
  channel.in().Consume(used);
  const absl::Status over =
      greeting.mode == Mode::kOneWay ? SendForever(channel, greeting.size) : EchoAll(channel);
  static_cast<void>(over);
}

class TcpClient final : public Client {
 public:
  TcpClient(tcp::socket socket, const Place& place, const Workload& workload)
      : workload_(workload), payload_(workload.size, 'x'), channel_(std::move(socket), place.poll) {
    AppendGreeting(channel_.out(), workload);
  }

  Tally Run(const Window& window) override { return RunPollLoop(*this, workload_, window); }

  void Send(size_t count) {
    for (; count > 0; --count) AppendMessage(channel_.out(), payload_.data(), payload_.size());
  }

  absl::StatusOr<size_t> Receive(Clock::time_point until) {
    if (absl::Status status = channel_.Exchange(until); !status.ok()) return status;
    Counted counted;
    channel_.in().Consume(CountBatch(channel_.in().contents(), payload_.size(), counted));
    if (counted.wrong > 0) return absl::DataLossError("an answer of another length");
    return counted.messages;
  }

 private:
  const Workload workload_;
  const std::string payload_;
  TcpChannel channel_;
};

class Tcp final : public System {
 public:
  std::string name() const override { return "tcp"; }
  bool polls() const override { return true; }

  absl::Status Serve(const Place& place) override {
    ExitOnStop();
    const auto endpoint = ParseEndpoint(place.address);
    if (!endpoint.ok()) return endpoint.status();
    tcp::acceptor acceptor(io_, *endpoint);
    PrintReady(place.address);
    for (;;) {
      std::thread(ServeClient, acceptor.accept(), place.poll).detach();
    }
  }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override {
    const auto endpoint = ParseEndpoint(place.address);
    if (!endpoint.ok()) return endpoint.status();
    tcp::socket socket(io_);
    boost::system::error_code error;
    socket.connect(*endpoint, error);
    if (error) return SocketError("connect", error);
    return std::make_unique<TcpClient>(std::move(socket), place, workload);
  }

 private:
  boost::asio::io_context io_{1};
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::Tcp tcp;
  return grid::bench::Main(tcp, argc, argv);
}
