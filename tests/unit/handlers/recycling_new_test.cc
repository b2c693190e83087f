#include "handlers/recycling_new.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>

namespace grid {
namespace {

struct Base {
  virtual ~Base() = default;
};

struct Object final : Base, RecyclingNew<Object> {
  // Together of a size that nothing else in this program has.
  std::array<uint8_t, 630> bytes;
};

TEST(RecyclingNewTest, TakesNoRoomOfItsOwn) {
  struct Plain final : Base {
    std::array<uint8_t, 630> bytes;
  };
  EXPECT_EQ(sizeof(Object), sizeof(Plain));
}

TEST(RecyclingNewTest, ObjectsThatABaseOwnsGiveTheirMemoryToTheNext) {
  if (!internal::kRecycles) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  std::unique_ptr<Base> first = std::make_unique<Object>();
  const void* const memory = first.get();
  first.reset();
  // Of the allocator's own blocks, so that others of this size have it as well.
  Object* const taken = RecyclingAllocator<Object>().allocate(1);
  EXPECT_EQ(taken, memory);
  RecyclingAllocator<Object>().deallocate(taken, 1);
  const std::unique_ptr<Base> next = std::make_unique<Object>();
  EXPECT_EQ(next.get(), memory);
}

}  // namespace
}  // namespace grid
