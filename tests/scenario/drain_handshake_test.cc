// Manager::Drain while connections are being made: whatever its peer has sent behind the handshake
// is refused or answered, never in doubt.
//
// A failure names its seed.
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "grid/testing/random.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

constexpr HandlerId kCount{112};  // counts how often it has run for the number in its payload
constexpr int kServer = 1;

// Node 0 calls node 1, which drains and starts again and again; node 0 dials, or is dialled.
class DrainHandshake : public ScenarioTest, public ::testing::WithParamInterface<bool> {
 protected:
  void MakeWorld(uint64_t seed) {
    executions_.clear();
    unanswered_ = 0;
    rejected_ = 0;
    testing::ClusterOptions options;
    options.names = testing::NamesForDialDirection(GetParam());
    options.seed = seed;
    options.interleave = seed % 2 == 0;
    // Some write so slowly that what they have written is answered before they know it.
    if (seed % 3 == 0) options.network.max_write = milliseconds(1);
    options.adjust = [](int, ManagerOptions& manager) {
      manager.timeouts.redial_min = milliseconds(1);
      manager.timeouts.redial_max = milliseconds(2);
    };
    options.setup = [this](int node, Manager& manager) {
      if (node != kServer) return;
      const SingleFunction count = [this](BytesView request, RequestContext&) -> Reply {
        uint32_t number = 0;
        std::memcpy(&number, request.data(), sizeof(number));
        ++executions_.at(number);
        return Buffer::CopyOf(request);
      };
      ASSERT_TRUE(manager.RegisterSingle({.id = kCount, .run_on = RunOn::kIoThread}, count).ok());
    };
    Make(options);
    for (int node : {0, 1}) ASSERT_TRUE(cluster().Start(node).ok());
  }

  // Leaves with the first connection there is, right behind its handshake.
  void StartCall() {
    executions_.push_back(0);
    ++unanswered_;
    Send(static_cast<uint32_t>(executions_.size() - 1));
  }

  std::vector<int> executions_;  // by call
  int unanswered_ = 0;
  int rejected_ = 0;

 private:
  void Send(uint32_t number) {
    std::string payload(sizeof(number), '\0');
    std::memcpy(payload.data(), &number, sizeof(number));
    cluster()
        .Peer(0, kServer)
        .Request(kCount, AsBytes(payload), {.wait_for_ready = true},
                 [this, number](const Reply& reply) {
                   if (reply.ok()) {
                     --unanswered_;
                     return;
                   }
                   ++rejected_;
                   ASSERT_TRUE(IsSafeToRetry(reply.status())) << reply.status();
                   cluster().Spawn(Again(number));
                 });
  }
  asio::awaitable<void> Again(uint32_t number) {
    co_await cluster().Sleep(microseconds(100));
    Send(number);
  }
};

INSTANTIATE_TEST_SUITE_P(CallerDials, DrainHandshake, ::testing::Bool());

TEST_P(DrainHandshake, WhereverItIsMet_NoCallIsLostOrRunTwice) {
  int rejected = 0;
  for (uint64_t seed = 1; seed <= 500 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::Random random(seed);
    MakeWorld(seed);
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 3; ++i) StartCall();
      // A handshake takes up to some 3 ms, the calls behind it one more.
      cluster().RunFor(random.Between(microseconds(0), microseconds(5'000)));
      const TimePoint begin = cluster().Now();
      cluster().StopGracefully(kServer, seconds(30));
      EXPECT_LE(cluster().Now() - begin, seconds(3));
      ASSERT_TRUE(cluster().Start(kServer).ok());
    }
    ASSERT_TRUE(cluster().RunUntil([this] { return unanswered_ == 0; }, seconds(20)))
        << cluster().LogText();
    for (size_t call = 0; call < executions_.size(); ++call) {
      ASSERT_EQ(executions_[call], 1) << "call " << call << "\n" << cluster().LogText();
    }
    rejected += rejected_;
  }
  EXPECT_GT(rejected, 0) << "no drain met a call";
}

// Something else is still running, so the drain goes on while the connection is made.
TEST_P(DrainHandshake, MadeWhileTheDrainGoesOn_ItDrainsAtOnce) {
  testing::ClusterOptions options;
  options.nodes = 3;
  options.names = testing::NamesForDialDirection(GetParam());
  options.names.push_back("http://node2:9000");
  Make(options);
  for (int node : {1, 2}) ASSERT_TRUE(cluster().Start(node).ok());
  ASSERT_TRUE(cluster().RunUntilConnected(1, 2));
  ReplyProbe slow("slow");
  cluster().Peer(2, 1).Request(kSleep, AsBytes("10000"), {}, slow.Handler());
  cluster().RunFor(milliseconds(10));
  bool stopped = false;
  cluster().manager(kServer).Drain(seconds(30), [&] { stopped = true; });

  ASSERT_TRUE(cluster().Start(0).ok());
  ReplyProbe waits("waits");
  cluster().Peer(0, 1).Request(kEcho, AsBytes("x"), {.wait_for_ready = true}, waits.Handler());
  ASSERT_TRUE(cluster().RunUntil([&] { return waits.done(); }, seconds(5)));
  EXPECT_EQ(waits.value().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DeliveryOf(waits.value().status()), Delivery::kRejected) << waits.value().status();
  EXPECT_EQ(Stats(0, 1).peer_draining, 1u);
  EXPECT_FALSE(stopped);
  ASSERT_TRUE(cluster().RunUntil([&] { return stopped; }, seconds(20)));
  EXPECT_TRUE(slow.value().ok()) << slow.value().status();
}

// A peer that never answers holds it up no longer than an attempt may take, nor than the limit.
TEST_P(DrainHandshake, ThatNeverEnds_IsCut) {
  for (const auto& [limit, most] : {std::pair(seconds(30), seconds(4)), {seconds(1), seconds(3)}}) {
    MakeWorld(1);
    ASSERT_TRUE(cluster().RunUntil(
        [&] { return cluster().network().Connections(cluster().name(0), cluster().name(1)) == 1; },
        seconds(1)));
    cluster().Stall(0, 1);
    const TimePoint begin = cluster().Now();
    cluster().StopGracefully(kServer, limit);
    EXPECT_LE(cluster().Now() - begin, most);
  }
}

}  // namespace
}  // namespace grid
