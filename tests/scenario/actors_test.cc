// Actors on a mesh in memory: names by a hosted directory, calls over connections, and what happens
// when members, connections and leases are lost.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/actor_mesh.h"

namespace grid::actors_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ActorsTest = ActorMesh;

TEST_F(ActorsTest, StartingAHeldNameSaysWhereItRuns_AndLeavesTheFirstAlive) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/a");
  ASSERT_TRUE(first.ok());
  for (const int node : {1, 2}) {
    const absl::StatusOr<ActorHandle> second = Start(node, "r/k/a");
    const auto holder = HolderOf(second.status());
    ASSERT_TRUE(holder.has_value()) << second.status();
    EXPECT_EQ(holder->member, cluster().name(1));
    EXPECT_EQ(holder->epoch, first->target().epoch);
  }
  EXPECT_TRUE(first->running());
  EXPECT_TRUE(CallAdd(At(3).To(Only("r/k/a")), 1).ok());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 0);
}

TEST_F(ActorsTest, AnActorThatMoves_IsFoundAgain_ByHandlesThatKnewTheOld) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/a");
  ASSERT_TRUE(first.ok());
  const Recipients to = At(3).To(Only("r/k/a"));
  ASSERT_TRUE(CallAdd(to, 1).ok());
  EXPECT_TRUE(Stop(*first).ok());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 1);
  const absl::StatusOr<ActorHandle> second = Start(2, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->target().epoch, first->target().epoch);
  const absl::StatusOr<Answer<int64_t>> answer = CallAdd(to, 2);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->from, second->target());
  EXPECT_EQ(answer->value, 2);
}

// Asks itself while it handles something else: the answer is given, and what waits for it goes on,
// inside the handler that gives it.
class SelfCaller final : public Actor {
 public:
  static constexpr MessageType<NoPayload> kInner{"self.inner"};
  static constexpr MessageType<int64_t, int64_t> kOuter{"self.outer"};

  explicit SelfCaller(int& runs) {
    On(kInner, [&runs](NoPayload, ActorContext&) {
      ++runs;
      return absl::OkStatus();
    });
    On(kOuter,
       [](int64_t times, ActorContext& context) -> asio::awaitable<absl::StatusOr<int64_t>> {
         const Recipients self = context.system().To(Selector::Of({context.name()}));
         for (int64_t i = 0; i < times; ++i) {
           const absl::StatusOr<Answer<NoPayload>> inner = co_await self.Call(kInner, {});
           if (!inner.ok()) co_return inner.status();
         }
         co_return times;
       });
  }
};

TEST_F(ActorsTest, AnActorThatAsksItself_RunsEachLetterOnce) {
  Make();
  int runs = 0;
  ActorOptions options;
  options.concurrency = 2;
  testing::Probe<absl::StatusOr<ActorHandle>> started("Start");
  At(1).Start(
      N("r/k/a"), [&runs] { return std::make_unique<SelfCaller>(runs); }, options,
      started.Handler());
  ASSERT_TRUE(Await(started).ok());
  const Recipients to = At(1).To(Only("r/k/a"));
  for (int64_t round = 1; round <= 3; ++round) {
    testing::Probe<absl::StatusOr<Answer<int64_t>>> answer("Call");
    to.Call(SelfCaller::kOuter, 5, answer.Handler());
    const absl::StatusOr<Answer<int64_t>> value = Await(answer);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(runs, 5 * round);
  }
  EXPECT_EQ(At(1).Stats().handled, 18u);
  EXPECT_EQ(At(1).Stats().no_reply, 0u);
}

// Those that nobody waits for know the mailbox of an actor of their own process.
TEST_F(ActorsTest, AnActorThatMoves_GetsSendsOnlyAsLongAsItIsThere) {
  Make();
  CallPolicy policy;
  policy.acknowledge = Acknowledgement::kDelivered;
  const Recipients to = At(1).To(Only("r/k/a"), {}, policy);
  const auto send = [&] {
    testing::Probe<absl::Status> sent("Send");
    to.Send(kAdd, Add{.by = 1}, sent.Handler());
    const absl::Status status = Await(sent);
    EXPECT_TRUE(status.ok()) << status;
    cluster().RunFor(milliseconds(1));
  };
  for (const int node : {1, 1, 2, 1}) {
    const absl::StatusOr<ActorHandle> actor = Start(node, "r/k/a");
    ASSERT_TRUE(actor.ok()) << actor.status();
    const int64_t before = SeenBy(node, "r/k/a").added;
    for (int i = 0; i < 4; ++i) send();
    EXPECT_EQ(SeenBy(node, "r/k/a").added, before + 4);
    EXPECT_TRUE(Stop(*actor).ok());
  }
  const ActorStats stats = At(1).Stats();
  EXPECT_EQ(stats.under_way, 0u);
  EXPECT_EQ(stats.sends, 16u);
}

// The same call over a connection that breaks while it runs: once, although it is tried again.
TEST_F(ActorsTest, ADeduplicatedCallRunsOnce_ThoughItsConnectionBreaks) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  CallPolicy policy;
  policy.attempts = 20;
  policy.deadline = seconds(60);
  policy.retry_maybe_executed = true;
  policy.deduplicate = std::chrono::minutes(2);
  const Recipients to = At(2).To(Only("r/k/a"), {}, policy);
  ASSERT_TRUE(CallAdd(to, 1).ok());
  int64_t expected = 1;
  for (int round = 0; round < 20; ++round) {
    testing::Probe<absl::StatusOr<Answer<int64_t>>> answer("Call");
    to.Call(kAdd, Add{.by = 1}, answer.Handler());
    cluster().RunFor(std::chrono::microseconds(150 * round));
    cluster().Sever(1, 2);
    const absl::StatusOr<Answer<int64_t>> value = Await(answer);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->value, ++expected);
    ASSERT_TRUE(cluster().RunUntilConnected(1, 2, seconds(60)));
  }
  EXPECT_EQ(SeenBy(1, "r/k/a").added, expected);
  EXPECT_GT(At(1).Stats().remembered, 0u);
}

TEST_F(ActorsTest, ALostLease_StopsAnExclusiveActor_AndTheProcessGoesOn) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/k/a");
  ASSERT_TRUE(actor.ok());
  testing::Probe<absl::Status> stopped("WaitStopped");
  actor->WaitStopped(stopped.Handler());
  cluster().Partition(0, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return SeenBy(1, "r/k/a").stopped == 1; }, seconds(20)));
  EXPECT_FALSE(actor->lease().valid());
  // Nobody has it until the lease has passed; then somebody else may.
  EXPECT_TRUE(HolderOf(Start(2, "r/k/a").status()).has_value());
  cluster().RunFor(seconds(10));
  const absl::StatusOr<ActorHandle> second = Start(2, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  cluster().Heal(0, 1);
  EXPECT_EQ(Await(stopped).code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(actor->running());
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1, seconds(60)));
  EXPECT_TRUE(Start(1, "r/k/b").ok());
  EXPECT_EQ(At(1).Stats().leases_lost, 1u);
  EXPECT_TRUE(second->running());
}

TEST_F(ActorsTest, ALostLease_OfASharedName_IsRegisteredAgain_AndItsActorGoesOn) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/k/a", {.holding = Holding::kShared});
  ASSERT_TRUE(actor.ok());
  const uint64_t epoch = actor->target().epoch;
  ASSERT_TRUE(CallAdd(At(2).To(Only("r/k/a")), 1).ok());
  cluster().Partition(0, 1);
  cluster().RunFor(seconds(20));
  EXPECT_FALSE(actor->lease().valid());
  cluster().Heal(0, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return actor->target().epoch > epoch; }, seconds(60)));
  const absl::StatusOr<Answer<int64_t>> answer = CallAdd(At(2).To(Only("r/k/a")), 1);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->value, 2);
  EXPECT_EQ(answer->from, actor->target());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 0);
  EXPECT_EQ(At(1).Stats().reclaimed, 1u);
  EXPECT_TRUE(Stop(*actor).ok());
}

TEST_F(ActorsTest, ALostLease_OfASharedName_ThatIsHeldExclusivelyByNow_StopsItsActor) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/k/a", {.holding = Holding::kShared});
  ASSERT_TRUE(actor.ok());
  testing::Probe<absl::Status> stopped("WaitStopped");
  actor->WaitStopped(stopped.Handler());
  cluster().Partition(0, 1);
  cluster().RunFor(seconds(100));  // longer than one Register waits
  EXPECT_TRUE(actor->running());
  ASSERT_TRUE(Start(2, "r/k/a").ok());
  cluster().Heal(0, 1);
  EXPECT_TRUE(Await(stopped).ok());
  EXPECT_FALSE(actor->running());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 1);
}

TEST_F(ActorsTest, AMemberThatDies_FailsItsCallsAsMaybeExecuted) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  const Recipients to = At(2).To(Only("r/k/a"), {}, Once());
  ASSERT_TRUE(CallAdd(to, 1).ok());
  testing::Probe<absl::StatusOr<Answer<Text>>> answer("Call");
  to.Call(kSleep, Text{}, answer.Handler());
  cluster().RunFor(milliseconds(100));
  Kill(1);
  EXPECT_EQ(DeliveryOf(Await(answer).status()), Delivery::kMaybeExecuted);
}

// The directory has nothing new to say of it: what tells is the connection.
TEST_F(ActorsTest, WhoCouldNotBeReachedIsInTheRotationAgain_OnceThereIsAConnection) {
  Make();
  for (const int node : {1, 2}) ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node)).ok());
  const Recipients to = At(3).To(Under("r/k"), Routing::RoundRobin());
  const auto answered = [&] {
    std::set<std::string> names;
    for (int i = 0; i < 4; ++i) {
      const absl::StatusOr<Answer<int64_t>> answer = CallAdd(to, 1);
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (answer.ok()) names.insert(answer->from.name.text());
    }
    return names;
  };
  const std::set<std::string> both = {"r/k/1", "r/k/2"};
  EXPECT_EQ(answered(), both);
  EXPECT_EQ(answered(), both);
  cluster().Partition(3, 2);
  cluster().RunFor(seconds(60));
  (void)answered();
  EXPECT_EQ(answered(), std::set<std::string>{"r/k/1"});
  cluster().Heal(3, 2);
  ASSERT_TRUE(cluster().RunUntilConnected(2, 3, seconds(120)));
  cluster().RunFor(seconds(1));
  EXPECT_EQ(answered(), both);
}

TEST_F(ActorsTest, CancellingACallReachesTheActor) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  for (const int from : {1, 2}) {
    asio::cancellation_signal signal;
    testing::Probe<absl::StatusOr<Answer<Text>>> answer("Call");
    At(from)
        .To(Only("r/k/a"))
        .Call(kSleep, Text{}, asio::bind_cancellation_slot(signal.slot(), answer.Handler()));
    cluster().RunFor(milliseconds(100));
    signal.emit(asio::cancellation_type::terminal);
    EXPECT_EQ(Await(answer).status().code(), absl::StatusCode::kCancelled);
  }
  cluster().RunFor(seconds(1));
  EXPECT_EQ(At(1).Stats().deliveries, 0u);
}

TEST_F(ActorsTest, AClientHostsNothing_AndCallsInSeveralRealms) {
  Make({.nodes = 4, .clients = {3}});
  ASSERT_TRUE(Start(1, "red/k/a").ok() && Start(2, "blue/k/a").ok());
  EXPECT_EQ(Start(3, "red/k/b").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CallAdd(At(3).To(Under("red")), 1).ok());
  EXPECT_TRUE(CallAdd(At(3).To(Under("blue")), 1).ok());
  EXPECT_EQ(SeenBy(1, "red/k/a").added, 1);
  EXPECT_EQ(SeenBy(2, "blue/k/a").added, 1);
}

TEST_F(ActorsTest, MaxActors_IsALimitThatIsNamed) {
  limits_.max_actors = 2;
  Make();
  ASSERT_TRUE(Start(1, "r/k/1").ok() && Start(1, "r/k/2").ok());
  const absl::Status refused = Start(1, "r/k/3").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_NE(std::string(refused.message()).find("max_actors"), std::string::npos);
  EXPECT_EQ(At(1).Stats().actor_limit, 1u);
}

}  // namespace
}  // namespace grid::actors_test
