#include "serialization/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace grid {
namespace {

TEST(Bytes, NilAndEmptyDiffer) {
  EXPECT_TRUE(IsNil(BytesView()));
  EXPECT_TRUE(IsNil(AsBytes(std::string_view())));
  EXPECT_FALSE(IsNil(EmptyBytes()));
  EXPECT_FALSE(IsNil(AsBytes("")));
  EXPECT_FALSE(IsNil(AsBytes(std::string())));
  EXPECT_EQ(EmptyBytes().size(), 0u);
}

TEST(Bytes, TextAndBytesAreTheSameMemory) {
  const std::string text("a\0\xff", 3);
  const BytesView bytes = AsBytes(text);
  ASSERT_EQ(bytes.size(), 3u);
  EXPECT_EQ(bytes[2], 0xff);
  EXPECT_EQ(AsText(bytes).data(), text.data());
  EXPECT_EQ(AsText(bytes), text);
  EXPECT_EQ(AsText(BytesView()), "");
}

}  // namespace
}  // namespace grid
