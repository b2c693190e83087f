#include "bench/common/load.h"

#include <gtest/gtest.h>

namespace grid::bench {
namespace {

using std::chrono::milliseconds;

const Clock::time_point kStart = Clock::time_point(std::chrono::hours(1));

// 10 ms to warm up, 100 ms measured.
Window TestWindow() {
  return {.start = kStart, .begin = kStart + milliseconds(10), .end = kStart + milliseconds(110)};
}
// One message each millisecond.
Workload Open(size_t inflight) { return {.inflight = inflight, .rate = 1000}; }

TEST(LoadTest, OnlyTheWindowCounts) {
  Load load({}, TestWindow());
  load.Answered(kStart, kStart + milliseconds(9));
  load.Answered(kStart, kStart + milliseconds(10));
  load.Answered(kStart, kStart + milliseconds(109), 2);
  load.Answered(kStart, kStart + milliseconds(110));
  EXPECT_EQ(load.tally().requests, 3U);
  EXPECT_EQ(load.tally().latency.max(), milliseconds(109));
}

TEST(LoadTest, ClosedLoopBeginsUntilTheEnd) {
  Load load({}, TestWindow());
  const auto late = kStart + milliseconds(109);
  EXPECT_TRUE(load.Due(late));
  EXPECT_EQ(load.Begin(late), late);
  EXPECT_FALSE(load.Due(kStart + milliseconds(110)));
}

TEST(LoadTest, OpenLoopStampsWithTheTimeThatAMessageWasDue) {
  Load load(Open(1), TestWindow());
  const auto late = kStart + milliseconds(2);
  EXPECT_EQ(load.Begin(late), kStart);
  EXPECT_EQ(load.Begin(late), kStart + milliseconds(1));
  EXPECT_EQ(load.Begin(late), kStart + milliseconds(2));
  EXPECT_FALSE(load.Due(late));
  EXPECT_EQ(load.due(), kStart + milliseconds(3));
}

TEST(LoadTest, OneWayRunBeginsNothing) {
  Load load({.mode = Mode::kOneWay}, TestWindow());
  EXPECT_FALSE(load.Due(kStart + milliseconds(50)));
  load.Arrived(kStart + milliseconds(50), 3);
  EXPECT_EQ(load.tally().requests, 3U);
  EXPECT_EQ(load.tally().latency.count(), 0U);
}

TEST(OrderedLoadTest, ClosedLoopKeepsTheWindowFull) {
  OrderedLoad load({.inflight = 3}, TestWindow());
  EXPECT_EQ(load.Begin(kStart), 3U);
  EXPECT_EQ(load.Begin(kStart), 0U);
  load.Answered(2, kStart + milliseconds(20));
  EXPECT_EQ(load.Begin(kStart + milliseconds(20)), 2U);
  // The third of the first is the oldest, and then those that came after it.
  load.Answered(3, kStart + milliseconds(50));
  EXPECT_EQ(load.load().tally().requests, 5U);
  EXPECT_EQ(load.load().tally().latency.max(), milliseconds(50));
  EXPECT_EQ(load.WakeAt(), Clock::time_point::max());
}

TEST(OrderedLoadTest, OpenLoopCountsTheTimeThatAMessageWaitedForRoom) {
  OrderedLoad load(Open(1), TestWindow());
  EXPECT_EQ(load.Begin(kStart), 1U);
  EXPECT_EQ(load.WakeAt(), Clock::time_point::max());  // no room, so only an answer can wake
  load.Answered(1, kStart + milliseconds(20));
  EXPECT_EQ(load.WakeAt(), kStart + milliseconds(1));
  EXPECT_EQ(load.Begin(kStart + milliseconds(20)), 1U);
  load.Answered(1, kStart + milliseconds(22));
  EXPECT_EQ(load.load().tally().latency.max(), milliseconds(21));
}

TEST(OrderedLoadTest, AnswersThatNobodyAskedForAreErrors) {
  OrderedLoad load({.inflight = 2}, TestWindow());
  EXPECT_EQ(load.Begin(kStart), 2U);
  load.Answered(3, kStart + milliseconds(20));
  EXPECT_EQ(load.load().tally().requests, 2U);
  EXPECT_EQ(load.load().tally().errors, 1U);
}

TEST(TallyTest, AddKeepsTheFirstError) {
  Load one({}, TestWindow()), other({}, TestWindow());
  one.Failed(absl::AbortedError("one"));
  other.Failed(absl::AbortedError("other"));
  other.Answered(kStart, kStart + milliseconds(20));
  Tally sum;
  sum.Add(one.tally());
  sum.Add(other.tally());
  EXPECT_EQ(sum.requests, 1U);
  EXPECT_EQ(sum.errors, 2U);
  EXPECT_EQ(sum.first_error.message(), "one");
}

}  // namespace
}  // namespace grid::bench
