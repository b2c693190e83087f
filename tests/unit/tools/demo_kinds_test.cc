#include "tools/common/demo_kinds.h"

#include <gtest/gtest.h>

namespace grid::tools {
namespace {

TEST(DemoKindsTest, LieUnderTheirRealm) {
  const absl::StatusOr<KindTable> kinds = DemoKinds("shop");
  ASSERT_TRUE(kinds.ok()) << kinds.status();
  EXPECT_EQ(kinds->Paths(), "shop/counter,shop/crasher,shop/echo,shop/sleeper");
}

TEST(DemoKindsTest, ARealmIsOneSegment) {
  for (const char* realm : {"", "a/b", "a b", ".."}) {
    const absl::StatusOr<KindTable> kinds = DemoKinds(realm);
    EXPECT_EQ(kinds.status().code(), absl::StatusCode::kInvalidArgument) << realm;
    EXPECT_EQ(kinds.status().message().substr(0, 6), "realm ");
  }
}

TEST(DemoKindsTest, ACounterBeginsWhereItIsTold) {
  const absl::StatusOr<KindTable> kinds = DemoKinds("demo");
  ASSERT_TRUE(kinds.ok());
  const Name name = *Name::Parse("demo/counter/1");
  const Kind* const counter = kinds->Find(name);
  ASSERT_NE(counter, nullptr);
  EXPECT_TRUE(counter->factory({.name = name, .parameters = {{"from", "-7"}}}).ok());
  EXPECT_EQ(counter->factory({.name = name, .parameters = {{"from", "x"}}}).status().message(),
            "parameter from: no integer: x");
}

}  // namespace
}  // namespace grid::tools
