#include "grid/transport/receive_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace grid::internal {
namespace {

TEST(ReceiveBuffer, GrowsWithWhatArrives_AndShrinksWhenLittleComes) {
  ReceiveBuffer buffer;
  EXPECT_EQ(buffer.capacity(), 0u);
  size_t total = 0;
  while (total < (size_t{8} << 20)) {
    const size_t size = std::min<size_t>(buffer.Room().size(), 5000);
    ASSERT_GT(size, 0u);
    buffer.Commit(size);
    total += size;
    ASSERT_LE(buffer.capacity(), std::max(3 * total, ReceiveBuffer::kSmallBytes));
  }
  EXPECT_EQ(buffer.contents().size(), total);
  buffer.Consume(total);
  for (int i = 0; i <= ReceiveBuffer::kQuietReads; ++i) {
    ASSERT_GT(buffer.Room().size(), 0u);
    buffer.Commit(10);
    buffer.Consume(10);
  }
  buffer.Room();
  EXPECT_EQ(buffer.capacity(), ReceiveBuffer::kSmallBytes);
}

TEST(ReceiveBuffer, ReadsThatFillIt_MakeItBusy_AndNoMore) {
  ReceiveBuffer buffer;
  for (int i = 0; i < 20; ++i) {
    const size_t size = buffer.Room().size();
    buffer.Commit(size);
    buffer.Consume(size);
  }
  EXPECT_EQ(buffer.capacity(), ReceiveBuffer::kBusyBytes);
}

TEST(ReceiveBuffer, WhatIsNotConsumed_StaysAndIsMovedTogether) {
  ReceiveBuffer buffer;
  uint8_t next_in = 0;
  uint8_t next_out = 0;
  for (int round = 0; round < 1000; ++round) {
    const MutableBytes room = buffer.Room();
    const size_t size = std::min<size_t>(room.size(), 997);
    for (size_t i = 0; i < size; ++i) room[i] = next_in++;
    buffer.Commit(size);
    const MutableBytes contents = buffer.contents();
    const size_t used = contents.size() * 3 / 4;
    for (size_t i = 0; i < used; ++i) ASSERT_EQ(contents[i], next_out++);
    buffer.Consume(used);
  }
  EXPECT_LE(buffer.capacity(), ReceiveBuffer::kBusyBytes);
}

}  // namespace
}  // namespace grid::internal
