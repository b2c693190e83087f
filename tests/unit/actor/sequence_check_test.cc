#include "grid/actor/sequence_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace grid {
namespace {

using Verdict = SequenceCheck::Verdict;

Publication P(uint64_t sequence, uint64_t incarnation = 1, uint64_t publisher = 1) {
  return {.publisher = publisher, .incarnation = incarnation, .sequence = sequence};
}

TEST(SequenceCheckTest, InOrder_IsNextAfterNext_FromWhereverItBegins) {
  for (const uint64_t begin : {uint64_t{1}, uint64_t{700}}) {
    SequenceCheck check;
    EXPECT_EQ(check.Check(P(begin)).verdict, Verdict::kFirst);
    for (uint64_t i = 1; i < 200; ++i) EXPECT_EQ(check.Check(P(begin + i)).verdict, Verdict::kNext);
    EXPECT_EQ(check.stats().seen, 200u);
    EXPECT_EQ(check.stats().missed, 0u);
  }
}

TEST(SequenceCheckTest, AGapIsTold_AndWhatComesLateFillsIt) {
  SequenceCheck check;
  check.Check(P(1));
  const SequenceCheck::Result gap = check.Check(P(5));
  EXPECT_EQ(gap.verdict, Verdict::kGap);
  EXPECT_EQ(gap.missed, 3u);
  EXPECT_EQ(check.stats().missed, 3u);
  EXPECT_EQ(check.Check(P(3)).verdict, Verdict::kLate);
  EXPECT_EQ(check.Check(P(3)).verdict, Verdict::kDuplicate);
  EXPECT_EQ(check.stats().missed, 2u);
  EXPECT_EQ(check.Check(P(6)).verdict, Verdict::kNext);
}

TEST(SequenceCheckTest, WhatComesTwiceIsTold) {
  SequenceCheck check;
  check.Check(P(1));
  const SequenceCheck::Result again = check.Check(P(1));
  EXPECT_EQ(again.verdict, Verdict::kDuplicate);
  EXPECT_FALSE(again.fresh());
  check.Check(P(2));
  EXPECT_FALSE(check.Check(P(1)).fresh());
  EXPECT_EQ(check.stats().duplicates, 2u);
}

// What lies before the first is none of ours, and so is not missed when it comes after all.
TEST(SequenceCheckTest, WhatIsOlderThanTheFirst_IsLate_AndWasNotMissed) {
  SequenceCheck check;
  check.Check(P(10));
  EXPECT_EQ(check.Check(P(9)).verdict, Verdict::kLate);
  EXPECT_EQ(check.stats().missed, 0u);
}

TEST(SequenceCheckTest, BeyondTheWindowNobodyCanTell) {
  SequenceCheck check;
  check.Check(P(1));
  check.Check(P(1 + SequenceCheck::kWindow));
  EXPECT_EQ(check.Check(P(1)).verdict, Verdict::kDuplicate);
  EXPECT_EQ(check.Check(P(2)).verdict, Verdict::kLate);
  check.Check(P(5 + SequenceCheck::kWindow));
  EXPECT_EQ(check.Check(P(4)).verdict, Verdict::kDuplicate);
  EXPECT_EQ(check.stats().missed, SequenceCheck::kWindow - 1 - 1 + 3);
  EXPECT_EQ(check.Check(P(10'000)).verdict, Verdict::kGap);
  EXPECT_EQ(check.Check(P(~uint64_t{0})).verdict, Verdict::kGap);
}

TEST(SequenceCheckTest, ARestartBeginsAnew_AndWhatItSaidBeforeIsOutdated) {
  SequenceCheck check;
  check.Check(P(41));
  const SequenceCheck::Result restart = check.Check(P(1, 2));
  EXPECT_EQ(restart.verdict, Verdict::kRestart);
  EXPECT_EQ(restart.missed, 0u);
  EXPECT_EQ(check.Check(P(42)).verdict, Verdict::kOutdated);
  EXPECT_EQ(check.Check(P(2, 2)).verdict, Verdict::kNext);
  const SequenceCheck::Result missed = check.Check(P(4, 3));
  EXPECT_EQ(missed.verdict, Verdict::kRestart);
  EXPECT_EQ(missed.missed, 3u);
  EXPECT_EQ(check.Check(P(3, 3)).verdict, Verdict::kLate);
  EXPECT_EQ(check.stats().missed, 2u);
  EXPECT_EQ(check.stats().restarts, 2u);
  EXPECT_EQ(check.stats().outdated, 1u);
}

TEST(SequenceCheckTest, PublishersDoNotMix_AndTheSilentOneIsForgotten) {
  SequenceCheck check(2);
  check.Check(P(1, 1, 7));
  check.Check(P(1, 1, 8));
  EXPECT_EQ(check.Check(P(2, 1, 7)).verdict, Verdict::kNext);
  EXPECT_EQ(check.Check(P(5, 1, 9)).verdict, Verdict::kFirst);
  EXPECT_EQ(check.stats().publishers, 2u);
  EXPECT_EQ(check.stats().forgotten, 1u);
  EXPECT_EQ(check.Check(P(3, 1, 7)).verdict, Verdict::kNext);
  EXPECT_EQ(check.Check(P(2, 1, 8)).verdict, Verdict::kFirst);
}

// Whatever comes in whatever order: each number within the window is fresh once, and what is missed
// in the end is what has not come.
TEST(SequenceCheckTest, AnyOrderWithinTheWindow) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<uint64_t> order;
    for (uint64_t i = 1; i <= 500; ++i) {
      for (uint64_t copies = random() % 3; copies > 0; --copies) order.push_back(i);
    }
    // Each moves by less than half a window.
    for (size_t i = 0; i + 20 < order.size(); i += 20) {
      std::shuffle(order.begin() + static_cast<ptrdiff_t>(i),
                   order.begin() + static_cast<ptrdiff_t>(i) + 20, random);
    }
    SequenceCheck check;
    std::set<uint64_t> came;
    uint64_t first = 0;
    for (const uint64_t sequence : order) {
      if (first == 0) first = sequence;
      EXPECT_EQ(check.Check(P(sequence)).fresh(), came.insert(sequence).second) << sequence;
    }
    uint64_t missing = 0;
    for (uint64_t i = first; i <= *came.rbegin(); ++i) missing += came.contains(i) ? 0 : 1;
    EXPECT_EQ(check.stats().missed, missing);
  }
}

}  // namespace
}  // namespace grid
