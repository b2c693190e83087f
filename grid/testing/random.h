// Random: a small seeded generator for tests, the same on every compiler and library.
//
// Not thread-safe. Not for anything but tests.
//
//   testing::Random random(seed);
//   size_t size = random.Below(4096);
#ifndef GRID_GRID_TESTING_RANDOM_H_
#define GRID_GRID_TESTING_RANDOM_H_

#include <cstdint>

#include "grid/base/clock.h"

namespace grid::testing {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 to n - 1; n must not be 0. The bias is far below what a test could see.
  uint64_t Below(uint64_t n) { return Next() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // Both ends included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  Duration Between(Duration low, Duration high) {
    return Duration(Between(int64_t{low.count()}, int64_t{high.count()}));
  }

 private:
  uint64_t state_;
};

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_RANDOM_H_
