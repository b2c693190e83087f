// The judge of the fault test: what it takes for a violation, and what not.
#include "tests/live/fault_store.h"

#include <gtest/gtest.h>

#include <vector>

namespace grid::live {
namespace {

using std::chrono::milliseconds;

TimePoint At(int64_t ms) { return TimePoint(milliseconds(ms)); }

TEST(FencedStoreTest, RefusesOlderEpochs_WhichIsNoViolation) {
  FencedStore store(1);
  EXPECT_TRUE(store.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)}));
  store.Fault(1, At(20));
  // Suspended after it had looked at its token; nobody else yet.
  EXPECT_TRUE(store.Accept({.epoch = 1, .holder = 1, .checked = At(15), .until = At(100)}));
  EXPECT_TRUE(store.after_faults().empty());
  EXPECT_TRUE(store.Accept({.epoch = 2, .holder = 2, .checked = At(150), .until = At(300)}));
  EXPECT_FALSE(store.Accept({.epoch = 1, .holder = 1, .checked = At(16), .until = At(100)}));
  EXPECT_EQ(store.HeldSince(At(150)), 1u);
  EXPECT_EQ(store.HeldSince(At(151)), 0u);
  EXPECT_TRUE(store.HasHeldSince(1, At(15)));
  EXPECT_FALSE(store.HasHeldSince(1, At(16)));
  EXPECT_EQ(store.refused(), 1u);
  EXPECT_EQ(store.after_faults(), std::vector<Duration>{milliseconds(130)});
  EXPECT_EQ(store.least_margin(), milliseconds(50));
  EXPECT_TRUE(store.violations().empty());
  // One that goes on may end its session earlier.
  store.Fault(2, At(200));
  store.Resumed(2, At(290));
  store.Fault(2, At(295));
  store.Accept({.epoch = 3, .holder = 1, .checked = At(301), .until = At(400)});
  EXPECT_EQ(store.least_margin(), milliseconds(50));
  EXPECT_TRUE(store.violations().empty());
}

TEST(FencedStoreTest, SeesTwoHolders) {
  FencedStore valid_later(1);
  valid_later.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  valid_later.Accept({.epoch = 2, .holder = 2, .checked = At(150), .until = At(300)});
  EXPECT_FALSE(valid_later.Accept({.epoch = 1, .holder = 1, .checked = At(160), .until = At(200)}));
  EXPECT_EQ(valid_later.violations().size(), 1u);

  FencedStore too_early(1);
  too_early.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  too_early.Lost(0, 1, At(20));
  too_early.Accept({.epoch = 2, .holder = 2, .checked = At(90), .until = At(300)});
  EXPECT_EQ(too_early.violations().size(), 1u);

  FencedStore one_epoch(1);
  one_epoch.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  one_epoch.Accept({.epoch = 1, .holder = 2, .checked = At(20), .until = At(100)});
  EXPECT_EQ(one_epoch.violations().size(), 1u);

  FencedStore not_put_down(1);
  not_put_down.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  not_put_down.End(0, 1, At(30));
  not_put_down.Accept({.epoch = 2, .holder = 2, .checked = At(20), .until = At(100)});
  EXPECT_EQ(not_put_down.violations().size(), 1u);
}

TEST(FencedStoreTest, WhatIsPutDownOrReplaced_MayBeHadAtOnce) {
  FencedStore store(2);
  store.Accept({.name = 0, .epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  store.Accept({.name = 1, .epoch = 2, .holder = 1, .checked = At(10), .until = At(100)});
  store.End(0, 1, At(20));
  store.Accept({.name = 0, .epoch = 3, .holder = 2, .checked = At(25), .until = At(100)});
  store.Fault(1, At(30));
  store.Replaced(1);
  // Whoever is faulted may just have got it.
  store.Fault(2, At(35));
  store.Accept({.name = 1, .epoch = 4, .holder = 3, .checked = At(40), .until = At(100)});
  EXPECT_EQ(store.after_ends(), std::vector<Duration>{milliseconds(5)});
  EXPECT_EQ(store.after_faults(), std::vector<Duration>{milliseconds(5)});
  EXPECT_EQ(store.HeldSince(At(30)), 1u);
  EXPECT_TRUE(store.violations().empty());
}

}  // namespace
}  // namespace grid::live
