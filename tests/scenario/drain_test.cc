// Manager::Drain between whole managers: what runs finishes, what comes is refused, nothing is
// lost.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <tuple>
#include <vector>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

constexpr HandlerId kUntilDrained{110};  // answers "told" once the server drains

asio::awaitable<Reply> UntilDrained(testing::Cluster& cluster, RequestContext& context) {
  asio::steady_timer wait(cluster.io(), asio::steady_timer::time_point::max());
  context.OnDrain([&wait] { wait.cancel(); });
  context.OnCancel([&wait] { wait.cancel(); });
  if (!context.draining()) co_await wait.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return Buffer::CopyOf(std::string_view(context.cancelled() ? "cancelled" : "told"));
}

// Node 1 drains, node 0 calls. Whether the caller, and the one that drains, offer `goaway`.
class DrainTest : public ScenarioTest,
                  public ::testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  static bool Both() { return std::get<0>(GetParam()) && std::get<1>(GetParam()); }

  void SetUp() override {
    testing::ClusterOptions options;
    options.names = testing::NamesForDialDirection(true);
    options.adjust = [](int node, ManagerOptions& manager) {
      manager.extensions.goaway = node == 0 ? std::get<0>(GetParam()) : std::get<1>(GetParam());
    };
    options.setup = [this](int, Manager& manager) {
      ASSERT_TRUE(manager
                      .RegisterSingle({.id = kUntilDrained},
                                      SingleCoroutine([this](Buffer, RequestContext& context) {
                                        return UntilDrained(cluster(), context);
                                      }))
                      .ok());
    };
    MakeAndStart(options);
  }

  void Drain(milliseconds limit = seconds(30)) {
    begun_ = cluster().Now();
    cluster().manager(1).Drain(limit, [this] { ++stopped_; });
  }
  bool RunUntilStopped(Duration limit = seconds(60)) {
    return cluster().RunUntil([this] { return stopped_ > 0; }, limit);
  }
  Duration Took() { return cluster().Now() - begun_; }

  TimePoint begun_;
  int stopped_ = 0;
};

TEST_P(DrainTest, WithNothingToDo_ItIsOverAtOnce) {
  Drain();
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_LE(Took(), seconds(2));
}

TEST_P(DrainTest, WhatRunsFinishes_AndIsTold) {
  ReplyProbe slow("slow"), told("told");
  cluster().Peer(0, 1).Request(kSleep, AsBytes("3000"), {}, slow.Handler());
  cluster().Peer(0, 1).Request(kUntilDrained, {}, {}, told.Handler());
  cluster().RunFor(milliseconds(10));
  Drain();
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_TRUE(slow.value().ok()) << slow.value().status();
  EXPECT_EQ(Text(told.value()), "told");
  EXPECT_GE(Took(), milliseconds(2900));
  EXPECT_LE(Took(), seconds(5));
}

TEST_P(DrainTest, NewCallsAreRejected_WhoeverRefuses) {
  ReplyProbe slow("slow");
  cluster().Peer(0, 1).Request(kSleep, AsBytes("3000"), {}, slow.Handler());
  cluster().RunFor(milliseconds(10));
  Drain();
  cluster().RunFor(milliseconds(10));
  const Reply refused = cluster().Call(0, 1, kEcho, AsBytes("x"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable) << refused.status();
  EXPECT_EQ(DeliveryOf(refused.status()), Delivery::kRejected);
  EXPECT_EQ(IsRemote(refused.status()), !Both());
  const auto stream = cluster().Peer(0, 1).OpenStream(kNumbers, AsBytes("3"), {});
  EXPECT_EQ(stream.ok(), !Both());
  if (!Both()) {
    cluster().RunFor(milliseconds(10));
  } else {
    EXPECT_EQ(DeliveryOf(stream.status()), Delivery::kRejected);
  }
  EXPECT_EQ(Drops(0, 1, "peer-draining"), Both() ? 2u : 0u);
  EXPECT_EQ(Drops(1, 0, "draining"), Both() ? 0u : 2u);
  EXPECT_EQ(Stats(0, 1).peer_draining, Both() ? 1u : 0u);
  EXPECT_EQ(cluster().manager(1).Stats().draining, 1u);
  // The other way round calls go on.
  EXPECT_EQ(Text(cluster().Call(1, 0, kEcho, AsBytes("x"))), "x");
  EXPECT_EQ(Stats(0, 1).connects, 1u);
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_TRUE(slow.value().ok());
  EXPECT_EQ(Drops(0, 1, "close-peer-drained"), Both() ? 1u : 0u);
}

TEST_P(DrainTest, StreamsSeeItAtBothEnds) {
  auto stream = cluster().Peer(0, 1).OpenStream(kStreamEcho, {}, {.has_input = true});
  ASSERT_TRUE(stream.ok());
  int told = 0;
  stream->OnDrain([&] { ++told; });
  cluster().RunFor(milliseconds(10));
  EXPECT_FALSE(stream->draining());
  Drain();
  cluster().RunFor(milliseconds(10));
  EXPECT_EQ(stream->draining(), Both());
  EXPECT_EQ(told, Both() ? 1 : 0);
  stream->OnDrain([&] { ++told; });
  EXPECT_EQ(told, Both() ? 2 : 0);
  // It goes on.
  testing::Probe<absl::Status> written("write");
  testing::Probe<ReadResult> read("read");
  stream->Write(AsBytes("still here"), written.Handler());
  stream->Read(read.Handler());
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(written.done() && read.done());
  EXPECT_TRUE(written.value().ok());
  EXPECT_EQ(stopped_, 0);
  stream->CloseSend();
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_LE(Took(), seconds(4));
}

TEST_P(DrainTest, AtTheLimit_WhatStillRunsIsCancelled) {
  ReplyProbe hang("hang");
  cluster().Peer(0, 1).Request(kHang, {}, {}, hang.Handler());
  cluster().RunFor(milliseconds(10));
  Drain(seconds(5));
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_GE(Took(), seconds(5));
  EXPECT_LE(Took(), seconds(7));
  cluster().RunFor(milliseconds(10));
  EXPECT_TRUE(IsDisconnected(hang.value().status())) << hang.value().status();
  EXPECT_EQ(DeliveryOf(hang.value().status()), Delivery::kMaybeExecuted);
  EXPECT_EQ(record(1).hangs_cancelled, 1);
}

TEST_P(DrainTest, AgainAddsOnlyItsCallback_AndStopCutsItShort) {
  ReplyProbe hang("hang");
  cluster().Peer(0, 1).Request(kHang, {}, {}, hang.Handler());
  cluster().RunFor(milliseconds(10));
  Drain(seconds(20));
  cluster().manager(1).Drain(milliseconds(1), [this] { ++stopped_; });
  cluster().RunFor(seconds(1));
  EXPECT_EQ(stopped_, 0);
  cluster().manager(1).StopAsync([this] { ++stopped_; });
  cluster().RunFor(seconds(2));
  EXPECT_EQ(stopped_, 3);
  cluster().manager(1).Drain(seconds(1), [this] { ++stopped_; });
  EXPECT_EQ(stopped_, 4);
}

TEST_P(DrainTest, WaitForReady_GetsTheNextConnection_WhereTheDrainIsKnown) {
  ReplyProbe slow("slow"), waits("waits");
  cluster().Peer(0, 1).Request(kSleep, AsBytes("2000"), {}, slow.Handler());
  cluster().RunFor(milliseconds(10));
  Drain();
  cluster().RunFor(milliseconds(10));
  cluster().Peer(0, 1).Request(kEcho, AsBytes("x"), {.wait_for_ready = true}, waits.Handler());
  auto stream = cluster().Peer(0, 1).OpenStream(kNumbers, AsBytes("3"), {.wait_for_ready = true});
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_EQ(waits.done(), !Both());
  cluster().Stop(1);
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  cluster().RunFor(milliseconds(10));
  ASSERT_TRUE(waits.done());
  if (Both()) {
    EXPECT_EQ(Text(waits.value()), "x");
  } else {
    EXPECT_EQ(DeliveryOf(waits.value().status()), Delivery::kRejected);
  }
  // What has restarted does not drain.
  EXPECT_EQ(Stats(0, 1).peer_draining, 0u);
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("y"))), "y");
}

TEST_P(DrainTest, AConnectionThatIsMadeMeanwhile_DrainsToo) {
  ReplyProbe hang("hang");
  cluster().Peer(0, 1).Request(kHang, {}, {}, hang.Handler());
  // Its own part goes on although nobody waits for it any more.
  ReplyProbe slow("slow");
  cluster().Peer(1, 0).Request(kSleep, AsBytes("100"), {}, slow.Handler());
  cluster().RunFor(milliseconds(10));
  Drain(seconds(20));
  cluster().RunFor(milliseconds(200));
  EXPECT_TRUE(slow.value().ok());
  cluster().Sever(0, 1);
  // Nothing runs any more.
  ASSERT_TRUE(RunUntilStopped());
  EXPECT_LE(Took(), seconds(5));
}

INSTANTIATE_TEST_SUITE_P(CallerAndDrained, DrainTest,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

// Three nodes keep calls in flight to a fourth, which drains and starts again and again.
class DrainUnderLoad : public ScenarioTest {
 protected:
  static constexpr HandlerId kCountOnce{111};
  static constexpr int kCallers = 3;
  static constexpr int kServer = 3;

  void SetUp() override {
    testing::ClusterOptions options;
    options.nodes = 4;
    options.setup = [this](int node, Manager& manager) {
      if (node != kServer) return;
      const SingleCoroutine count = [this](Buffer request,
                                           RequestContext&) -> asio::awaitable<Reply> {
        uint32_t id = 0;
        std::memcpy(&id, request.data(), sizeof(id));
        ++executions_[id];
        co_await cluster().Sleep(milliseconds(100 + id * 7919 % 900));
        co_return Buffer::CopyOf(request);
      };
      ASSERT_TRUE(manager.RegisterSingle({.id = kCountOnce}, count).ok());
    };
    MakeAndStart(options);
  }

  void StartNext() {
    const auto id = static_cast<uint32_t>(executions_.size());
    executions_.push_back(0);
    ++inflight_;
    Send(id);
  }

  void Send(uint32_t id) {
    std::string payload(sizeof(id), '\0');
    std::memcpy(payload.data(), &id, sizeof(id));
    // Every other call waits for a connection by itself, the rest are tried again.
    cluster()
        .Peer(static_cast<int>(id) % kCallers, kServer)
        .Request(kCountOnce, AsBytes(payload),
                 {.timeout = minutes(10), .wait_for_ready = id % 2 == 0},
                 [this, id](const Reply& reply) { Done(id, reply); });
  }

  void Done(uint32_t id, const Reply& reply) {
    if (reply.ok()) {
      --inflight_;
      ++answered_;
      if (!enough_) StartNext();
      return;
    }
    if (!IsSafeToRetry(reply.status())) {
      --inflight_;
      ++failed_;
      EXPECT_LE(failed_, 5) << reply.status();
      return;
    }
    ++retried_;
    cluster().Spawn(Again(id));
  }

  asio::awaitable<void> Again(uint32_t id) {
    co_await cluster().Sleep(milliseconds(250));
    Send(id);
  }

  std::vector<int> executions_;  // by call
  int inflight_ = 0;
  int answered_ = 0;
  int failed_ = 0;
  int retried_ = 0;
  bool enough_ = false;
};

TEST_F(DrainUnderLoad, NothingIsLostOrRunTwice) {
  constexpr int kInflight = 10'000;
  for (int i = 0; i < kInflight; ++i) StartNext();
  for (int round = 0; round < 10; ++round) {
    cluster().RunFor(milliseconds(300 + 37 * round));
    EXPECT_EQ(inflight_, kInflight);
    const TimePoint begin = cluster().Now();
    cluster().StopGracefully(kServer, seconds(30));
    EXPECT_LE(cluster().Now() - begin, seconds(3));
    ASSERT_TRUE(cluster().Start(kServer).ok());
    for (int caller = 0; caller < kCallers; ++caller) {
      ASSERT_TRUE(cluster().RunUntilConnected(caller, kServer)) << cluster().LogText();
    }
  }
  enough_ = true;
  ASSERT_TRUE(cluster().RunUntil([this] { return inflight_ == 0; }, minutes(1)));
  EXPECT_EQ(failed_, 0);
  EXPECT_GT(retried_, 0);
  EXPECT_EQ(answered_, static_cast<int>(executions_.size()));
  for (size_t id = 0; id < executions_.size(); ++id) {
    ASSERT_EQ(executions_[id], 1) << "call " << id;
  }
  RecordProperty("calls", answered_);
  RecordProperty("retried", retried_);
  ExpectIdle();
}

}  // namespace
}  // namespace grid
