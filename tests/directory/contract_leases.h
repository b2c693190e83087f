// The part of the contract (contract.h) that is about leases: members that are cut off, die and
// come back.
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_LEASES_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_LEASES_H_

#include "tests/directory/world.h"

namespace grid {

TEST_P(DirectoryContract, LostLease_IsAnEvent_TheTokenFiresAThirdOfTheLeaseEarly) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  const LeaseToken token = first->token();
  const uint64_t epoch = first->epoch(), incarnation = first->entry().incarnation;
  std::optional<TimePoint> fired;
  token.OnLost([&] { fired = world().Now(); });
  world().Cut(0);
  const TimePoint cut = world().Now();
  ASSERT_TRUE(world().RunUntil([&] { return fired.has_value(); }, lease()));
  EXPECT_LE(*fired - cut, lease() * 2 / 3 + milliseconds(100));
  EXPECT_FALSE(token.valid());
  EXPECT_EQ(token.why().code(), absl::StatusCode::kDeadlineExceeded);
  // Nobody else has it for another third.
  EXPECT_TRUE(HolderOf(Register(1, "r/k/a").status()).has_value());
  const Held second = RegisterOnceFree(1, "r/k/a", lease() * 2);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GE(world().Now() - *fired, lease() / 3 - milliseconds(100));
  EXPECT_LE(world().Now() - cut, lease() * 3 / 2);
  EXPECT_GT(second->epoch(), epoch);
  // The same process goes on, as a new incarnation.
  world().Heal(0);
  const Held again = Register(0, "r/k/b");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->entry().incarnation, incarnation);
  EXPECT_GT(again->epoch(), second->epoch());
  EXPECT_GE(At(0).Stats().lapsed, 1u);
  EXPECT_EQ(At(0).Stats().lost, 1u);
}

TEST_P(DirectoryContract, MemberThatComesBackInTime_LosesNothing) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().Cut(0);
  world().RunFor(lease() / 4);
  world().Heal(0);
  world().RunFor(lease() * 2);
  EXPECT_TRUE(held->token().valid());
  EXPECT_EQ(Names(1, Only("r/k/a")), "r/k/a");
}

// Its lease has not run out at the directory when it is back; the name it gave up is free at once.
TEST_P(DirectoryContract, MemberThatComesBackLate_HasGivenItsNamesUp) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().Cut(0);
  ASSERT_TRUE(world().RunUntil([&] { return !held->token().valid(); }, lease()));
  world().RunFor(milliseconds(20));
  world().Heal(0);
  Ready(0);
  EXPECT_FALSE(held->token().valid());
  const Held other = Register(1, "r/k/a");
  EXPECT_TRUE(other.ok()) << other.status();
}

// What is given up is the session: its names are free at once, and the member goes on.
TEST_P(DirectoryContract, Renounce_EndsAllThatIsHeld_AndBeginsANewIncarnation) {
  Make();
  Held first = Register(0, "r/k/a"), other = Register(1, "r/k/b");
  ASSERT_TRUE(first.ok() && other.ok());
  const uint64_t incarnation = first->entry().incarnation;
  At(0).Renounce(incarnation - 1, "an older one");
  At(1).Renounce(incarnation, "another member's");
  world().RunFor(lease() / 100);
  EXPECT_TRUE(first->token().valid() && other->token().valid());

  At(0).Renounce(incarnation, "because");
  ASSERT_TRUE(world().RunUntil([&] { return !first->token().valid(); }, seconds(5)));
  EXPECT_NE(first->token().why().message().find("because"), absl::string_view::npos);
  Held next = RegisterOnceFree(1, "r/k/a", lease() / 3);
  ASSERT_TRUE(next.ok()) << next.status();
  Held again = Register(0, "r/k/c");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->entry().incarnation, incarnation);
  At(0).Renounce(incarnation, "again");
  world().RunFor(lease() / 100);
  EXPECT_TRUE(again->token().valid()) << "that one is over";
  EXPECT_TRUE(other->token().valid());
}

TEST_P(DirectoryContract, KilledMember_LosesItsNamesWithTheLease) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  Watcher watcher = Watch(1, Only("r/k/a"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  const TimePoint killed = world().Now();
  world().Kill(0);
  EXPECT_EQ(NextText(watcher), "removed r/k/a");
  EXPECT_GE(world().Now() - killed, lease() / 2);
  EXPECT_LE(world().Now() - killed, lease() * 3 / 2);
  EXPECT_TRUE(Register(1, "r/k/a").ok());
}

TEST_P(DirectoryContract, RestartOnTheSameAddressWithinASecond_Works) {
  Make();
  const Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  const uint64_t epoch = first->epoch(), incarnation = first->entry().incarnation;
  world().Kill(0);
  world().RunFor(milliseconds(200));
  world().Start(0);
  const TimePoint started = world().Now();
  Ready(0);
  const Held second = Register(0, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT(world().Now() - started, lease() / 2);
  EXPECT_GT(second->epoch(), epoch);
  EXPECT_GT(second->entry().incarnation, incarnation);
}

TEST_P(DirectoryContract, Stop_GivesEverythingBackAtOnce) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  testing::Probe<absl::Status> stopped("Stop");
  testing::Probe<absl::StatusOr<WatchEvent>> next("Next");
  watcher.Next(next.Handler());
  At(0).Stop(stopped.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return stopped.done(); }, seconds(5)));
  EXPECT_TRUE(stopped.value().ok());
  EXPECT_EQ(next.value().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(held->token().why().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Register(0, "r/k/b").status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Names(1, Under("r")), "");
  EXPECT_TRUE(Register(1, "r/k/a").ok());
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_LEASES_H_
