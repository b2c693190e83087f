#include "serialization/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

namespace grid {
namespace {

TEST(BufferPool, CapacityIsThePowerOfTwoAbove) {
  EXPECT_EQ(BufferPool::CapacityFor(0), 64u);
  EXPECT_EQ(BufferPool::CapacityFor(64), 64u);
  EXPECT_EQ(BufferPool::CapacityFor(65), 128u);
  EXPECT_EQ(BufferPool::CapacityFor(4096), 4096u);
  EXPECT_EQ(BufferPool::CapacityFor(4097), 8192u);
  EXPECT_EQ(BufferPool::CapacityFor(BufferPool::kMaxPooledBlock), size_t{8} << 20);
  EXPECT_EQ(BufferPool::CapacityFor(BufferPool::kMaxPooledBlock + 1), (size_t{8} << 20) + 1);
  const auto pool = BufferPool::Create();
  for (const size_t size : {0u, 1u, 64u, 65u, 1000u, 65536u, 1048576u, 1048577u}) {
    Buffer buffer = pool->Take(size);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(buffer.capacity(), BufferPool::CapacityFor(size));
    EXPECT_FALSE(buffer.is_nil());
    std::memset(buffer.data(), 0xab, buffer.capacity());
  }
}

TEST(BufferPool, CopyTellsNilFromEmpty) {
  const auto pool = BufferPool::Create();
  EXPECT_TRUE(pool->Copy(BytesView()).is_nil());
  EXPECT_FALSE(pool->Copy(EmptyBytes()).is_nil());
  EXPECT_EQ(pool->Copy(EmptyBytes()).size(), 0u);
  EXPECT_EQ(pool->Copy(AsBytes("hello")).text(), "hello");
}

TEST(BufferPool, ReturnedBlockIsTakenAgain) {
  const auto pool = BufferPool::Create();
  Buffer first = pool->Take(500);
  const uint8_t* const where = first.data();
  first = Buffer();
  const Buffer second = pool->Take(400);
  EXPECT_EQ(second.data(), where);
  EXPECT_EQ(pool->Stats().taken, 2u);
  EXPECT_EQ(pool->Stats().allocated, 1u);
}

TEST(BufferPool, NothingIsAllocatedOnceWarm) {
  const auto pool = BufferPool::Create();
  const auto round = [&] {
    std::vector<Buffer> held;
    for (size_t size = 1; size <= size_t{1} << 20; size *= 2) {
      for (int i = 0; i < 10; ++i) held.push_back(pool->Take(size));
    }
  };
  round();
  const uint64_t allocated = pool->Stats().allocated;
  for (int i = 0; i < 10; ++i) round();
  EXPECT_EQ(pool->Stats().allocated, allocated);
  EXPECT_EQ(pool->Stats().bytes_in_use, 0u);
}

TEST(BufferPool, StatsCountBytes) {
  const auto pool = BufferPool::Create();
  std::vector<Buffer> held;
  for (int i = 0; i < 1000; ++i) held.push_back(pool->Take(100));
  held.push_back(pool->Take(9 << 20));
  EXPECT_EQ(pool->Stats().bytes_in_use, 1000u * 128 + (9 << 20));
  EXPECT_EQ(pool->Stats().bytes_retained, 0u);
  EXPECT_EQ(pool->Stats().taken, 1001u);
  held.clear();
  EXPECT_EQ(pool->Stats().bytes_in_use, 0u);
  // The large one was freed at once.
  EXPECT_EQ(pool->Stats().bytes_retained, 1000u * 128);
}

TEST(BufferPool, TryTakeRefusesOverTheBudget_TakeDoesNot) {
  const auto pool = BufferPool::Create({.budget_bytes = 1024});
  Buffer a = pool->TryTake(512);
  const Buffer b = pool->TryTake(512);
  EXPECT_FALSE(a.is_nil());
  EXPECT_FALSE(b.is_nil());
  EXPECT_TRUE(pool->TryTake(1).is_nil());
  EXPECT_EQ(pool->Stats().refused, 1u);
  EXPECT_FALSE(pool->Take(1).is_nil());
  a = Buffer();
  EXPECT_TRUE(pool->TryTake(513).is_nil());
  EXPECT_FALSE(pool->TryTake(512).is_nil());
  EXPECT_EQ(pool->Stats().refused, 2u);
}

TEST(BufferPool, TryTakeOfAbsurdSizeIsRefused) {
  const auto pool = BufferPool::Create();
  EXPECT_TRUE(pool->TryTake(SIZE_MAX).is_nil());
  EXPECT_TRUE(pool->TryTake(SIZE_MAX / 2).is_nil());
  const auto unbounded = BufferPool::Create({.budget_bytes = SIZE_MAX});
  EXPECT_FALSE(unbounded->TryTake(1).is_nil());
}

TEST(BufferPool, RetainsNoMoreThanTold) {
  const auto pool = BufferPool::Create({.retained_bytes = 10000});
  std::vector<Buffer> held;
  for (int i = 0; i < 100; ++i) held.push_back(pool->Take(1024));
  held.clear();
  EXPECT_LE(pool->Stats().bytes_retained, 10000u);
  EXPECT_GE(pool->Stats().bytes_retained, 8 * 1024u);
}

TEST(BufferPool, RetainsNothingWhenToldZero) {
  const auto pool = BufferPool::Create({.retained_bytes = 0});
  for (int i = 0; i < 3; ++i) pool->Take(64);
  EXPECT_EQ(pool->Stats().bytes_retained, 0u);
  EXPECT_EQ(pool->Stats().allocated, 3u);
}

TEST(BufferPool, TrimFreesWhatIsRetained) {
  const auto pool = BufferPool::Create();
  std::vector<Buffer> held;
  for (int i = 0; i < 1000; ++i) held.push_back(pool->Take(1000));
  held.resize(1);
  EXPECT_EQ(pool->Stats().bytes_retained, 999u * 1024);
  pool->Trim();
  EXPECT_EQ(pool->Stats().bytes_retained, 0u);
  EXPECT_EQ(pool->Stats().bytes_in_use, 1024u);
}

TEST(BufferPool, BuffersOutliveTheirPool) {
  auto pool = BufferPool::Create();
  std::vector<Buffer> held;
  for (int i = 0; i < 200; ++i) held.push_back(pool->Copy(AsBytes("hello")));
  Buffer large = pool->Take(5 << 20);
  pool->Take(64);  // leaves a block in the cache
  pool.reset();
  EXPECT_EQ(held[7].text(), "hello");
  held[7].Resize(5000);  // still grows
  EXPECT_EQ(held[7].text().substr(0, 5), "hello");
  held.clear();
  large.Append(AsBytes("x"));
}

TEST(BufferPool, PoolsKeepTheirBlocksApart) {
  const auto a = BufferPool::Create();
  const auto b = BufferPool::Create();
  for (int i = 0; i < 100; ++i) {
    Buffer from_a = a->Take(100);
    Buffer from_b = b->Take(100);
    std::swap(from_a, from_b);
  }
  EXPECT_EQ(a->Stats().allocated, 1u);
  EXPECT_EQ(b->Stats().allocated, 1u);
  EXPECT_EQ(a->Stats().taken, 100u);
  EXPECT_EQ(a->Stats().bytes_in_use, 0u);
  EXPECT_EQ(b->Stats().bytes_retained, 128u);
}

TEST(BufferPool, ManyPoolsComeAndGo) {
  Buffer survivor;
  for (int i = 0; i < 100; ++i) {
    const auto pool = BufferPool::Create();
    survivor = pool->Take(100);
    pool->Take(1000);
  }
  EXPECT_EQ(survivor.size(), 100u);
}

}  // namespace
}  // namespace grid
