// LatencyHistogram: counts durations in buckets whose width grows with the value, so that
// percentiles are right to within 1/64 from one nanosecond to 18 minutes, in 17 KiB and without
// allocation.
//
// Buckets, with s = 64 of them for each power of two:
//
//   value in ns   0 .. 63    64 .. 127   128 .. 255   256 .. 511  ...
//   width         1          1           2            4           ...
//
// Not thread-safe: one thread records. Copy or Add to combine.
#ifndef GRID_TOOLS_COMMON_HISTOGRAM_H_
#define GRID_TOOLS_COMMON_HISTOGRAM_H_

#include <array>
#include <chrono>
#include <cstdint>

namespace grid::tools {

class LatencyHistogram {
 public:
  // `count` times `value`. Negative values count as 0, those beyond the range in the last bucket.
  void Record(std::chrono::nanoseconds value, uint64_t count = 1);
  void Add(const LatencyHistogram& other);
  void Reset() { *this = LatencyHistogram(); }

  uint64_t count() const { return count_; }
  // Exact, 0 when nothing was recorded.
  std::chrono::nanoseconds max() const { return std::chrono::nanoseconds(max_); }
  // The least upper bound that `percentile` (0 to 100) of the values do not exceed, by its bucket's
  // largest value, and never above max(). 0 when nothing was recorded.
  std::chrono::nanoseconds Percentile(double percentile) const;

 private:
  static constexpr int kSubBits = 6;
  static constexpr int kMaxBits = 40;
  static constexpr size_t kBuckets = size_t{kMaxBits - kSubBits + 1} << kSubBits;

  static size_t BucketOf(uint64_t value);
  static uint64_t LastOf(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_HISTOGRAM_H_
