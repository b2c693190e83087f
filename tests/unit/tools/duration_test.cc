#include "tools/common/duration.h"

#include <gtest/gtest.h>

namespace grid::tools {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, TakesEveryUnit) {
  EXPECT_EQ(*ParseDuration("7ns"), 7ns);
  EXPECT_EQ(*ParseDuration("250us"), 250us);
  EXPECT_EQ(*ParseDuration("500ms"), 500ms);
  EXPECT_EQ(*ParseDuration("2s"), 2s);
  EXPECT_EQ(*ParseDuration("3m"), 3min);
  EXPECT_EQ(*ParseDuration("1h"), 1h);
  EXPECT_EQ(*ParseDuration("0s"), 0s);
  EXPECT_EQ(*ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(*ParseDuration("1000h"), 1000h);
}

TEST(ParseDuration, RefusesTheRestAndQuotesIt) {
  for (const char* bad : {"", "s", "5", "5 s", "-1s", "1.2.3s", "1sec", "1S", "1e3s", "1001h",
                          "99999999999999999999s"}) {
    const auto parsed = ParseDuration(bad);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(parsed.status().message().find("\"" + std::string(bad) + "\""), std::string::npos);
  }
}

TEST(FormatDuration, IsTheShortestExactForm) {
  EXPECT_EQ(FormatDuration(0ns), "0s");
  EXPECT_EQ(FormatDuration(1500ms), "1500ms");
  EXPECT_EQ(FormatDuration(60s), "1m");
  EXPECT_EQ(FormatDuration(61s), "61s");
  EXPECT_EQ(FormatDuration(7200s), "2h");
  EXPECT_EQ(FormatDuration(1001ns), "1001ns");
}

}  // namespace
}  // namespace grid::tools
