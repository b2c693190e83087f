#include "grid/base/clock.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

TEST(RealClockTest, IsOneForAllAndLeavesAlarmsToTheIoLoop) {
  EXPECT_EQ(RealClock(), RealClock());
  EXPECT_EQ(RealClock()->NewAlarm([] {}), nullptr);
}

}  // namespace
}  // namespace grid
