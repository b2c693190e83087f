// The part of the contract (contract.h) that is about taking every name from its holder.
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_FLUSH_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_FLUSH_H_

#include "tests/directory/world.h"

namespace grid {

TEST_P(DirectoryContract, Flush_TakesEveryName_AndEachHolderKnowsWithinARenewal) {
  Make();
  const Held first = Register(0, "r/k/a");
  const Held second = Register(1, "other/k/b", Holding::kShared);
  ASSERT_TRUE(first.ok() && second.ok());
  Watcher watcher = Watch(2, Selector::Under(Path::Root()));
  EXPECT_EQ(NextText(watcher), "snapshot other/k/b r/k/a");
  std::optional<TimePoint> known[2];
  first->token().OnLost([&] { known[0] = world().Now(); });
  second->token().OnLost([&] { known[1] = world().Now(); });
  const absl::StatusOr<uint64_t> flushed = Flush(2);
  ASSERT_TRUE(flushed.ok()) << flushed.status();
  EXPECT_EQ(*flushed, 2u);
  const TimePoint done = world().Now();
  EXPECT_EQ(Names(2, Selector::Under(Path::Root())), "");
  const std::string removed = NextText(watcher) + " " + NextText(watcher);
  EXPECT_TRUE(removed == "removed other/k/b removed r/k/a" ||
              removed == "removed r/k/a removed other/k/b")
      << removed;
  ASSERT_TRUE(world().RunUntil([&] { return known[0] && known[1]; }, lease()));
  for (const auto& at : known) EXPECT_LE(*at - done, lease() / 5 + milliseconds(500));
  EXPECT_EQ(first->token().why().code(), absl::StatusCode::kAborted) << first->token().why();
  // They go on, as new incarnations.
  const Held again = Register(0, "r/k/a");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->epoch(), first->epoch());
  EXPECT_EQ(At(0).Stats().lost, 1u);
  world().RunFor(lease());
  EXPECT_TRUE(again->token().valid());
}

// Its holder can't be told: the name waits until its token has ended.
TEST_P(DirectoryContract, Flush_NobodyGetsANameWhoseHolderDoesNotKnow) {
  Make();
  const Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  world().Cut(0);
  const absl::StatusOr<uint64_t> flushed = Flush(2);
  ASSERT_TRUE(flushed.ok()) << flushed.status();
  testing::Probe<Held> next("next");
  At(1).Register(N("r/k/a"), Holding::kExclusive, {}, seconds(60), next.Handler());
  ASSERT_TRUE(world().RunUntil(
      [&] {
        EXPECT_FALSE(next.done() && first->token().valid());
        return next.done();
      },
      lease() * 2));
  ASSERT_TRUE(next.value().ok()) << next.value().status();
  EXPECT_FALSE(first->token().valid());
  world().Heal(0);
  Ready(0);
  EXPECT_TRUE(HolderOf(Register(0, "r/k/a").status()).has_value());
}

// Whoever flushes loses what it holds as well; where nothing is held nobody waits.
TEST_P(DirectoryContract, Flush_OfOnesOwn_AndOfNothing) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  ASSERT_TRUE(Flush(0).ok());
  ASSERT_TRUE(world().RunUntil([&] { return !held->token().valid(); }, lease() / 2));
  world().RunFor(lease());
  const absl::StatusOr<uint64_t> nothing = Flush(1);
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ(*nothing, 0u);
  EXPECT_TRUE(Register(0, "r/k/a").ok());
}

TEST_P(DirectoryContract, Flush_WhileTheDirectoryIsDown_WaitsForItsTimeOut) {
  Make();
  world().KillServer();
  const absl::StatusOr<uint64_t> flushed = Flush(0, milliseconds(500));
  EXPECT_EQ(flushed.status().code(), absl::StatusCode::kDeadlineExceeded) << flushed.status();
  world().StartServer();
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_FLUSH_H_
