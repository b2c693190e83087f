#include "grid/actor/isolated_system.h"

#include <gtest/gtest.h>

#include <string>

namespace grid::internal {
namespace {

TEST(IsolatedSystemTest, ItsClientHasTheNameOfTheActor_AndTheEpochThatNoOtherHas) {
  EXPECT_EQ(IsolatedClientName(*Name::Parse("shop/cart/1"), 7), "shop/cart/1@7");
  const std::string key(200, 'k');
  const Name name = *Name::Parse("shop/cart/" + key);
  EXPECT_EQ(IsolatedClientName(name, UINT64_MAX), key + "@18446744073709551615")
      << "a client's name has 255 bytes at most";
}

}  // namespace
}  // namespace grid::internal
