#include "grid/mux/rate_limit.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr TimePoint kNow = TimePoint(std::chrono::hours(1));

int TakeAll(RateLimit& limit, TimePoint now) {
  int taken = 0;
  while (limit.Take(now)) ++taken;
  return taken;
}

TEST(RateLimit, BurstThenRate) {
  RateLimit limit(10, 4);
  EXPECT_EQ(TakeAll(limit, kNow), 10);
  EXPECT_EQ(TakeAll(limit, kNow + 249ms), 0);
  EXPECT_EQ(TakeAll(limit, kNow + 250ms), 1);
  EXPECT_EQ(TakeAll(limit, kNow + 1250ms), 4);
}

TEST(RateLimit, FillsUpToTheBurstAndNoFurther) {
  RateLimit limit(3, 1000);
  EXPECT_EQ(TakeAll(limit, kNow), 3);
  EXPECT_EQ(TakeAll(limit, kNow + 1h), 3);
}

TEST(RateLimit, LargestAndSmallest) {
  RateLimit one(1, 1);
  EXPECT_EQ(TakeAll(one, kNow), 1);
  EXPECT_FALSE(one.Take(kNow + 999ms));
  EXPECT_TRUE(one.Take(kNow + 1s));
  RateLimit slow(1'000'000'000, 1);
  EXPECT_TRUE(slow.Take(kNow));
  RateLimit fast(1, 1'000'000'000);
  EXPECT_EQ(TakeAll(fast, kNow), 1);
}

}  // namespace
}  // namespace grid
