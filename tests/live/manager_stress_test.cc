// Managers under many threads at once: requests, streams, cancellations, peers that come and go,
// and Stop at random moments. What it proves: every operation completes exactly once, and Stop
// returns. What a thread sanitizer sees besides is the better half of it.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "grid/manager.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

constexpr HandlerId kIoEcho{78};
constexpr HandlerId kWorkerEcho{79};
constexpr HandlerId kCoroutineEcho{80};
constexpr HandlerId kHang{81};  // until cancelled
constexpr HandlerId kStreamEcho{82};
constexpr HandlerId kWorkerStream{83};
constexpr HandlerId kStreamFlood{84};

// Names on ports that were free a moment ago; the first dials all others.
std::vector<std::string> FreeNames(size_t count) {
  asio::io_context io;
  std::vector<asio::ip::tcp::acceptor> acceptors;
  std::vector<std::string> names;
  while (names.size() < count) {
    acceptors.emplace_back(io, asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    std::string name =
        "http://127.0.0.1:" + std::to_string(acceptors.back().local_endpoint().port());
    if (names.empty() || ShouldDial(names[0], name)) names.push_back(std::move(name));
  }
  return names;
}

void RegisterHandlers(Manager& manager) {
  const SingleFunction echo = [](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
    return Buffer::CopyOf(request);
  };
  EXPECT_TRUE(manager.RegisterSingle({.id = kIoEcho, .run_on = RunOn::kIoThread}, echo).ok());
  EXPECT_TRUE(manager.RegisterSingle({.id = kWorkerEcho}, echo).ok());
  EXPECT_TRUE(manager
                  .RegisterSingle({.id = kCoroutineEcho},
                                  SingleCoroutine([](Buffer request, RequestContext&)
                                                      -> asio::awaitable<absl::StatusOr<Buffer>> {
                                    co_return std::move(request);
                                  }))
                  .ok());
  EXPECT_TRUE(manager
                  .RegisterSingle({.id = kHang},
                                  [](BytesView, RequestContext& context) -> absl::StatusOr<Buffer> {
                                    while (!context.cancelled())
                                      std::this_thread::sleep_for(milliseconds(1));
                                    return context.cancellation();
                                  })
                  .ok());
  const StreamSpec spec{.id = kStreamEcho, .in_capacity = 2, .out_capacity = 2};
  EXPECT_TRUE(manager
                  .RegisterStream(
                      spec, StreamCoroutine([](Stream& stream,
                                               RequestContext&) -> asio::awaitable<absl::Status> {
                        for (;;) {
                          ReadResult message = co_await stream.Read();
                          if (!message.ok()) co_return message.status();
                          if (!message->has_value()) co_return absl::OkStatus();
                          const absl::Status sent = co_await stream.Write((*message)->view());
                          if (!sent.ok()) co_return sent;
                        }
                      }))
                  .ok());
  EXPECT_TRUE(manager
                  .RegisterStream({.id = kWorkerStream, .in_capacity = 2, .out_capacity = 2},
                                  StreamFunction([](Stream& stream, RequestContext&) {
                                    for (;;) {
                                      ReadResult message = stream.ReadBlocking();
                                      if (!message.ok()) return message.status();
                                      if (!message->has_value()) return absl::OkStatus();
                                      absl::Status sent = stream.WriteBlocking((*message)->view());
                                      if (!sent.ok()) return sent;
                                    }
                                  }))
                  .ok());
  EXPECT_TRUE(manager
                  .RegisterStream({.id = kStreamFlood, .in_capacity = 2, .out_capacity = 2},
                                  StreamFunction([](Stream& stream, RequestContext&) {
                                    absl::Status sent;
                                    while (sent.ok()) sent = stream.WriteBlocking(AsBytes("flood"));
                                    return sent;
                                  }))
                  .ok());
}

ManagerOptions FastOptions(const std::string& local) {
  ManagerOptions options;
  options.local = local;
  options.log = NullLog();
  options.io_threads = 3;
  options.worker_threads = 6;
  options.timeouts.redial_min = milliseconds(1);
  options.timeouts.redial_max = milliseconds(10);
  return options;
}

// Counts how often an operation completed, over all copies and moves of its handler.
struct Tally {
  std::atomic<int> started{0};
  std::atomic<int> completed{0};
  std::atomic<int> twice{0};
};

class Once {
 public:
  explicit Once(Tally& tally) : tally_(tally) { ++tally.started; }
  void Complete() { ++(called_.exchange(true) ? tally_.twice : tally_.completed); }

 private:
  Tally& tally_;
  std::atomic<bool> called_{false};
};

// A program's thread with an io_context of its own, which starts and cancels at random.
class Client {
 public:
  Client(std::vector<std::unique_ptr<Manager>>& managers, const std::vector<std::string>& names,
         Tally& tally, unsigned seed)
      : managers_(managers), names_(names), tally_(tally), random_(seed) {}

  void Run(const std::atomic<bool>& over) {
    while (!over) {
      for (int i = 0; i < 20; ++i) DoSomething();
      io_.poll();
      io_.restart();
    }
    // Whatever is under way ends with the managers, or had a time-out.
    const auto give_up = SteadyClock::now() + seconds(30);
    while (pending_ > 0 && SteadyClock::now() < give_up) {
      io_.run_for(milliseconds(10));
      io_.restart();
      // Streams whose handle is kept end here, if nothing else ends them.
      streams_.clear();
    }
    EXPECT_EQ(pending_, 0);
  }

 private:
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_()) % bound; }

  Connection Anybody() {
    const uint32_t from = Below(static_cast<uint32_t>(managers_.size()));
    return managers_[from]->Connection(names_[Below(static_cast<uint32_t>(names_.size()))]);
  }

  template <typename Result>
  auto Handler(const std::shared_ptr<asio::cancellation_signal>& signal) {
    ++pending_;
    auto once = std::make_shared<Once>(tally_);
    return asio::bind_cancellation_slot(signal->slot(),
                                        asio::bind_executor(io_, [this, once, signal](Result) {
                                          --pending_;
                                          once->Complete();
                                        }));
  }

  std::shared_ptr<asio::cancellation_signal> Signal() {
    signals_[Below(kSignals)] = std::make_shared<asio::cancellation_signal>();
    auto signal = std::make_shared<asio::cancellation_signal>();
    signals_[Below(kSignals)] = signal;
    return signal;
  }

  void DoSomething() {
    const uint32_t what = Below(100);
    if (what < 45) return StartRequest();
    if (what < 55) return StartStream();
    if (what < 75) return UseStream();
    if (what < 90) return signals_[Below(kSignals)] == nullptr ? void() : Emit();
    if (what < 92) return WaitConnected();
    if (what < 94) return streams_.clear();
    if (what < 96) return Look();
    if (what == 96) return Peers();
    io_.poll();
    io_.restart();
  }

  void StartRequest() {
    static constexpr HandlerId kHandlers[] = {kIoEcho,     kIoEcho,        kWorkerEcho,
                                              kWorkerEcho, kCoroutineEcho, kHang};
    if (pending_ > 500) return;
    RequestOptions options;
    options.timeout = milliseconds(1 + Below(200));
    options.wait_for_ready = Below(2) == 0;
    Anybody().Request(kHandlers[Below(6)], AsBytes("stress"), options,
                      Handler<absl::StatusOr<Buffer>>(Signal()));
  }

  void StartStream() {
    static constexpr HandlerId kHandlers[] = {kStreamEcho, kWorkerStream, kStreamFlood};
    StreamOptions options{.has_input = true, .in_capacity = 2, .out_capacity = 2};
    options.wait_for_ready = Below(2) == 0;
    if (Below(4) == 0) options.timeout = milliseconds(1 + Below(50));
    absl::StatusOr<Stream> stream = Anybody().OpenStream(kHandlers[Below(3)], {}, options);
    if (!stream.ok() || Below(3) == 0) return;  // dropped while it opens
    if (streams_.size() > 20) streams_.erase(streams_.begin());
    streams_.push_back(*std::move(stream));
  }

  void UseStream() {
    if (streams_.empty()) return;
    Stream& stream = streams_[Below(static_cast<uint32_t>(streams_.size()))];
    switch (Below(6)) {
      case 0:
      case 1:
        return stream.Read(Handler<ReadResult>(Signal()));
      case 2:
      case 3:
        return stream.Write(AsBytes("message"), Handler<absl::Status>(Signal()));
      case 4:
        return stream.CloseSend();
      default:
        if (Below(3) == 0) stream.Cancel();
    }
  }

  void Emit() {
    const auto signal = signals_[Below(kSignals)];
    if (signal != nullptr) signal->emit(asio::cancellation_type::terminal);
  }

  void WaitConnected() {
    Anybody().WaitConnected(milliseconds(Below(50)), Handler<absl::Status>(Signal()));
  }

  void Look() {
    (void)managers_[Below(static_cast<uint32_t>(managers_.size()))]->Stats();
    (void)Anybody().state();
  }

  void Peers() {
    const uint32_t at = Below(static_cast<uint32_t>(managers_.size()));
    const std::string& host = names_[Below(static_cast<uint32_t>(names_.size()))];
    (void)managers_[at]->RemovePeer(host);
    if (host != names_[at]) (void)managers_[at]->AddPeer(host);
  }

  static constexpr uint32_t kSignals = 64;

  std::vector<std::unique_ptr<Manager>>& managers_;
  const std::vector<std::string>& names_;
  Tally& tally_;
  std::minstd_rand random_;
  asio::io_context io_{1};
  int pending_ = 0;  // on this thread only, as the completions are
  std::vector<std::shared_ptr<asio::cancellation_signal>> signals_{kSignals};
  std::vector<Stream> streams_;
};

constexpr unsigned kClients = 3;

TEST(ManagerStress, EveryOperationCompletesOnce_AndStopReturns) {
  const auto end = SteadyClock::now() + seconds(4);
  for (unsigned round = 1; SteadyClock::now() < end; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::vector<std::string> names = FreeNames(3);
    std::vector<std::unique_ptr<Manager>> managers;
    for (const std::string& name : names) {
      managers.push_back(std::make_unique<Manager>(FastOptions(name)));
      RegisterHandlers(*managers.back());
      for (const std::string& peer : names) {
        if (peer == name) continue;
        ASSERT_TRUE(managers.back()->AddPeer(peer).ok());
      }
    }
    Tally tally;
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    // From before Start until after Stop.
    for (unsigned i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] { Client(managers, names, tally, 100 * round + i).Run(over); });
    }
    for (size_t i = 0; i < managers.size(); ++i) {
      ASSERT_TRUE(managers[i]->Start().ok());
      (void)managers[i]->Listen(
          names[i].substr(7));  // a port may be taken again: then one node less
    }
    std::this_thread::sleep_for(milliseconds(100 + 37 * (round % 8)));
    for (const auto& manager : managers) {
      // Twice at the same time: both wait for the end.
      std::thread other([&] { manager->Stop(); });
      manager->Stop();
      other.join();
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
    managers.clear();
    EXPECT_EQ(tally.completed, tally.started);
    EXPECT_EQ(tally.twice, 0);
    EXPECT_GT(tally.completed, 0);
    if (HasFailure()) return;
  }
}

// Connections under one name that arrive on several I/O threads at once: each takes the place of
// the one before, and none is forgotten.
TEST(ManagerStress, ManyConnectionsFromOneHostAtOnce_OneRemains) {
  const std::vector<std::string> names = FreeNames(2);
  ManagerOptions options = FastOptions(names[1]);
  options.io_threads = 4;
  Manager acceptor(options);
  RegisterHandlers(acceptor);
  ASSERT_TRUE(acceptor.AddPeer(names[0]).ok());
  ASSERT_TRUE(acceptor.Start().ok());
  ASSERT_TRUE(acceptor.Listen(names[1].substr(7)).ok());
  std::vector<std::unique_ptr<Manager>> dialers;
  for (int i = 0; i < 6; ++i) {
    options = FastOptions(names[0]);
    options.io_threads = 1;
    options.timeouts.redial_max = milliseconds(1);
    dialers.push_back(std::make_unique<Manager>(options));
    ASSERT_TRUE(dialers.back()->AddPeer(names[1]).ok());
    ASSERT_TRUE(dialers.back()->Start().ok());
  }
  const auto end = SteadyClock::now() + seconds(2);
  while (SteadyClock::now() < end) {
    for (const auto& dialer : dialers) {
      dialer->Connection(names[1]).Request(kIoEcho, AsBytes("x"), {}, [](auto) {});
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_GT(acceptor.Stats().total.reconnects, 10u);
  // Waits for every link there ever was; one that was forgotten would live as long as its dialer.
  std::future<void> stopped = std::async(std::launch::async, [&] { acceptor.Stop(); });
  EXPECT_EQ(stopped.wait_for(seconds(10)), std::future_status::ready);
  dialers.clear();
  stopped.get();
  EXPECT_EQ(acceptor.Stats().total.incoming_requests, 0u);
}

}  // namespace
}  // namespace grid
