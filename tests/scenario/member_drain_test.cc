// Members that others ask to drain.
#include <gtest/gtest.h>

#include "handlers/delivery.h"
#include "tests/scenario/actor_mesh.h"

namespace grid::actors_test {
namespace {

class MemberDrainTest : public ActorMesh {
 protected:
  // As node `from` sees it; down where it does not.
  MemberState StateOf(int from, int member) {
    const auto view = nodes_[from].members->View();
    const Member* const found = view->Find(cluster().name(member));
    return found != nullptr ? found->state : MemberState::kDown;
  }
  bool Sees(int from, int member, MemberState state) {
    return cluster().RunUntil([&] { return StateOf(from, member) == state; }, seconds(60));
  }
  // `from` asks `member`.
  absl::StatusOr<uint64_t> Drain(int from, int member) {
    testing::Probe<absl::StatusOr<uint64_t>> done("DrainMember");
    DrainMember(cluster().manager(from).Connection(cluster().name(member)), seconds(10),
                done.Handler());
    return Await(done);
  }
  absl::StatusOr<StartResult> StartDemo(int from, std::string_view name, Placement placement) {
    testing::Probe<absl::StatusOr<StartResult>> done("Start");
    StartRequest request{.name = N(name), .placement = std::move(placement)};
    nodes_[from].starter->Start(std::move(request), done.Handler());
    return Await(done);
  }
};

TEST_F(MemberDrainTest, PlacementAndResolversSkipIt_AndItsActorsRunOn) {
  Make();
  ASSERT_TRUE(Sees(1, 2, MemberState::kUp) && Sees(1, 3, MemberState::kUp));
  ASSERT_TRUE(StartDemo(1, "r/demo/a", Placement::On(cluster().name(2))).ok());
  ASSERT_TRUE(StartDemo(1, "r/demo/b", Placement::On(cluster().name(3))).ok());
  const absl::StatusOr<uint64_t> marked = Drain(1, 2);
  ASSERT_TRUE(marked.ok()) << marked.status();
  EXPECT_EQ(*marked, 1u);
  EXPECT_TRUE(Sees(1, 2, MemberState::kLeaving));
  for (int i = 0; i < 10; ++i) {
    const auto started = StartDemo(1, "r/demo/n" + std::to_string(i), Placement::Spread());
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_NE(started->member, cluster().name(2));
  }
  // Its actor is left out as long as there are others, and answers whoever means it.
  const Recipients all = At(1).To(Under("r/demo"), Routing::Random());
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Answer<int64_t>> answer = CallAdd(all, 1);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_NE(answer->from.member, cluster().name(2));
  }
  EXPECT_TRUE(CallAdd(At(1).To(Only("r/demo/a")), 1).ok());
  EXPECT_EQ(At(2).Residents().size(), 1u);
  // Who has not heard of it is refused, and may try elsewhere.
  testing::Probe<internal::StartAnswer> late("Start");
  nodes_[2].kinds->Start({.name = N("r/demo/late")},
                         Completion<internal::StartAnswer>(late.Handler()));
  const absl::Status refused = StatusOf(Await(late), cluster().name(2));
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(IsSafeToRetry(refused)) << refused;
  EXPECT_EQ(*Drain(3, 2), 1u);  // again, to no further effect
}

TEST_F(MemberDrainTest, AClientIsRefused) {
  Make({.nodes = 4, .clients = {3}});
  ASSERT_TRUE(Sees(2, 1, MemberState::kUp));
  const absl::Status refused = Drain(3, 1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);
  cluster().RunFor(seconds(5));
  EXPECT_EQ(StateOf(2, 1), MemberState::kUp);
}

TEST_F(MemberDrainTest, WhatIsGoneRefuses) {
  Make();
  nodes_[2].drain.reset();
  const absl::Status gone = Drain(1, 2).status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(IsSafeToRetry(gone)) << gone;
}

}  // namespace
}  // namespace grid::actors_test
