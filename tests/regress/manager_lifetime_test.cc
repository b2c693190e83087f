// What once outlived its manager, was used after it, or was never completed by it.
#include <gtest/gtest.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "grid/manager.h"
#include "grid/runtime/handshake.h"
#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr HandlerId kEcho{78};
constexpr HandlerId kEndsInCancel{91};

using Reply = absl::StatusOr<Buffer>;

ManagerOptions OnLoop(const testing::Cluster& cluster, asio::io_context& io,
                      const std::shared_ptr<Clock>& clock) {
  ManagerOptions options;
  options.local = cluster.name(0);
  options.clock = clock;
  options.log = NullLog();
  options.io_contexts = {&io};
  options.worker_executor = io.get_executor();
  return options;
}

TEST(ManagerLifetimeTest, HandlersThatOwnAConnection_GoWithTheManager) {
  const auto owned = std::make_shared<int>(0);
  {
    testing::Cluster cluster({.setup = [&](int node, Manager& manager) {
      Connection other = manager.Connection("http://node" + std::to_string(1 - node) + ":9000");
      ASSERT_TRUE(manager
                      .RegisterSingle({.id = kEcho},
                                      [owned, other](BytesView, RequestContext&) -> Reply {
                                        return Buffer::CopyOf(AsBytes(other.host()));
                                      })
                      .ok());
    }});
    ASSERT_TRUE(cluster.StartAll());
    ASSERT_TRUE(cluster.Call(0, 1, kEcho, {}).ok());
    // A handle that the program keeps does not keep the handlers.
    const Connection kept = cluster.Peer(0, 1);
    cluster.Stop(0);
    cluster.Stop(1);
    EXPECT_EQ(owned.use_count(), 1);
  }
}

TEST(ManagerLifetimeTest, StreamThatOutlivesTheHostsIoContext_FailsWithAStatus) {
  testing::Cluster cluster;  // for its names and clock
  auto io = std::make_unique<asio::io_context>();
  auto network = std::make_unique<testing::MemoryNetwork>(cluster.shared_clock());
  ManagerOptions options = OnLoop(cluster, *io, cluster.shared_clock());
  options.network = network->Host(options.local);
  std::optional<Stream> stream;
  {
    Manager manager(options);
    ASSERT_TRUE(manager.AddPeer(cluster.name(1)).ok());
    ASSERT_TRUE(manager.Start().ok());
    absl::StatusOr<Stream> opened =
        manager.Connection(cluster.name(1)).OpenStream(kEcho, {}, {.wait_for_ready = true});
    ASSERT_TRUE(opened.ok());
    stream = *std::move(opened);
    bool stopped = false;
    manager.StopAsync([&] { stopped = true; });
    io->poll();
    ASSERT_TRUE(stopped);
  }
  network.reset();
  io.reset();
  // On a loop, so that the question whether it is the manager's has to be answered.
  asio::io_context other;
  asio::post(other, [&] {
    EXPECT_FALSE(stream->ReadBlocking().ok());
    EXPECT_FALSE(stream->WriteBlocking(AsBytes("x")).ok());
  });
  other.run();
}

// A thread of the system's in between would be one more that uses the handler's executor, and that
// nobody can wait for.
TEST(ManagerLifetimeTest, CallAfterTheEnd_IsToldByTheCallerOnTheHandlersExecutor) {
  testing::Cluster cluster;
  ASSERT_TRUE(cluster.StartAll());
  const Connection gone = cluster.Peer(0, 1);
  cluster.Stop(0);
  asio::io_context own;
  int told = 0;
  const auto tell = [&told](const auto& reply) {
    EXPECT_FALSE(reply.ok());
    ++told;
  };
  gone.Request(kEcho, {}, {}, asio::bind_executor(own, tell));
  gone.WaitConnected(seconds(1), asio::bind_executor(own, tell));
  Connection().Request(kEcho, {}, {}, asio::bind_executor(own, tell));
  Connection().WaitConnected(seconds(1), asio::bind_executor(own, tell));
  EXPECT_EQ(told, 0);
  EXPECT_EQ(own.poll(), 4u);
  EXPECT_EQ(told, 4);
}

TEST(ManagerLifetimeTest, RequestThatWaitsSinceBeforeStart_EndsAtItsDeadline) {
  testing::Cluster cluster({.nodes = 2});
  asio::io_context io;
  testing::MemoryNetwork network(cluster.shared_clock());
  for (const bool first_dials : {true, false}) {
    const auto names = testing::NamesForDialDirection(first_dials);
    ManagerOptions options = OnLoop(cluster, io, cluster.shared_clock());
    options.local = names[0];
    options.network = network.Host(names[0]);
    auto manager = std::make_unique<Manager>(options);
    ASSERT_TRUE(manager->AddPeer(names[1]).ok());
    testing::Probe<Reply> reply("waiting request");
    manager->Connection(names[1]).Request(
        kEcho, {}, {.timeout = seconds(3), .wait_for_ready = true}, reply.Handler());
    ASSERT_TRUE(manager->Start().ok());
    EXPECT_TRUE(testing::RunUntil(
        io, cluster.clock(), [&] { return reply.done(); }, seconds(4), nullptr));
    if (reply.done()) {
      EXPECT_EQ(reply.value().status().code(), absl::StatusCode::kDeadlineExceeded);
    }
    bool stopped = false;
    manager->StopAsync([&] { stopped = true; });
    EXPECT_TRUE(testing::RunUntil(
        io, cluster.clock(), [&] { return stopped; }, seconds(4), nullptr));
  }
}

TEST(ManagerLifetimeTest, WaitConnected_CanBeCancelled) {
  testing::Cluster cluster({.nodes = 2});
  ASSERT_TRUE(cluster.Start(0).ok());
  asio::cancellation_signal signal;
  testing::Probe<absl::Status> connected("WaitConnected");
  cluster.Peer(0, 1).WaitConnected(
      std::chrono::hours(24 * 365 * 1000),  // as good as for ever
      asio::bind_cancellation_slot(signal.slot(), connected.Handler()));
  cluster.RunFor(seconds(3));
  EXPECT_FALSE(connected.done());
  signal.emit(asio::cancellation_type::terminal);
  cluster.RunFor(milliseconds(1));
  ASSERT_TRUE(connected.done());
  EXPECT_EQ(connected.value().code(), absl::StatusCode::kCancelled);
}

// A cancellation callback that resumes the handler's coroutine right there, as one that is waiting
// for nothing but the cancellation may.
TEST(ManagerLifetimeTest, CoroutineThatEndsInsideItsCancellation) {
  int ended = 0;
  testing::Cluster cluster({.setup = [&](int, Manager& manager) {
    ASSERT_TRUE(
        manager
            .RegisterSingle(
                {.id = kEndsInCancel},
                SingleCoroutine([&](Buffer, RequestContext& context) -> asio::awaitable<Reply> {
                  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
                      [&context](auto resume) {
                        auto shared = std::make_shared<decltype(resume)>(std::move(resume));
                        context.OnCancel([shared] { std::move (*shared)(); });
                      },
                      asio::use_awaitable);
                  ++ended;
                  co_return context.cancellation();
                }))
            .ok());
  }});
  ASSERT_TRUE(cluster.StartAll());
  // By the deadline, by the caller, and by the end of the connection.
  testing::Probe<Reply> late("late");
  cluster.Peer(0, 1).Request(kEndsInCancel, {}, {.timeout = milliseconds(20)}, late.Handler());
  asio::cancellation_signal signal;
  testing::Probe<Reply> cancelled("cancelled");
  cluster.Peer(0, 1).Request(kEndsInCancel, {}, {},
                             asio::bind_cancellation_slot(signal.slot(), cancelled.Handler()));
  testing::Probe<Reply> lost("lost");
  cluster.Peer(0, 1).Request(kEndsInCancel, {}, {}, lost.Handler());
  cluster.RunFor(milliseconds(100));
  EXPECT_EQ(ended, 1);
  signal.emit(asio::cancellation_type::terminal);
  cluster.RunFor(milliseconds(100));
  EXPECT_EQ(ended, 2);
  cluster.Sever(0, 1);
  cluster.RunFor(milliseconds(100));
  EXPECT_EQ(ended, 3);
}

// --- A transport that does what the test says ---

class ScriptedTransport final : public Transport {
 public:
  explicit ScriptedTransport(ScriptedTransport** self) : self_(self) { *self_ = this; }
  ~ScriptedTransport() override { *self_ = nullptr; }
  void Start(TransportHandler* handler) override { handler_ = handler; }
  void SetHandler(TransportHandler* handler) override { handler_ = handler; }
  void SetMaxMessageBytes(size_t) override {}
  bool Write(MutableBytes) override { return false; }
  void Close(CloseCode, std::string_view) override {}
  uint64_t write_progress() const override { return 0; }
  const std::string& remote_address() const override { return empty_; }
  const std::string& tls_subject() const override { return empty_; }
  TransportHandler& handler() { return *handler_; }

 private:
  ScriptedTransport** const self_;
  const std::string empty_;
  TransportHandler* handler_ = nullptr;
};

class ScriptedNetwork final : public Network {
 public:
  void Dial(DialRequest request, absl::AnyInvocable<void(DialResult)> done) override {
    ++dials;
    asio::post(*request.io, [this, done = std::move(done)]() mutable {
      done(std::make_unique<ScriptedTransport>(&transport));
    });
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen(ListenRequest) override {
    return absl::UnimplementedError("no listening");
  }

  int dials = 0;
  ScriptedTransport* transport = nullptr;  // the last one, while it lives
};

class ScriptedDialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto names = testing::NamesForDialDirection(true);
    ManagerOptions options;
    options.local = names[0];
    options.clock = clock_;
    options.log = NullLog();
    options.io_contexts = {&io_};
    options.worker_executor = io_.get_executor();
    options.network = network_;
    manager_.emplace(options);
    host_ = names[1];
    ASSERT_TRUE(manager_->AddPeer(host_).ok());
    ASSERT_TRUE(manager_->Start().ok());
    ASSERT_TRUE(testing::RunUntil(
        io_, *clock_, [&] { return network_->transport != nullptr; }, seconds(1), nullptr));
    testing::Drain(io_);
  }
  void TearDown() override {
    bool stopped = false;
    manager_->StopAsync([&] { stopped = true; });
    EXPECT_TRUE(testing::RunUntil(
        io_, *clock_, [&] { return stopped; }, seconds(5), nullptr));
  }
  // Inside an event of the loop, as a transport calls.
  void OnLoop(std::function<void(TransportHandler&)> event) {
    asio::post(io_, [this, event = std::move(event)] { event(network_->transport->handler()); });
  }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  const std::shared_ptr<ScriptedNetwork> network_ = std::make_shared<ScriptedNetwork>();
  asio::io_context io_;
  std::optional<Manager> manager_;
  std::string host_;
};

TEST_F(ScriptedDialTest, AnswerForARemovedPeer_LeavesTheTransportAHandler) {
  OnLoop([this](TransportHandler& handler) {
    ASSERT_TRUE(manager_->RemovePeer(host_).ok());
    const Buffer answer = EncodeConnectResponse({InstanceId{}, true, ""});
    handler.OnMessage(answer.view());  // the connection is handed over, and dropped
    // What the transport had in hand already comes all the same.
    network_->transport->handler().OnWritten();
    network_->transport->handler().OnClosed(CloseCause::kPeerClosed, "gone");
  });
  testing::Drain(io_);
  EXPECT_EQ(network_->transport, nullptr);
}

// The dialer goes between a refusal and the end of the connection that follows it.
TEST_F(ScriptedDialTest, RefusalAndThenTheEnd_CountAsOneFailure) {
  OnLoop([this](TransportHandler& handler) {
    handler.OnWritten();
    ASSERT_TRUE(manager_->RemovePeer(host_).ok());
    OnLoop([](TransportHandler& same) { same.OnClosed(CloseCause::kPeerClosed, "gone"); });
    const Buffer answer = EncodeConnectResponse({InstanceId{}, false, "no"});
    handler.OnMessage(answer.view());
  });
  testing::Drain(io_);
  EXPECT_EQ(network_->transport, nullptr);
}

}  // namespace
}  // namespace grid
