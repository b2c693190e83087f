// Connections that are lost, replaced, refused and made again.
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

// Node 0 dials node 1.
class ReconnectTest : public ScenarioTest {
 protected:
  void SetUp() override { Make({.names = testing::NamesForDialDirection(true)}); }
  void Start() { ASSERT_TRUE(cluster().StartAll()); }
  Duration Since(TimePoint start) { return cluster().Now() - start; }
};

TEST_F(ReconnectTest, Severed_EndsEverythingAtOnceAndConnectsAgain) {
  Start();
  cluster().RunFor(seconds(30));
  std::vector<ReplyProbe> probes(20);
  for (size_t i = 0; i < probes.size(); ++i) {
    const int from = i % 2 == 0 ? 0 : 1;
    cluster().Peer(from, 1 - from).Request(kHang, {}, {}, probes[i].Handler());
  }
  cluster().RunFor(milliseconds(10));
  const TimePoint start = cluster().Now();
  cluster().Sever(0, 1);
  cluster().RunFor(milliseconds(1));
  for (ReplyProbe& probe : probes) {
    ASSERT_TRUE(probe.done());
    EXPECT_TRUE(IsDisconnected(probe.value().status())) << probe.value().status();
    EXPECT_EQ(DeliveryOf(probe.value().status()), Delivery::kMaybeExecuted);
  }
  EXPECT_TRUE(IsDisconnected(cluster().Call(0, 1, kEcho, {}).status()));
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  // The last attempt began long ago: no pause.
  EXPECT_LE(Since(start), milliseconds(10));
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
  EXPECT_EQ(Text(cluster().Call(1, 0, kEcho, AsBytes("x"))), "x");
  EXPECT_EQ(Stats(0, 1).connects, 2u);
  EXPECT_EQ(Stats(0, 1).reconnects, 1u);
  EXPECT_EQ(record(0).hangs_cancelled, 10);
  EXPECT_EQ(record(1).hangs_cancelled, 10);
  ExpectIdle();
}

TEST_F(ReconnectTest, BetweenAttempts_OneToTwoSecondsPass) {
  ASSERT_TRUE(cluster().Start(0).ok());
  std::vector<Duration> pauses;
  TimePoint last = cluster().Now();
  uint64_t seen = 0;
  while (pauses.size() < 50) {
    ASSERT_TRUE(
        cluster().RunUntil([&] { return cluster().network().stats().dials > seen; }, seconds(10)));
    seen = cluster().network().stats().dials;
    if (seen > 1) pauses.push_back(Since(last));
    last = cluster().Now();
  }
  const auto [least, most] = std::minmax_element(pauses.begin(), pauses.end());
  EXPECT_GE(*least, seconds(1));
  EXPECT_LE(*most, milliseconds(2001));
  EXPECT_GT(*most - *least, milliseconds(300)) << "no jitter";
}

TEST_F(ReconnectTest, DialsThatHang_TakeNoLongerThanTheirTimeOut) {
  Start();
  cluster().Partition(0, 1);
  cluster().RunFor(seconds(25));  // the pings find out
  EXPECT_EQ(cluster().Peer(0, 1).state() == ConnectionState::kConnected, false);
  const uint64_t before = cluster().network().stats().dials;
  cluster().RunFor(seconds(60));
  const uint64_t dials = cluster().network().stats().dials - before;
  EXPECT_GE(dials, 25u);
  EXPECT_LE(dials, 31u);
  cluster().Heal(0, 1);
  EXPECT_TRUE(cluster().RunUntilConnected(0, 1, seconds(5)));
}

TEST_F(ReconnectTest, RefusedDials_AreLoggedOnceThenHourly) {
  ASSERT_TRUE(cluster().Start(0).ok());
  const auto lines = [&] { return cluster().log(0).Count(cluster().name(1), LogLevel::kWarning); };
  cluster().RunFor(minutes(59));
  EXPECT_EQ(lines(), 1u);
  EXPECT_EQ(cluster().Peer(0, 1).state(), ConnectionState::kConnectionError);
  cluster().RunFor(minutes(2));
  EXPECT_EQ(lines(), 2u);
  cluster().RunFor(minutes(59));
  EXPECT_EQ(lines(), 2u);
}

TEST_F(ReconnectTest, StalledPeer_IsDroppedByPingTimeoutAfterTwentySeconds) {
  Start();
  cluster().RunFor(seconds(1));
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kHang, {}, {.timeout = minutes(10)}, probe.Handler());
  cluster().RunFor(milliseconds(10));
  const TimePoint start = cluster().Now();
  cluster().Stall(0, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, minutes(2)));
  EXPECT_TRUE(IsDisconnected(probe.value().status())) << probe.value().status();
  EXPECT_GE(Since(start), seconds(18));
  EXPECT_LE(Since(start), seconds(31));
  cluster().RunFor(seconds(31));
  EXPECT_EQ(Drops(0, 1, "close-ping-timeout"), 1u);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
  cluster().Heal(0, 1);  // the old connection's end arrives now, and means nothing
  cluster().RunFor(seconds(5));
  EXPECT_TRUE(cluster().Connected(0, 1));
  EXPECT_EQ(Text(cluster().Call(1, 0, kEcho, AsBytes("x"))), "x");
  ExpectIdle();
}

TEST_F(ReconnectTest, IdleConnection_StaysByItsPings) {
  Start();
  cluster().RunFor(hours(1));
  const ConnectionStats stats = Stats(0, 1);
  EXPECT_EQ(stats.connects, 1u);
  EXPECT_GT(stats.round_trip.count(), 0);
  EXPECT_LT(stats.round_trip, milliseconds(2));
  EXPECT_GE(stats.since_last_pong, milliseconds(0));
  EXPECT_LE(stats.since_last_pong, seconds(11));
}

TEST_F(ReconnectTest, RestartedPeer_HasANewInstanceId) {
  Start();
  const std::string before = Text(cluster().Call(1, 0, kCaller, {}));
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kHang, {}, {}, probe.Handler());
  cluster().RunFor(milliseconds(10));
  cluster().Kill(1);
  cluster().RunFor(milliseconds(10));
  ASSERT_TRUE(probe.done());
  EXPECT_TRUE(IsDisconnected(probe.value().status()));
  EXPECT_TRUE(IsDisconnected(cluster().Call(0, 1, kEcho, {}).status()));
  cluster().RunFor(seconds(5));
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  const std::string after = Text(cluster().Call(1, 0, kCaller, {}));
  EXPECT_NE(before, after);
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
}

TEST_F(ReconnectTest, SeveredLink_KeepsTheInstanceId) {
  Start();
  const std::string before = Text(cluster().Call(1, 0, kCaller, {}));
  cluster().Sever(0, 1);
  cluster().RunFor(milliseconds(1));
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Text(cluster().Call(1, 0, kCaller, {})), before);
}

TEST_F(ReconnectTest, StoppedPeer_IsNoticedAtOnce) {
  Start();
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kHang, {}, {}, probe.Handler());
  cluster().RunFor(milliseconds(10));
  cluster().Stop(1);
  cluster().RunFor(seconds(2));
  ASSERT_TRUE(probe.done());
  EXPECT_TRUE(IsDisconnected(probe.value().status())) << probe.value().status();
}

// The dialler is gone without a trace, and comes back: the acceptor still believes in the old
// connection.
TEST_F(ReconnectTest, NewConnection_ReplacesTheOldOneAndEndsItsCallsFirst) {
  Start();
  ReplyProbe outgoing;
  cluster().Peer(1, 0).Request(kHang, {}, {}, outgoing.Handler());
  cluster().RunFor(milliseconds(10));
  cluster().Stall(0, 1);
  ASSERT_TRUE(cluster().Restart(0).ok());
  // Kill resets connections; this test wants the end of the old one to be lost, which Stall can't
  // do after a reset: what counts is that the calls have ended before the new connection serves.
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  ASSERT_TRUE(outgoing.done());
  EXPECT_TRUE(IsDisconnected(outgoing.value().status()));
  EXPECT_EQ(Text(cluster().Call(1, 0, kEcho, AsBytes("x"))), "x");
  cluster().RunFor(minutes(2));
  EXPECT_TRUE(cluster().Connected(0, 1));
  ExpectIdle();
}

TEST_F(ReconnectTest, AddPeer_ConnectsAtRunTimeAndRemovePeerEnds) {
  Make({.names = testing::NamesForDialDirection(true), .add_peers = false});
  ASSERT_TRUE(cluster().Start(0).ok());
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().manager(1).AddPeer(cluster().name(0)).ok());
  cluster().RunFor(seconds(5));
  EXPECT_EQ(cluster().network().stats().dials, 0u);
  ASSERT_TRUE(cluster().manager(0).AddPeer(cluster().name(1)).ok());
  EXPECT_EQ(cluster().manager(0).AddPeer(cluster().name(1)).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(cluster().manager(0).AddPeer(cluster().name(0)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(cluster().manager(0).AddPeer("ftp://x").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(cluster().manager(0).Peers(), std::vector<std::string>{cluster().name(1)});

  Connection old = cluster().Peer(0, 1);
  ReplyProbe running, after;
  old.Request(kHang, {}, {}, running.Handler());
  cluster().RunFor(milliseconds(10));
  ASSERT_TRUE(cluster().manager(0).RemovePeer(cluster().name(1)).ok());
  EXPECT_EQ(cluster().manager(0).RemovePeer(cluster().name(1)).code(), absl::StatusCode::kNotFound);
  cluster().RunFor(seconds(2));
  ASSERT_TRUE(running.done());
  EXPECT_TRUE(IsDisconnected(running.value().status())) << running.value().status();
  old.Request(kEcho, {}, {}, after.Handler());
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(after.done());
  EXPECT_FALSE(after.value().ok());
  EXPECT_EQ(old.state(), ConnectionState::kShutdown);
  EXPECT_NE(cluster().Peer(1, 0).state(), ConnectionState::kConnected);

  ASSERT_TRUE(cluster().manager(0).AddPeer(cluster().name(1)).ok());
  EXPECT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("back"))), "back");
}

}  // namespace
}  // namespace grid
