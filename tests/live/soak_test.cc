// Memory stays where it was: over connects and disconnects, and over requests with random
// cancellations.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "grid/manager.h"
#include "handlers/delivery.h"
#include "tests/sanitized.h"

namespace grid {
namespace {

constexpr HandlerId kEcho{78};

// Resident bytes of this process, after the allocator has returned what it can.
size_t ResidentBytes() {
  ::malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

// A name on a port that was free a moment ago.
std::string FreeName() {
  asio::io_context io;
  const asio::ip::tcp::acceptor acceptor(
      io, asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
  return "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
}

struct Pair {
  // `dialer` dials `acceptor`, by the rule of the protocol. The dialer runs on `io`, when given.
  explicit Pair(asio::io_context* io = nullptr) {
    std::string a = FreeName();
    std::string b = FreeName();
    if (!ShouldDial(a, b)) std::swap(a, b);
    ManagerOptions options;
    options.log = NullLog();
    options.local = b;
    acceptor = std::make_unique<Manager>(options);
    options.local = a;
    if (io != nullptr) options.io_contexts = {io};
    dialer = std::make_unique<Manager>(options);
    EXPECT_TRUE(
        acceptor
            ->RegisterSingle({.id = kEcho, .run_on = RunOn::kIoThread},
                             [](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
                               return Buffer::CopyOf(request);
                             })
            .ok());
    EXPECT_TRUE(acceptor->AddPeer(a).ok());
    EXPECT_TRUE(acceptor->Start().ok());
    EXPECT_TRUE(acceptor->Listen(b.substr(7)).ok());
    EXPECT_TRUE(dialer->Start().ok());
  }

  std::unique_ptr<Manager> acceptor;
  std::unique_ptr<Manager> dialer;
};

// The first rounds fill pools and caches; what counts is that later ones add nothing.
constexpr size_t kAllowedGrowth = size_t{4} << 20;
// A sanitizer looks for leaks in its own way, at the end, and needs no such numbers for it.
constexpr int kShare = kSanitized ? 50 : 1;

TEST(Soak, ConnectDisconnect20000Times_LeavesMemoryWhereItWas) {
  constexpr int kCycles = 20'000 / kShare;
  constexpr int kWarm = 1'000 / kShare;
  Pair pair;
  const std::string host = pair.acceptor->local();
  size_t before = 0;
  for (int i = 0; i < kCycles + kWarm; ++i) {
    if (i == kWarm) before = ResidentBytes();
    ASSERT_TRUE(pair.dialer->AddPeer(host).ok());
    Connection peer = pair.dialer->Connection(host);
    ASSERT_TRUE(peer.WaitConnected(std::chrono::seconds(10), asio::use_future).get().ok());
    if (i % 100 == 0) {
      auto reply = peer.Request(kEcho, AsBytes("x"), {}, asio::use_future).get();
      ASSERT_TRUE(reply.ok()) << reply.status();
    }
    ASSERT_TRUE(pair.dialer->RemovePeer(host).ok());
  }
  const size_t after = ResidentBytes();
  std::printf("%d connects and disconnects: RSS %zu KiB before, %zu KiB after\n", kCycles,
              before >> 10, after >> 10);
  if (!kSanitized) {
    EXPECT_LT(after, before + kAllowedGrowth);
  }
}

// Keeps `window` requests going on the I/O thread; cancels each with the given probability, before
// or after it has left.
class CancellingLoop {
 public:
  CancellingLoop(Connection peer, int total) : peer_(std::move(peer)), left_(total) {}

  void Begin(int window) {
    for (int i = 0; i < window; ++i) {
      slots_.push_back(std::make_unique<asio::cancellation_signal>());
    }
    for (size_t slot = 0; slot < slots_.size(); ++slot) Next(slot);
  }
  bool done() const { return left_ == 0 && running_ == 0; }
  int succeeded = 0;
  int cancelled = 0;
  int failed = 0;

 private:
  void Next(size_t slot) {
    if (left_ == 0) return;
    --left_;
    ++running_;
    asio::cancellation_signal& signal = *slots_[slot];
    peer_.Request(kEcho, AsBytes("soak"), {},
                  asio::bind_cancellation_slot(signal.slot(), [this, slot](auto reply) {
                    --running_;
                    if (reply.ok()) {
                      ++succeeded;
                    } else if (absl::IsCancelled(reply.status())) {
                      ++cancelled;
                    } else {
                      ++failed;
                    }
                    Next(slot);
                  }));
    // Any request that is under way, this one included.
    if (random_() % 4 == 0) {
      slots_[random_() % slots_.size()]->emit(asio::cancellation_type::terminal);
    }
  }

  Connection peer_;
  std::vector<std::unique_ptr<asio::cancellation_signal>> slots_;
  std::minstd_rand random_{42};
  int left_;
  int running_ = 0;
};

TEST(Soak, MillionRequestsWithRandomCancels_LeaveMemoryWhereItWas) {
  asio::io_context io(1);
  auto work = asio::make_work_guard(io);
  std::thread thread([&] { io.run(); });
  {
    Pair pair(&io);
    const std::string host = pair.acceptor->local();
    ASSERT_TRUE(pair.dialer->AddPeer(host).ok());
    Connection peer = pair.dialer->Connection(host);
    ASSERT_TRUE(peer.WaitConnected(std::chrono::seconds(10), asio::use_future).get().ok());
    const auto run = [&](int requests) {
      CancellingLoop loop(peer, requests);
      asio::post(io, [&] { loop.Begin(256); });
      std::promise<void> done;
      std::function<void()> poll = [&] { loop.done() ? done.set_value() : asio::post(io, poll); };
      asio::post(io, poll);
      done.get_future().wait();
      EXPECT_EQ(loop.failed, 0);
      EXPECT_EQ(loop.succeeded + loop.cancelled, requests);
      EXPECT_GT(loop.cancelled, requests / 20);
      return loop.cancelled;
    };
    run(100'000 / kShare);
    const size_t before = ResidentBytes();
    const int cancelled = run(1'000'000 / kShare);
    const size_t after = ResidentBytes();
    std::printf("%d requests, %d of them cancelled: RSS %zu KiB before, %zu KiB after\n",
                1'000'000 / kShare, cancelled, before >> 10, after >> 10);
    if (!kSanitized) {
      EXPECT_LT(after, before + kAllowedGrowth);
    }
    EXPECT_EQ(peer.Stats().outgoing_requests, 0u);
    EXPECT_EQ(pair.acceptor->Stats().total.incoming_requests, 0u);
  }
  work.reset();
  thread.join();
}

}  // namespace
}  // namespace grid
