// Cap'n Proto RPC: requests are calls, the one-way stream is a streaming method of an object that
// the client lends to the server.
#include <capnp/rpc-twoparty.h>
#include <echo.capnp.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/io.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "bench/common/load.h"
#include "bench/common/program.h"
#include "bench/common/stop.h"

namespace grid::bench {
namespace {

kj::ArrayPtr<const kj::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
}

// --- Server ---

class EchoServer final : public schema::Echo::Server {
  kj::Promise<void> echo(EchoContext context) override {
    const capnp::Data::Reader payload = context.getParams().getPayload();
    context.getResults(capnp::MessageSize{payload.size() / sizeof(capnp::word) + 8, 0})
        .setPayload(payload);
    return kj::READY_NOW;
  }

  kj::Promise<void> send(SendContext context) override {
    const auto params = context.getParams();
    auto sink = params.getSink();
    const std::string payload(params.getSize(), 'x');
    context.allowCancellation();
    return SendOn(kj::mv(sink), payload);
  }

  // A stream call is complete as soon as the next may follow.
  static kj::Promise<void> SendOn(schema::Sink::Client sink, std::string payload) {
    auto request = sink.putRequest();
    request.setPayload(BytesOf(payload));
    return request.send().then([sink = kj::mv(sink), payload = std::move(payload)]() mutable {
      return SendOn(kj::mv(sink), std::move(payload));
    });
  }
};

// --- Client ---

// Goes off at a time given in nanoseconds; kj's own timer counts in milliseconds.
class FineTimer {
 public:
  explicit FineTimer(kj::UnixEventPort& port)
      : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
        observer_(port, fd_, kj::UnixEventPort::FdObserver::OBSERVE_READ) {}

  // Instead of the time set before.
  void Set(Clock::time_point time) {
    if (time == time_) return;
    time_ = time;
    const auto ns = std::chrono::nanoseconds(time.time_since_epoch()).count();
    itimerspec when{};
    when.it_value = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    timerfd_settime(fd_, TFD_TIMER_ABSTIME, &when, nullptr);
  }
  kj::Promise<void> Wait() {
    return observer_.whenBecomesReadable().then([this] {
      uint64_t times = 0;
      static_cast<void>(!read(fd_, &times, sizeof(times)));
    });
  }

 private:
  Clock::time_point time_;
  kj::AutoCloseFd fd_;
  kj::UnixEventPort::FdObserver observer_;
};

class CapnpClient final : public Client, private kj::TaskSet::ErrorHandler {
 public:
  CapnpClient(const std::string& address, const Workload& workload)
      : workload_(workload),
        payload_(workload.size, 'x'),
        io_(kj::setupAsyncIo()),
        timer_(io_.unixEventPort),
        stream_(io_.provider->getNetwork()
                    .parseAddress(address.c_str())
                    .wait(io_.waitScope)
                    ->connect()
                    .wait(io_.waitScope)),
        rpc_(*stream_),
        echo_(rpc_.bootstrap().castAs<schema::Echo>()),
        tasks_(*this) {}

  ~CapnpClient() noexcept override = default;

  Tally Run(const Window& window) override {
    window_ = window;
    load_.emplace(workload_, window);
    if (workload_.mode == Mode::kOneWay) AskForStream();
    while (!load_->Over(Clock::now())) {
      Fill();
      timer_.Wait().wait(io_.waitScope);
    }
    return load_->load().tally();
  }

 private:
  class CountingSink final : public schema::Sink::Server {
   public:
    explicit CountingSink(CapnpClient& client) : client_(client) {}
    kj::Promise<void> put(PutContext context) override {
      client_.OnAnswer(context.getParams().getPayload().size());
      return kj::READY_NOW;
    }

   private:
    CapnpClient& client_;
  };

  void AskForStream() {
    auto request = echo_.sendRequest();
    request.setSize(static_cast<uint32_t>(workload_.size));
    request.setSink(kj::heap<CountingSink>(*this));
    tasks_.add(request.send().ignoreResult());
  }

  void Fill() {
    for (size_t count = load_->Begin(Clock::now()); count > 0; --count) {
      auto request =
          echo_.echoRequest(capnp::MessageSize{payload_.size() / sizeof(capnp::word) + 8, 0});
      request.setPayload(BytesOf(payload_));
      tasks_.add(request.send().then([this](capnp::Response<schema::Echo::EchoResults>&& answer) {
        OnAnswer(answer.getPayload().size());
      }));
    }
    timer_.Set(std::min(load_->WakeAt(), window_.end));
  }

  void OnAnswer(size_t size) {
    if (size != payload_.size()) {
      load_->Failed(absl::DataLossError("an answer of another length"));
    }
    load_->Answered(1, Clock::now());
    Fill();
  }

  void taskFailed(kj::Exception&& exception) override {
    load_->Failed(absl::UnavailableError(exception.getDescription().cStr()));
  }

  const Workload workload_;
  const std::string payload_;
  Window window_;
  kj::AsyncIoContext io_;
  FineTimer timer_;
  kj::Own<kj::AsyncIoStream> stream_;
  capnp::TwoPartyClient rpc_;
  schema::Echo::Client echo_;
  std::optional<OrderedLoad> load_;
  kj::TaskSet tasks_;  // first to go: what they complete uses the rest
};

class Capnp final : public System {
 public:
  std::string name() const override { return "capnp"; }
  std::set<Mode> modes() const override { return {Mode::kEcho, Mode::kOneWay}; }

  absl::Status Serve(const Place& place) override {
    ExitOnStop();
    kj::AsyncIoContext io = kj::setupAsyncIo();
    capnp::TwoPartyServer server(kj::heap<EchoServer>());
    auto listener =
        io.provider->getNetwork().parseAddress(place.address.c_str()).wait(io.waitScope)->listen();
    PrintReady(place.address);
    server.listen(*listener).wait(io.waitScope);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override {
    return std::make_unique<CapnpClient>(place.address, workload);
  }
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::Capnp capnp;
  return grid::bench::Main(capnp, argc, argv);
}
