// Rows of the table "their word, here" (grid/actor/README.md, Tests), on a mesh in memory: what
// brings actors to life, and who is a member.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/scenario/actor_mesh.h"

namespace grid::actors_test {
namespace {

using RowsTest = ActorMesh;

// A leader is a kind of which there is one: its name is exclusive, and its token ends before the
// name can pass on.
TEST_F(RowsTest, RowLeaderSingleton_OneAtATime_AndAnotherWhenItsNodeDies) {
  Make({.nodes = 5});
  PatrolFrom({1, 2, 3, 4}, 1);
  const auto holder = [&] {
    testing::Probe<absl::StatusOr<Resolution>> found("Resolve");
    nodes_[0].names.directory->Resolve(Only("r/demo/0"), seconds(5), found.Handler());
    absl::StatusOr<Resolution> resolution = Await(found);
    return resolution.ok() && !resolution->entries.empty() ? resolution->entries[0]
                                                           : Entry{N("r/k/none")};
  };
  ASSERT_TRUE(cluster().RunUntil(
      [&] {
        return At(1).Residents().size() + At(2).Residents().size() + At(3).Residents().size() +
                   At(4).Residents().size() ==
               1;
      },
      seconds(30)));
  cluster().RunFor(seconds(5));
  for (int round = 0; round < 3; ++round) {
    const Entry leader = holder();
    ASSERT_EQ(leader.name, N("r/demo/0"));
    EXPECT_TRUE(CallStatus(At(0).To(Only("r/demo/0")), kEcho, Text{.text = "?"}).ok());
    int node = 1;
    while (cluster().name(node) != leader.member) ++node;
    Kill(node);
    const TimePoint killed = cluster().Now();
    Entry next = leader;
    while (next.epoch == leader.epoch || next.name != leader.name) {
      ASSERT_LT(cluster().Now() - killed, seconds(60)) << "round " << round;
      cluster().RunFor(seconds(1));
      next = holder();
    }
    EXPECT_GT(next.epoch, leader.epoch);
    // Neither the name nor, if it was the same node, the patrol passes on before the lease has.
    EXPECT_GE(cluster().Now() - killed, seconds(10));
  }
}

TEST_F(RowsTest, RowActorStartOnAPeer_IsAKindStartedOnAMember) {
  Make();
  cluster().RunFor(seconds(5));  // until the members know each other
  for (const int peer : {2, 1}) {
    testing::Probe<absl::StatusOr<StartResult>> started("Start");
    const std::string name = "r/demo/x" + std::to_string(peer);
    nodes_[3].starter->Start({.name = N(name), .placement = Placement::On(cluster().name(peer))},
                             started.Handler());
    const absl::StatusOr<StartResult> result = Await(started);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->member, cluster().name(peer));
    EXPECT_EQ(At(peer).Residents().size(), 1u);
    EXPECT_TRUE(CallAdd(At(0).To(Only(name)), 1).ok());
  }
}

TEST_F(RowsTest, RowPatrol_StartsWhatIsMissing_DrainsWhatIsTooMany) {
  Make();
  cluster().RunFor(seconds(5));
  const auto running = [&] {
    return At(0).Residents().size() + At(1).Residents().size() + At(2).Residents().size() +
           At(3).Residents().size();
  };
  PatrolFrom({1}, 6);
  EXPECT_TRUE(cluster().RunUntil([&] { return running() == 6; }, seconds(60)));
  cluster().RunFor(seconds(10));
  EXPECT_EQ(running(), 6u);
  nodes_[1].patrol->SetCount(Activation::Count(2).count());
  EXPECT_TRUE(cluster().RunUntil([&] { return running() == 2; }, seconds(120)));
  cluster().RunFor(seconds(10));
  EXPECT_EQ(Gather(At(0).To(Under("r/demo"), Routing::All()), "?").succeeded(),
            (std::vector<Name>{N("r/demo/0"), N("r/demo/1")}));
}

// Virtual actors and grains are brought to life by whoever needs them; of those who do so at once
// one starts it, the others are told where it runs.
TEST_F(RowsTest, RowKindAndIdentity_TwoStartersAtOnce_OneActor) {
  Make();
  cluster().RunFor(seconds(5));
  for (int round = 0; round < 10; ++round) {
    const Name name = N("r/demo/user-" + std::to_string(round));
    std::vector<std::unique_ptr<testing::Probe<absl::StatusOr<StartResult>>>> starts;
    for (const int from : {1, 2, 3}) {
      starts.push_back(std::make_unique<testing::Probe<absl::StatusOr<StartResult>>>("Start"));
      nodes_[from].starter->Start({.name = name, .placement = Placement::Random()},
                                  starts.back()->Handler());
    }
    std::vector<StartResult> results;
    for (auto& start : starts) {
      absl::StatusOr<StartResult> result = Await(*start);
      ASSERT_TRUE(result.ok()) << result.status();
      results.push_back(*std::move(result));
    }
    int started = 0;
    for (const StartResult& result : results) {
      started += result.already_running ? 0 : 1;
      EXPECT_EQ(result.member, results[0].member);
      EXPECT_EQ(result.epoch, results[0].epoch);
    }
    EXPECT_EQ(started, 1);
    int64_t calls = 0;
    for (const int from : {0, 1, 2, 3}) {
      const absl::StatusOr<Answer<int64_t>> answer = CallAdd(At(from).To(Selector::Of({name})), 1);
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_EQ(answer->value, ++calls) << "all of them reach the same actor";
      EXPECT_EQ(answer->from.member, results[0].member);
    }
  }
}

// What is declared down loses its names; the process joins again, and works on as another
// incarnation.
TEST_F(RowsTest, RowBlockList_AnIncarnationLosesItsActors_ItsAddressIsWelcomeAgain) {
  Make();
  PatrolFrom({1, 2, 3}, 3);
  const auto all_run = [&] {
    return Gather(At(0).To(Under("r/demo"), Routing::All(), Once()), "?").succeeded().size() == 3;
  };
  cluster().RunFor(seconds(20));
  ASSERT_TRUE(all_run());
  const std::string blocked = cluster().name(2);
  const uint64_t incarnation = nodes_[0].members->View()->Find(blocked)->incarnation;
  testing::Probe<absl::Status> declared("DeclareDown");
  nodes_[0].members->DeclareDown(blocked, incarnation, declared.Handler());
  EXPECT_TRUE(Await(declared).ok());
  ASSERT_TRUE(cluster().RunUntil(
      [&] {
        const Member* const member = nodes_[3].members->View()->Find(blocked);
        return member != nullptr && member->incarnation > incarnation &&
               member->state == MemberState::kUp;
      },
      seconds(5)));
  EXPECT_EQ(nodes_[2].members->Stats().renounced, 1u);
  for (const Entry& entry : At(2).Residents()) EXPECT_GT(entry.incarnation, incarnation);
  cluster().RunFor(seconds(20));
  EXPECT_TRUE(all_run()) << "the patrol has started them anew";
  for (const int node : {1, 3}) EXPECT_EQ(nodes_[node].members->Stats().renounced, 0u);
}

}  // namespace
}  // namespace grid::actors_test
