#include "grid/base/log.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

TEST(StderrLogTest, WritesLinesFromItsLevelUp) {
  ::testing::internal::CaptureStderr();
  const auto log = StderrLog(LogLevel::kWarning);
  log->Log(LogLevel::kInfo, "too quiet");
  log->Log(LogLevel::kWarning, "worrying");
  log->Log(LogLevel::kError, "broken");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "grid warning: worrying\ngrid error: broken\n");
}

TEST(NullLogTest, WritesNothing) {
  ::testing::internal::CaptureStderr();
  NullLog()->Log(LogLevel::kError, "lost");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace grid
