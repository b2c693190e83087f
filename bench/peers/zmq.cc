// ZeroMQ over TCP: dealer and router for requests, push and pull for the one-way stream. The client
// of the latter listens, and tells the router where.
#include <poll.h>

#include <string>
#include <thread>
#include <zmq.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bench/common/poll_loop.h"
#include "bench/common/program.h"
#include "bench/common/stop.h"

namespace grid::bench {
namespace {

// What it counts is taken from the queue at once, up to so many.
constexpr size_t kBatch = 1024;
// After which a stream's server takes its client for gone.
constexpr int kStalledMs = 1000;

std::string UrlOf(const std::string& address) { return "tcp://" + address; }

class ZmqClient final : public Client {
 public:
  ZmqClient(zmq::context_t& context, const std::string& url, const Workload& workload)
      : workload_(workload),
        payload_(workload.size, 'x'),
        dealer_(context, zmq::socket_type::dealer),
        pull_(context, zmq::socket_type::pull),
        in_(workload.mode == Mode::kOneWay ? pull_ : dealer_) {
    // Messages in flight are bounded by us, so that ZeroMQ need not.
    dealer_.set(zmq::sockopt::rcvhwm, 0);
    dealer_.set(zmq::sockopt::sndhwm, 0);
    dealer_.set(zmq::sockopt::linger, 0);
    dealer_.connect(url);
    if (workload.mode == Mode::kOneWay) {
      AskForStream();
    } else {
      SendAhead();
    }
  }

  Tally Run(const Window& window) override { return RunPollLoop(*this, workload_, window); }

  void Send(size_t count) {
    for (; count > 0; --count) dealer_.send(zmq::buffer(payload_), zmq::send_flags::none);
  }

  absl::StatusOr<size_t> Receive(Clock::time_point until) {
    size_t count = 0;
    zmq::message_t message;
    while (count < kBatch && in_.recv(message, zmq::recv_flags::dontwait)) {
      if (message.size() != payload_.size()) {
        return absl::DataLossError("an answer of another length");
      }
      ++count;
    }
    if (count == 0) Wait(until);
    return count;
  }

 private:
  // One request, so that the run begins with a connection that stands.
  void SendAhead() {
    dealer_.send(zmq::buffer(payload_), zmq::send_flags::none);
    zmq::message_t answer;
    static_cast<void>(dealer_.recv(answer));
  }

  void AskForStream() {
    const int window = static_cast<int>(workload_.inflight);
    pull_.set(zmq::sockopt::rcvhwm, window);
    pull_.bind("tcp://127.0.0.1:*");
    const std::string url = pull_.get(zmq::sockopt::last_endpoint);
    dealer_.send(zmq::buffer(url), zmq::send_flags::sndmore);
    dealer_.send(zmq::buffer(absl::StrCat(payload_.size())), zmq::send_flags::sndmore);
    dealer_.send(zmq::buffer(absl::StrCat(window)), zmq::send_flags::none);
  }

  // By the socket's own signal, because zmq_poll counts in milliseconds.
  void Wait(Clock::time_point until) {
    timespec wait{};
    if (until != Clock::time_point::max()) {
      const auto left = std::chrono::nanoseconds(until - Clock::now()).count();
      if (left <= 0) return;
      wait = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    }
    // The signal tells of changes only, and asking for the events clears it.
    if ((in_.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0) return;
    pollfd ready{.fd = in_.get(zmq::sockopt::fd), .events = POLLIN, .revents = 0};
    ppoll(&ready, 1, until == Clock::time_point::max() ? nullptr : &wait, nullptr);
  }

  const Workload workload_;
  const std::string payload_;
  zmq::socket_t dealer_;
  zmq::socket_t pull_;
  zmq::socket_t& in_;  // where answers come from
};

// Until nobody takes the messages any more.
void SendStream(zmq::context_t& context, const std::string& url, size_t size, int window) {
  zmq::socket_t push(context, zmq::socket_type::push);
  push.set(zmq::sockopt::sndhwm, window);
  push.set(zmq::sockopt::linger, 0);
  push.set(zmq::sockopt::sndtimeo, kStalledMs);
  push.connect(url);
  const std::string payload(size, 'x');
  while (push.send(zmq::buffer(payload), zmq::send_flags::none)) {
  }
}

// The rest of a message that asks for a stream.
void StartStream(zmq::context_t& context, zmq::socket_t& router, const std::string& url) {
  zmq::message_t size_text, window_text;
  static_cast<void>(router.recv(size_text));
  static_cast<void>(router.recv(window_text));
  size_t size = 0;
  int window = 0;
  if (!absl::SimpleAtoi(size_text.to_string(), &size) ||
      !absl::SimpleAtoi(window_text.to_string(), &window)) {
    return;
  }
  std::thread([&context, url, size, window] { SendStream(context, url, size, window); }).detach();
}

class Zmq final : public System {
 public:
  std::string name() const override { return "zmq"; }
  std::set<Mode> modes() const override { return {Mode::kEcho, Mode::kOneWay}; }

  absl::Status Serve(const Place& place) override {
    ExitOnStop();
    zmq::socket_t router(context_, zmq::socket_type::router);
    router.set(zmq::sockopt::rcvhwm, 0);
    router.set(zmq::sockopt::sndhwm, 0);
    router.bind(UrlOf(place.address));
    PrintReady(place.address);
    zmq::message_t from, message;
    for (;;) {
      static_cast<void>(router.recv(from));
      static_cast<void>(router.recv(message));
      if (message.more()) {
        StartStream(context_, router, message.to_string());
      } else {
        router.send(from, zmq::send_flags::sndmore);
        router.send(message, zmq::send_flags::none);
      }
    }
  }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override {
    return std::make_unique<ZmqClient>(context_, UrlOf(place.address), workload);
  }

 private:
  zmq::context_t context_{1};
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::Zmq zmq;
  return grid::bench::Main(zmq, argc, argv);
}
