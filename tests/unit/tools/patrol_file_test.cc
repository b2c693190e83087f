#include "tools/common/patrol_file.h"

#include <gtest/gtest.h>

namespace grid::tools {
namespace {

std::string ErrorOf(const std::string& text) {
  const auto entries = ParsePatrolFile("f.yaml", text);
  EXPECT_EQ(entries.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(entries.status().message());
}

TEST(PatrolFileTest, ReadsKindsCountsPlacementsAndParameters) {
  const auto entries = ParsePatrolFile("f.yaml",
                                       "- kind: demo/counter\n"
                                       "  count: 3\n"
                                       "  placement: spread with(disk=ssd)\n"
                                       "  parameters: {from: 10, _secret: x}\n"
                                       "- {kind: demo/echo, count: 0}\n");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  const PatrolEntry& counter = entries->front();
  EXPECT_EQ(counter.kind.text(), "demo/counter");
  EXPECT_EQ(counter.count, 3u);
  ASSERT_TRUE(counter.placement.has_value());
  EXPECT_EQ(counter.placement->ToString(), "spread with(disk=ssd)");
  EXPECT_EQ(counter.parameters, (StartParameters{{"_secret", "x"}, {"from", "10"}}));
  const PatrolEntry& echo = entries->back();
  EXPECT_EQ(echo.count, 0u);
  EXPECT_FALSE(echo.placement.has_value());
  EXPECT_TRUE(echo.parameters.empty());
}

TEST(PatrolFileTest, ErrorsNameFileLineAndField) {
  const std::string good = "- kind: a/b\n  count: 1\n";
  EXPECT_EQ(ErrorOf(""), "f.yaml:1: not a list of kinds");
  EXPECT_EQ(ErrorOf("kind: a/b\n"), "f.yaml:1: not a list of kinds");
  EXPECT_EQ(ErrorOf(good + "- text\n"), "f.yaml:3: not a map with kind and count");
  EXPECT_EQ(ErrorOf(good + "- kind: a\n  count: 1\n"),
            "f.yaml:3: kind: a path of two segments or more");
  EXPECT_TRUE(ErrorOf("- kind: a/b c\n  count: 1\n").starts_with("f.yaml:1: kind: "))
      << ErrorOf("- kind: a/b c\n  count: 1\n");
  EXPECT_EQ(ErrorOf("- count: 1\n"), "f.yaml:1: kind: missing");
  EXPECT_EQ(ErrorOf("- kind: a/b\n"), "f.yaml:1: count: missing");
  for (const char* count : {"-1", "x", "100001", "[1]", "1.5", ""}) {
    EXPECT_EQ(ErrorOf(std::string("- kind: a/b\n  count: ") + count + "\n"),
              "f.yaml:2: count: not a number from 0 to 100000");
  }
  EXPECT_TRUE(ErrorOf("- kind: a/b\n  count: 1\n  placement: nearby\n")
                  .starts_with("f.yaml:3: placement: "));
  EXPECT_EQ(ErrorOf("- kind: a/b\n  count: 1\n  parameters: [a]\n"),
            "f.yaml:3: parameters: not a map");
  EXPECT_EQ(ErrorOf("- kind: a/b\n  count: 1\n  parameters:\n    a: [1]\n"),
            "f.yaml:4: parameters: not a map of texts to texts");
  EXPECT_EQ(ErrorOf("- kind: a/b\n  count: 1\n  number: 2\n"),
            "f.yaml:3: number: unknown; there are kind, count, placement and parameters");
  EXPECT_EQ(ErrorOf(good + good), "f.yaml:3: kind: a/b is there twice");
  EXPECT_TRUE(ErrorOf("- kind: [\n").starts_with("f.yaml:2: ")) << ErrorOf("- kind: [\n");
}

TEST(PatrolFileTest, KindsHaveALimit) {
  std::string text;
  for (size_t i = 0; i <= kMaxPatrols; ++i) {
    text += "- {kind: a/" + std::to_string(i) + ", count: 1}\n";
  }
  EXPECT_EQ(ErrorOf(text), "f.yaml:101: more than 100 kinds");
}

}  // namespace
}  // namespace grid::tools
