#include "grid/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace grid {
namespace {

using ::testing::MatchesRegex;

TEST(SpdlogLogTest, WritesLinesFromItsLevelUp_WithTimeNameAndLevel) {
  ::testing::internal::CaptureStderr();
  const auto log = SpdlogLog("node", LogLevel::kInfo);
  log->Log(LogLevel::kDebug, "too quiet");
  log->Log(LogLevel::kInfo, "100% {} as it is");
  log->Log(LogLevel::kError, "broken");
  const std::string time = "20[0-9-]+ [0-9:.]+ ";
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex(time + "node info: 100% .. as it is\n" + time + "node error: broken\n"));
}

TEST(DefaultLogTest, IsNamedGrid_AndWritesWarnings) {
  ::testing::internal::CaptureStderr();
  const auto log = DefaultLog();
  log->Log(LogLevel::kInfo, "too quiet");
  log->Log(LogLevel::kWarning, "worrying");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex(".* grid warning: worrying\n"));
}

TEST(NullLogTest, WritesNothing) {
  ::testing::internal::CaptureStderr();
  NullLog()->Log(LogLevel::kError, "lost");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace grid
