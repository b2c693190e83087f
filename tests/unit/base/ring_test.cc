#include "grid/base/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "grid/testing/random.h"

namespace grid {
namespace {

TEST(Ring, GivesBackInOrder) {
  Ring<int> ring;
  EXPECT_TRUE(ring.empty());
  for (int i = 0; i < 5; ++i) ring.PushBack(i);
  EXPECT_EQ(ring.size(), 5u);
  EXPECT_EQ(ring.front(), 0);
  EXPECT_EQ(ring.back(), 4);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ring.PopFront(), i);
  EXPECT_TRUE(ring.empty());
}

TEST(Ring, LetsGoOfWhatIsTaken) {
  const auto value = std::make_shared<int>(1);
  Ring<std::shared_ptr<int>> ring;
  ring.PushBack(value);
  ring.PushBack(value);
  ring.PopFront();
  EXPECT_EQ(value.use_count(), 2);
  ring.Clear();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Ring, RandomUse_IsThatOfADeque) {
  testing::Random random(11);
  Ring<int> ring;
  std::deque<int> expected;
  for (int i = 0; i < 10'000; ++i) {
    if (expected.empty() || random.OneIn(2)) {
      ring.PushBack(i);
      expected.push_back(i);
    } else {
      ASSERT_EQ(ring.PopFront(), expected.front());
      expected.pop_front();
    }
    std::vector<int> all;
    ring.ForEach([&](int value) { all.push_back(value); });
    ASSERT_TRUE(std::equal(all.begin(), all.end(), expected.begin(), expected.end()));
  }
}

}  // namespace
}  // namespace grid
