#include "tools/common/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace grid::tools {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogram, EmptyHasNoPercentiles) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max().count(), 0);
  EXPECT_EQ(histogram.Percentile(50).count(), 0);
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(nanoseconds(i));
  EXPECT_EQ(histogram.Percentile(0).count(), 1);
  EXPECT_EQ(histogram.Percentile(50).count(), 50);
  EXPECT_EQ(histogram.Percentile(99).count(), 99);
  EXPECT_EQ(histogram.Percentile(100).count(), 100);
  EXPECT_EQ(histogram.max().count(), 100);
  EXPECT_EQ(histogram.count(), 100u);
}

TEST(LatencyHistogram, OneValueIsEveryPercentile) {
  for (const int64_t value : {int64_t{0}, int64_t{63}, int64_t{64}, int64_t{127}, int64_t{128},
                              int64_t{1'000'003}, int64_t{999'999'999'999}}) {
    LatencyHistogram histogram;
    histogram.Record(nanoseconds(value));
    EXPECT_EQ(histogram.Percentile(1).count(), value);
    EXPECT_EQ(histogram.Percentile(99.9).count(), value);
  }
}

TEST(LatencyHistogram, PercentilesAreAtMostOneSixtyFourthTooHigh) {
  std::mt19937_64 random(20240101);
  std::vector<int64_t> values;
  LatencyHistogram histogram;
  for (int i = 0; i < 20000; ++i) {
    const int64_t value = static_cast<int64_t>(random() >> (25 + random() % 39));
    values.push_back(value);
    histogram.Record(nanoseconds(value));
  }
  std::sort(values.begin(), values.end());
  for (const double percentile : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<size_t>(percentile / 100 * 20000 + 0.999999);
    const int64_t exact = values[std::max<size_t>(rank, 1) - 1];
    const int64_t got = histogram.Percentile(percentile).count();
    EXPECT_GE(got, exact) << percentile;
    EXPECT_LE(static_cast<double>(got), static_cast<double>(exact) * (1 + 1.0 / 64) + 1)
        << percentile;
  }
}

TEST(LatencyHistogram, OutOfRangeCountsAtTheEdges) {
  LatencyHistogram histogram;
  histogram.Record(nanoseconds(-5));
  histogram.Record(std::chrono::hours(10));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.Percentile(50).count(), 0);
  EXPECT_EQ(histogram.Percentile(100), std::chrono::hours(10));
  EXPECT_EQ(histogram.max(), std::chrono::hours(10));
}

TEST(LatencyHistogram, AddCombines) {
  LatencyHistogram a, b;
  for (int i = 0; i < 10; ++i) a.Record(nanoseconds(10));
  for (int i = 0; i < 10; ++i) b.Record(nanoseconds(20));
  a.Add(b);
  EXPECT_EQ(a.count(), 20u);
  EXPECT_EQ(a.Percentile(50).count(), 10);
  EXPECT_EQ(a.Percentile(51).count(), 20);
  a.Reset();
  EXPECT_EQ(a.count(), 0u);
  EXPECT_EQ(a.Percentile(100).count(), 0);
}

}  // namespace
}  // namespace grid::tools
