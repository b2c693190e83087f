#include "grid/testing/capture_log.h"

#include <gtest/gtest.h>

#include "grid/testing/virtual_clock.h"

namespace grid::testing {
namespace {

TEST(CaptureLogTest, CountsLinesByTextAndLevel) {
  const auto clock = std::make_shared<VirtualClock>();
  CaptureLog log(clock, LogLevel::kInfo);
  log.Log(LogLevel::kDebug, "refused: dropped line");
  log.Log(LogLevel::kInfo, "refused: wrong token");
  clock->Advance(std::chrono::milliseconds(1500));
  log.Log(LogLevel::kWarning, "refused: wrong clock");
  EXPECT_EQ(log.Count("refused"), 2u);
  EXPECT_EQ(log.Count("refused", LogLevel::kWarning), 1u);
  EXPECT_EQ(log.Count("accepted"), 0u);
  EXPECT_EQ(log.lines()[1].time, clock->Now());
  EXPECT_EQ(log.Text(), "  0.000000 refused: wrong token\n  1.500000 refused: wrong clock\n");
  log.Clear();
  EXPECT_EQ(log.Text(), "");
}

}  // namespace
}  // namespace grid::testing
