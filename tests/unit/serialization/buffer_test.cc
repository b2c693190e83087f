#include "serialization/buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "serialization/buffer_pool.h"

namespace grid {
namespace {

TEST(Buffer, DefaultIsNil) {
  Buffer buffer;
  EXPECT_TRUE(buffer.is_nil());
  EXPECT_TRUE(IsNil(buffer.view()));
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_EQ(buffer.capacity(), 0u);
  EXPECT_EQ(buffer.data(), nullptr);
}

TEST(Buffer, EmptyIsNotNil) {
  const Buffer empties[] = {Buffer::Empty(), Buffer::Unpooled(0), Buffer::CopyOf(""),
                            Buffer::CopyOf(EmptyBytes())};
  for (const Buffer& empty : empties) {
    EXPECT_FALSE(empty.is_nil());
    EXPECT_FALSE(IsNil(empty.view()));
    EXPECT_EQ(empty.size(), 0u);
  }
  EXPECT_TRUE(Buffer::CopyOf(BytesView()).is_nil());
}

TEST(Buffer, CopyOfOwnsItsBytes) {
  std::string text = "hello";
  const Buffer copy = Buffer::CopyOf(text);
  text = "xxxxx";
  EXPECT_EQ(copy.text(), "hello");
}

TEST(Buffer, MoveLeavesNil) {
  Buffer a = Buffer::CopyOf("hello");
  Buffer b = std::move(a);
  EXPECT_TRUE(a.is_nil());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(a.size(), 0u);
  EXPECT_EQ(b.text(), "hello");
  Buffer c = Buffer::CopyOf("other");
  c = std::move(b);
  EXPECT_TRUE(b.is_nil());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(c.text(), "hello");
  Buffer empty = Buffer::Empty();
  Buffer moved = std::move(empty);
  EXPECT_TRUE(empty.is_nil());  // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(moved.is_nil());
}

TEST(Buffer, MoveToItselfKeepsTheBytes) {
  Buffer a = Buffer::CopyOf("hello");
  Buffer& same = a;
  a = std::move(same);
  EXPECT_EQ(a.text(), "hello");
}

TEST(Buffer, ResizeKeepsWhatWasThere) {
  Buffer buffer = Buffer::CopyOf("hello");
  buffer.Resize(100000);
  EXPECT_EQ(buffer.size(), 100000u);
  EXPECT_EQ(buffer.text().substr(0, 5), "hello");
  buffer.Resize(2);
  EXPECT_EQ(buffer.text(), "he");
  EXPECT_GE(buffer.capacity(), 100000u);
  buffer.Resize(0);
  EXPECT_FALSE(buffer.is_nil());
}

TEST(Buffer, ResizeOfNilMakesItEmpty) {
  Buffer buffer;
  buffer.Resize(0);
  EXPECT_FALSE(buffer.is_nil());
  EXPECT_EQ(buffer.size(), 0u);
}

TEST(Buffer, ReserveKeepsTheSize) {
  Buffer buffer = Buffer::CopyOf("hello");
  buffer.Reserve(1000);
  EXPECT_GE(buffer.capacity(), 1000u);
  EXPECT_EQ(buffer.text(), "hello");
  const uint8_t* const data = buffer.data();
  buffer.Reserve(10);
  EXPECT_EQ(buffer.data(), data);
}

TEST(Buffer, AppendTellsNilFromEmpty) {
  Buffer buffer;
  buffer.Append(BytesView());
  EXPECT_TRUE(buffer.is_nil());
  buffer.Append(EmptyBytes());
  EXPECT_FALSE(buffer.is_nil());
  buffer.Append(AsBytes("ab"));
  buffer.Append(BytesView());
  buffer.Append(AsBytes("c"));
  EXPECT_EQ(buffer.text(), "abc");
}

TEST(Buffer, AppendGrowsByDoubling) {
  Buffer buffer;
  std::string want;
  size_t moves = 0;
  const uint8_t* at = nullptr;
  for (int i = 0; i < 10000; ++i) {
    const std::string piece(1, static_cast<char>('a' + i % 26));
    buffer.Append(AsBytes(piece));
    want += piece;
    moves += buffer.data() != at;
    at = buffer.data();
  }
  EXPECT_EQ(buffer.text(), want);
  EXPECT_LE(moves, 20u);
}

TEST(Buffer, AppendOfItsOwnBytes) {
  Buffer buffer = Buffer::CopyOf("abcdefgh");
  for (int i = 0; i < 8; ++i) buffer.Append(buffer.view());
  ASSERT_EQ(buffer.size(), 8u << 8);
  for (size_t i = 0; i < buffer.size(); i += 8) EXPECT_EQ(buffer.text().substr(i, 8), "abcdefgh");
}

TEST(Buffer, PooledGrowsWithinItsPool) {
  const auto pool = BufferPool::Create();
  Buffer buffer = pool->Copy(AsBytes("hello"));
  EXPECT_EQ(pool->Stats().bytes_in_use, 64u);
  buffer.Resize(200);
  EXPECT_EQ(buffer.text().substr(0, 5), "hello");
  EXPECT_EQ(buffer.capacity(), 256u);
  EXPECT_EQ(pool->Stats().bytes_in_use, 256u);
  buffer = Buffer();
  EXPECT_EQ(pool->Stats().bytes_in_use, 0u);
}

}  // namespace
}  // namespace grid
