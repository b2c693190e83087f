#include "serialization/payload_ref.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace grid {
namespace {

TEST(PayloadRef, TellsNilFromEmpty) {
  EXPECT_TRUE(IsNil(PayloadRef().view()));
  EXPECT_TRUE(IsNil(PayloadRef(Buffer()).view()));
  EXPECT_FALSE(IsNil(PayloadRef(EmptyBytes()).view()));
  EXPECT_FALSE(IsNil(PayloadRef(Buffer::Empty()).view()));
}

TEST(PayloadRef, Bytes_AreCopied) {
  const auto pool = BufferPool::Create();
  const std::string text = "bytes";
  const PayloadRef ref(AsBytes(text));
  EXPECT_FALSE(ref.is_owned());
  EXPECT_EQ(ref.size(), text.size());
  EXPECT_EQ(AsText(ref.view()).data(), text.data());
  const Buffer copy = ref.Take(*pool);
  EXPECT_EQ(copy.text(), text);
  EXPECT_NE(copy.text().data(), text.data());
}

TEST(PayloadRef, BufferThatIsLent_IsCopied) {
  const auto pool = BufferPool::Create();
  const Buffer lent = Buffer::CopyOf("lent");
  const PayloadRef ref(lent);
  EXPECT_FALSE(ref.is_owned());
  EXPECT_EQ(ref.Take(*pool).text(), "lent");
  EXPECT_EQ(lent.text(), "lent");
}

TEST(PayloadRef, BufferThatIsGiven_IsTakenOnce) {
  const auto pool = BufferPool::Create();
  Buffer given = Buffer::CopyOf("given");
  const uint8_t* const bytes = given.data();
  const PayloadRef ref(std::move(given));
  EXPECT_TRUE(ref.is_owned());
  EXPECT_EQ(ref.size(), 5u);
  EXPECT_EQ(AsText(ref.view()), "given");
  const Buffer taken = ref.Take(*pool);
  EXPECT_EQ(taken.data(), bytes);
  EXPECT_TRUE(given.is_nil());  // NOLINT(bugprone-use-after-move): what a Buffer promises
  EXPECT_TRUE(IsNil(ref.view()));
  EXPECT_EQ(ref.size(), 0u);
}

}  // namespace
}  // namespace grid
