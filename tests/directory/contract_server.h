// The part of the contract (contract.h) that is about the directory itself: down, and back.
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_SERVER_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_SERVER_H_

#include <cstring>

#include "tests/directory/world.h"

namespace grid {

TEST_P(DirectoryContract, DownAtStart_IsAnErrorThatSaysSo) {
  Make();
  world().KillServer();
  world().Kill(0);
  world().Start(0);
  testing::Probe<absl::Status> ready("WaitReady");
  At(0).WaitReady(seconds(3), ready.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return ready.done(); }, seconds(10)));
  EXPECT_EQ(ready.value().code(), absl::StatusCode::kDeadlineExceeded) << ready.value();
  EXPECT_GT(ready.value().message().size(), std::strlen("not done in time: "));
  const Held held = Register(0, "r/k/a", Holding::kExclusive, {}, seconds(2));
  EXPECT_EQ(held.status().code(), absl::StatusCode::kDeadlineExceeded) << held.status();
  world().StartServer();
  Ready(0);
  EXPECT_TRUE(Register(0, "r/k/a").ok());
}

TEST_P(DirectoryContract, DownLater_IsRiddenOut) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const uint64_t epoch = held->epoch();
  EXPECT_EQ(Names(1, Under("r")), "r/k/a");
  world().KillServer();
  const TimePoint killed = world().Now();
  // Reads come from what was seen, writes wait to their deadline.
  const absl::StatusOr<Resolution> seen = Resolve(1, Under("r"));
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->stale);
  EXPECT_EQ(Text(seen->entries), "r/k/a");
  EXPECT_EQ(Register(1, "r/k/b", Holding::kShared, {},
                     lease() / 15 > milliseconds(500) ? milliseconds(1000) : milliseconds(500))
                .status()
                .code(),
            absl::StatusCode::kDeadlineExceeded);
  testing::Probe<Held> waiting("waiting");
  At(2).Register(N("r/k/c"), Holding::kExclusive, {}, seconds(60), waiting.Handler());
  world().RunFor(milliseconds(100));
  EXPECT_FALSE(waiting.done());
  ASSERT_LT(world().Now() - killed, lease() / 2);
  world().StartServer();
  ASSERT_TRUE(world().RunUntil([&] { return waiting.done(); }, seconds(30)));
  EXPECT_TRUE(waiting.value().ok()) << waiting.value().status();
  // The holder has kept its name all along.
  world().RunFor(lease() * 2);
  EXPECT_TRUE(held->token().valid()) << held->token().why();
  EXPECT_EQ(held->epoch(), epoch);
  EXPECT_EQ(Register(1, "r/k/a").status().code(), absl::StatusCode::kAlreadyExists);
  // What was given up in between is not held.
  EXPECT_EQ(Names(2, Under("r")), "r/k/a r/k/c");
  const absl::StatusOr<Resolution> fresh = Resolve(1, Under("r"));
  ASSERT_TRUE(fresh.ok());
  EXPECT_FALSE(fresh->stale);
  EXPECT_EQ(At(1).Stats().stale, 1u);
}

TEST_P(DirectoryContract, DownForLong_EveryLeaseIsLost_AndNamesAreHeldAgain) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const uint64_t epoch = held->epoch();
  world().KillServer();
  world().RunFor(lease() * 3 / 2);
  EXPECT_FALSE(held->token().valid());
  world().StartServer();
  const TimePoint started = world().Now();
  // The directory may have kept the old session: until its member opens another one, or its lease
  // has passed once more.
  const Held again = RegisterOnceFree(1, "r/k/a", lease() * 2);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_LE(world().Now() - started, lease() * 4 / 3 + seconds(3));
  EXPECT_GT(again->epoch(), epoch);
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_SERVER_H_
