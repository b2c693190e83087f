#include "handlers/recycling_allocator.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace grid {
namespace {

// Sizes that nothing else in this program has.
template <size_t kBytes>
struct Block {
  std::array<uint8_t, kBytes> bytes;
};

template <typename T>
T* Take() {
  return RecyclingAllocator<T>().allocate(1);
}
template <typename T>
void Give(T* memory) {
  RecyclingAllocator<T>().deallocate(memory, 1);
}

TEST(RecyclingAllocatorTest, WhatWasGivenBackLastIsTakenFirst) {
  if (!internal::kRecycles) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  using T = Block<700>;
  T* const first = Take<T>();
  T* const second = Take<T>();
  EXPECT_NE(first, second);
  Give(first);
  Give(second);
  EXPECT_EQ(Take<T>(), second);
  EXPECT_EQ(Take<T>(), first);
  Give(first);
  Give(second);
}

TEST(RecyclingAllocatorTest, TypesOfOneSizeShareIt_OthersDoNot) {
  if (!internal::kRecycles) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  Block<770>* const memory = Take<Block<770>>();
  Give(memory);
  Block<900>* const larger = Take<Block<900>>();
  EXPECT_NE(static_cast<void*>(larger), static_cast<void*>(memory));
  Block<780>* const same = Take<Block<780>>();  // both are rounded up to 832
  EXPECT_EQ(static_cast<void*>(same), static_cast<void*>(memory));
  Give(larger);
  Give(same);
}

TEST(RecyclingAllocatorTest, KeepsNoMoreThanItMay) {
  if (!internal::kRecycles) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  using T = Block<1024>;
  constexpr size_t kMost = RecyclingAllocator<T>::kMaxIdleBytes / 1024;
  std::vector<T*> taken(kMost + 10);
  for (T*& one : taken) one = Take<T>();
  for (T* one : taken) Give(one);  // the last ten go to the system
  const std::set<T*> kept(taken.begin(), taken.begin() + kMost);
  for (size_t i = 0; i < kMost; ++i) {
    taken[i] = Take<T>();
    EXPECT_TRUE(kept.contains(taken[i]));
  }
  for (size_t i = 0; i < kMost; ++i) Give(taken[i]);
}

TEST(RecyclingAllocatorTest, ServesContainersAndSharedPointers) {
  std::vector<int, RecyclingAllocator<int>> numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(i);
  EXPECT_EQ(numbers.back(), 999);
  const auto shared = std::allocate_shared<Block<100>>(RecyclingAllocator<Block<100>>());
  EXPECT_EQ(shared.use_count(), 1);
  const auto large = std::allocate_shared<Block<5000>>(RecyclingAllocator<Block<5000>>());
  EXPECT_EQ(large.use_count(), 1);
}

}  // namespace
}  // namespace grid
