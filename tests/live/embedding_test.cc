// A manager on the host program's own io_contexts: started and stopped in any order, from any
// thread, with calls in flight; and what its handles do afterwards.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "handlers/single_handler.h"
#include "handlers/stream_handler.h"
#include "tests/live/embedding_kit.h"
#include "tests/live/raw_socket.h"

namespace grid::live {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// The host's I/O threads.
class HostThreads {
 public:
  explicit HostThreads(int count) {
    for (int i = 0; i < count; ++i) {
      ios_.push_back(std::make_unique<asio::io_context>(1));
      guards_.push_back(asio::make_work_guard(*ios_.back()));
      threads_.emplace_back([io = ios_.back().get()] { io->run(); });
    }
  }
  ~HostThreads() {
    guards_.clear();
    for (auto& io : ios_) io->stop();
    for (std::thread& thread : threads_) thread.join();
  }
  std::vector<asio::io_context*> ios() const {
    std::vector<asio::io_context*> ios;
    for (const auto& io : ios_) ios.push_back(io.get());
    return ios;
  }

 private:
  std::vector<std::unique_ptr<asio::io_context>> ios_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

// Ports that were free a moment ago, as names; the first dials the second.
std::pair<std::string, std::string> FreeNames() {
  asio::io_context io;
  const asio::ip::tcp::endpoint any(asio::ip::make_address("127.0.0.1"), 0);
  const asio::ip::tcp::acceptor a(io, any), b(io, any);
  std::string first = NameOf(a.local_endpoint().port());
  std::string second = NameOf(b.local_endpoint().port());
  if (!ShouldDial(first, second)) std::swap(first, second);
  return {first, second};
}

class HostLoops : public testing::Test {
 protected:
  void SetUp() override {
    std::tie(dialer_, acceptor_) = FreeNames();
    host_.emplace(2);
  }
  std::unique_ptr<Manager> New(const std::string& local, const std::string& peer) {
    ManagerOptions options = NodeOptions(local);
    options.io_contexts = host_->ios();
    auto manager = NewNode(options, peer);
    const auto port = manager->Listen(local.substr(7));
    EXPECT_TRUE(port.ok()) << port.status();
    return manager;
  }
  // Requests that are never answered in time to be of use: they end when the manager does.
  void StartRequests(Manager& from, const std::string& to, int count) {
    for (int i = 0; i < count; ++i) {
      ++started_;
      from.Connection(to).Request(kEchoHandler, AsBytes("x"), {.wait_for_ready = true},
                                  [this](const auto&) { ++completed_; });
    }
  }

  std::string dialer_, acceptor_;
  std::optional<HostThreads> host_;
  std::atomic<int> started_{0}, completed_{0};
};

TEST_F(HostLoops, StopInEitherOrderFromAnyThread_WithCallsInFlight) {
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    auto a = New(dialer_, acceptor_);
    auto b = New(acceptor_, dialer_);
    if (round % 4 != 3) {
      ASSERT_TRUE(Echo(*a, acceptor_).ok());
    }
    StartRequests(*a, acceptor_, 50);
    StartRequests(*b, dialer_, 50);
    Manager& first = round % 2 == 0 ? *a : *b;
    Manager& second = round % 2 == 0 ? *b : *a;
    std::thread stopping([&] { first.Stop(); });
    if (round < 4) {
      stopping.join();
      second.Stop();
    } else {
      // Both at once, and one of them from one of the threads that run it.
      std::promise<void> stopped;
      asio::post(*host_->ios()[1], [&] { second.StopAsync([&stopped] { stopped.set_value(); }); });
      stopped.get_future().wait();
      stopping.join();
    }
    // Of the managers' own completions none is left behind; of what they posted, the loops run it.
    EXPECT_TRUE(WaitFor([&] { return completed_ == started_; })) << completed_ << started_;
    EXPECT_EQ(a->Stats().total.outgoing_requests, 0u);
  }
}

TEST_F(HostLoops, AfterStopped_TheLoopsMayGo_AndHandlesStillAnswer) {
  auto a = New(dialer_, acceptor_);
  auto b = New(acceptor_, dialer_);
  ASSERT_TRUE(Echo(*a, acceptor_).ok());
  Connection peer = a->Connection(acceptor_);
  auto stream = peer.OpenStream(kEchoHandler, {}, {});
  std::promise<void> a_stopped, b_stopped;
  a->StopAsync([&] { a_stopped.set_value(); });
  b->StopAsync([&] { b_stopped.set_value(); });
  a_stopped.get_future().wait();
  b_stopped.get_future().wait();
  host_.reset();
  // No executor of its own: a thread of the system's.
  std::promise<absl::Status> completed;
  std::thread::id where;
  peer.Request(kEchoHandler, AsBytes("x"), {}, [&](const absl::StatusOr<Buffer>& reply) {
    where = std::this_thread::get_id();
    completed.set_value(reply.status());
  });
  EXPECT_EQ(completed.get_future().get().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(where, std::this_thread::get_id());
  EXPECT_FALSE(peer.OpenStream(kEchoHandler, {}, {}).ok());
  EXPECT_EQ(peer.state(), ConnectionState::kShutdown);
  EXPECT_FALSE(
      peer.WaitConnected(std::chrono::milliseconds(1), boost::asio::use_future).get().ok());
  EXPECT_EQ(a->Listen("127.0.0.1:0").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(a->AddPeer("http://127.0.0.1:1").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(a->Start().code(), absl::StatusCode::kFailedPrecondition);
  a->Stop();
  a.reset();
  EXPECT_EQ(peer.host(), acceptor_);
  EXPECT_EQ(peer.Request(kEchoHandler, {}, {}, boost::asio::use_future).get().status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(HostLoops, NeverStarted_CanBeUsedAndGoes) {
  ManagerOptions options = NodeOptions(dialer_);
  options.io_contexts = host_->ios();
  auto manager = NewNode(options, acceptor_, false);
  Connection peer = manager->Connection(acceptor_);
  EXPECT_EQ(peer.Request(kEchoHandler, {}, {}, boost::asio::use_future).get().status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(manager->Listen("127.0.0.1:0").status().code(), absl::StatusCode::kFailedPrecondition);
  StartRequests(*manager, acceptor_, 3);
  bool stopped = false;
  manager->StopAsync([&] { stopped = true; });
  EXPECT_TRUE(stopped);
  EXPECT_TRUE(WaitFor([&] { return completed_ == 3; }));
  manager.reset();
  auto untouched = std::make_unique<Manager>(options);
  untouched.reset();
}

TEST_F(HostLoops, SeveralManagersShareThem_AndOneStopsAlone) {
  auto a = New(dialer_, acceptor_);
  auto b = New(acceptor_, dialer_);
  auto [other_dialer, other_acceptor] = FreeNames();
  auto c = New(other_dialer, other_acceptor);
  auto d = New(other_acceptor, other_dialer);
  ASSERT_TRUE(Echo(*a, acceptor_).ok());
  ASSERT_TRUE(Echo(*c, other_acceptor).ok());
  a->Stop();
  EXPECT_TRUE(Echo(*c, other_acceptor).ok());
  a = nullptr;
  b->Stop();
  EXPECT_TRUE(Echo(*d, other_dialer).ok());
  c->Stop();
  d->Stop();
}

// --- A dial that nobody answers ---

class SlowDial : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(OwnThreads, SlowDial, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(HostsThreads, SlowDial, testing::Values(true));

TEST_P(SlowDial, IsGivenUpAtOnce) {
  std::optional<HostThreads> host;
  RawServer server;
  const std::string name = NameFor(server.url());
  ManagerOptions options = NodeOptions(name);
  options.timeouts.dial = seconds(600);
  if (GetParam()) {
    host.emplace(2);
    options.io_contexts = host->ios();
  }
  auto manager = NewNode(options, server.url());
  RawSocket first = server.Accept();
  first.ReadUntil("\r\n\r\n");
  // By the removal of the peer, and by Stop.
  const auto start = steady_clock::now();
  ASSERT_TRUE(manager->RemovePeer(server.url()).ok());
  EXPECT_EQ(first.ReadAll(), "");
  ASSERT_TRUE(manager->AddPeer(server.url()).ok());
  RawSocket second = server.Accept();
  second.ReadUntil("\r\n\r\n");
  manager->Stop();
  // With the host's threads nothing of it is left on them.
  host.reset();
  EXPECT_EQ(second.ReadAll(), "");
  EXPECT_LT(steady_clock::now() - start, seconds(15));
}

TEST_P(SlowDial, InTheMiddleOfTls_IsGivenUpAtOnce) {
  std::optional<HostThreads> host;
  RawServer server;
  const std::string url = NameOf(server.port(), true);
  ManagerOptions options = NodeOptions(NameFor(url));
  options.timeouts.dial = seconds(600);
  if (GetParam()) {
    host.emplace(1);
    options.io_contexts = host->ios();
  }
  auto manager = NewNode(options, url);
  RawSocket silent = server.Accept();
  silent.Read(5);
  manager->Stop();
  host.reset();
  silent.ReadAll();
}

constexpr SingleHandler<int, int> kHop{HandlerId{20}};
constexpr StreamHandler<int, int, int> kScale{HandlerId{21}, {.in = 4, .out = 4}};

// Two connected nodes; `add` registers handlers with the one that accepts.
struct TwoNodes {
  explicit TwoNodes(const std::function<void(Manager&)>& add) {
    const auto [first, second] = FreeNames();
    server = NewNode(NodeOptions(second), first, false);
    add(*server);
    EXPECT_TRUE(server->Start().ok());
    EXPECT_TRUE(server->Listen(second.substr(7)).ok());
    client = NewNode(NodeOptions(first), second);
    peer = client->Connection(second);
    EXPECT_TRUE(Echo(*client, second).ok());
  }
  std::unique_ptr<Manager> server, client;
  Connection peer;
};

// The handler's coroutine leaves the I/O thread and returns elsewhere, at once or later.
TEST(TypedHandlers, CoroutineThatEndsOnAnotherThread_Answers) {
  asio::thread_pool pool(2);
  TwoNodes nodes([&](Manager& server) {
    const auto hop = [&pool](int number, RequestContext&) -> asio::awaitable<absl::StatusOr<int>> {
      auto elsewhere = asio::bind_executor(pool.get_executor(), asio::use_awaitable);
      co_await asio::post(elsewhere);
      co_return number + 1;
    };
    EXPECT_TRUE(kHop.Register(server, hop).ok());
  });
  std::vector<std::future<absl::StatusOr<int>>> replies;
  for (int i = 0; i < 2'000; ++i) {
    replies.push_back(kHop.Call(nodes.peer, i, {}, asio::use_future));
  }
  for (int i = 0; i < 2'000; ++i) {
    const absl::StatusOr<int> reply = replies[static_cast<size_t>(i)].get();
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(*reply, i + 1);
  }
  nodes.server->Stop();
  pool.join();
}

TEST(TypedHandlers, StreamOnTheWorkerPool_BlocksAtBothEnds) {
  TwoNodes nodes([](Manager& server) {
    const auto scale = [](int factor, TypedStream<int, int>& stream, RequestContext&) {
      return stream.ResultsBlocking(
          [&](int number) { return stream.WriteBlocking(factor * number); });
    };
    EXPECT_TRUE(kScale.Register(server, scale).ok());
  });
  auto stream = kScale.Open(nodes.peer, 3);
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(stream->WriteBlocking(i).ok());
    stream->CloseSend();
  });
  int next = 0;
  const absl::Status ended = stream->ResultsBlocking([&](int number) {
    EXPECT_EQ(number, 3 * next++);
    return absl::OkStatus();
  });
  writer.join();
  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(next, 100);
}

}  // namespace
}  // namespace grid::live
