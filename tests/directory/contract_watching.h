// The part of the contract (contract.h) that is about watches and bounds.
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_WATCHING_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_WATCHING_H_

#include "tests/directory/world.h"

namespace grid {

// --- Watching ---

TEST_P(DirectoryContract, Watch_IsASnapshotAndThenEveryChange) {
  Make();
  Held first = Register(0, "r/k/a", Holding::kShared, {{"v", "1"}});
  Held elsewhere = Register(0, "r/kk/a");
  Watcher watcher = Watch(1, Under("r/k"));
  Watcher filtered = Watch(2, Under("r").Where("v", "1"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  EXPECT_EQ(NextText(filtered), "snapshot r/k/a");
  Held second = Register(2, "r/k/b");
  EXPECT_EQ(NextText(watcher), "added r/k/b");
  EXPECT_TRUE(Update(*first, {{"v", "2"}}).ok());
  const absl::StatusOr<WatchEvent> changed = Next(watcher);
  ASSERT_TRUE(changed.ok() && changed->kind == WatchEvent::Kind::kChanged);
  EXPECT_EQ(changed->entries[0], first->entry());
  // It fits no longer.
  EXPECT_EQ(NextText(filtered), "removed r/k/a");
  EXPECT_TRUE(Release(*second).ok());
  EXPECT_EQ(NextText(watcher), "removed r/k/b");
  EXPECT_EQ(At(1).Stats().watches, 1u);
  watcher.Close();
  EXPECT_EQ(Next(watcher).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(At(1).Stats().watches, 0u);
}

TEST_P(DirectoryContract, Watch_OfNothing_BeginsWithAnEmptySnapshot) {
  Make();
  Watcher watcher = Watch(0, Under("none"));
  EXPECT_EQ(NextText(watcher), "snapshot");
}

TEST_P(DirectoryContract, Watch_OneNextAtATime_ThatMayBeCancelled) {
  Make();
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  asio::cancellation_signal signal;
  testing::Probe<absl::StatusOr<WatchEvent>> waiting("waiting"), second("second");
  watcher.Next(asio::bind_cancellation_slot(signal.slot(), waiting.Handler()));
  watcher.Next(second.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return second.done(); }, seconds(5)));
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kFailedPrecondition);
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(world().RunUntil([&] { return waiting.done(); }, seconds(5)));
  EXPECT_EQ(waiting.value().status().code(), absl::StatusCode::kCancelled);
  const Held held = Register(1, "r/k/a");
  EXPECT_EQ(NextText(watcher), "added r/k/a");
}

TEST_P(DirectoryContract, SlowReader_GetsACoalescedSnapshot_NeverAnUnboundedQueue) {
  Make({.adjust = [](int, DirectoryOptions& options) { options.limits.max_watch_events = 4; }});
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  std::vector<Registration> held;
  for (int i = 0; i < 8; ++i) {
    Held one = Register(1, "r/k/" + std::to_string(i));
    ASSERT_TRUE(one.ok());
    held.push_back(*std::move(one));
  }
  world().RunFor(milliseconds(500));
  EXPECT_EQ(NextText(watcher), "resynchronised r/k/0 r/k/1 r/k/2 r/k/3 r/k/4 r/k/5 r/k/6 r/k/7");
  EXPECT_TRUE(Release(held[3]).ok());
  EXPECT_EQ(NextText(watcher), "removed r/k/3");
  watcher.Close();
  world().RunFor(milliseconds(1));
  EXPECT_EQ(At(0).Stats().coalesced, 1u);
}

// What changed while the directory could not be reached is in the next event.
TEST_P(DirectoryContract, Watch_GoesOnWithoutAGap) {
  Make();
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot");
  world().Cut(0);
  const Held held = Register(1, "r/k/a");
  ASSERT_TRUE(held.ok()) << held.status();
  world().RunFor(lease() / 5);
  world().Heal(0);
  // Backends that keep the place where they were go on with the change itself.
  const std::string next = NextText(watcher);
  EXPECT_TRUE(next == "resynchronised r/k/a" || next == "added r/k/a") << next;
}

// --- Bounds ---

TEST_P(DirectoryContract, WhatIsGivenUp_IsNotHeld) {
  Make();
  Held shared = Register(0, "r/k/other", Holding::kShared);
  asio::cancellation_signal signal;
  testing::Probe<Held> cancelled("cancelled");
  At(0).Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0),
                 asio::bind_cancellation_slot(signal.slot(), cancelled.Handler()));
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(world().RunUntil([&] { return cancelled.done(); }, seconds(5)));
  if (!cancelled.value().ok()) {
    EXPECT_EQ(cancelled.value().status().code(), absl::StatusCode::kCancelled);
  }
  cancelled.value() = absl::NotFoundError("dropped");
  world().RunFor(seconds(1));
  EXPECT_TRUE(Register(1, "r/k/a").ok());
  EXPECT_EQ(At(0).Stats().operations, 0u);
}

TEST_P(DirectoryContract, LimitsAreNamedAndCounted) {
  Make({.adjust = [](int, DirectoryOptions& options) {
    options.limits.max_registrations = 2;
    options.limits.max_watches = 1;
    options.limits.max_operations = 2;
    options.limits.max_cached = 1;
  }});
  std::vector<Registration> held;
  for (int i = 0; i < 2; ++i) held.push_back(*Register(0, "r/k/" + std::to_string(i)));
  const absl::Status third = Register(0, "r/k/2").status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(third.message()).find("max_registrations (2)"), std::string::npos);
  held.pop_back();
  world().RunFor(seconds(1));
  EXPECT_TRUE(Register(0, "r/k/2").ok());
  Watcher watcher = Watch(0, Under("r"));
  const absl::Status second = At(0).Watch(Under("r")).status();
  EXPECT_NE(std::string(second.message()).find("max_watches (1)"), std::string::npos) << second;
  std::vector<testing::Probe<absl::StatusOr<Resolution>>> probes;
  for (int i = 0; i < 3; ++i) probes.emplace_back("probe");
  for (auto& probe : probes) At(0).Resolve(Under("r"), milliseconds(0), probe.Handler());
  ASSERT_TRUE(world().RunUntil(
      [&] { return probes[0].done() && probes[1].done() && probes[2].done(); }, seconds(5)));
  EXPECT_NE(std::string(probes[2].value().status().message()).find("max_operations (2)"),
            std::string::npos);
  const DirectoryStats stats = At(0).Stats();
  EXPECT_EQ(stats.registration_limit, 1u);
  EXPECT_EQ(stats.watch_limit, 1u);
  EXPECT_EQ(stats.operation_limit, 1u);
  EXPECT_EQ(stats.cache_limit, 0u);
  EXPECT_EQ(Names(0, Only("r/k/0")), "r/k/0");
  EXPECT_EQ(At(0).Stats().cache_limit, 1u);
}

TEST_P(DirectoryContract, Clients_ResolveAndWatch_AndHoldNothing) {
  Make({.adjust = [](int member, DirectoryOptions& options) { options.client = member == 2; }});
  const Held held = Register(0, "r/k/a");
  EXPECT_EQ(Register(2, "r/k/b").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Names(2, Under("r")), "r/k/a");
  Watcher watcher = Watch(2, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  EXPECT_EQ(At(2).Stats().renewals, 0u);
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_WATCHING_H_
