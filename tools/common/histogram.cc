#include "tools/common/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace grid::tools {

size_t LatencyHistogram::BucketOf(uint64_t value) {
  constexpr uint64_t kLargest = (uint64_t{1} << kMaxBits) - 1;
  value = std::min(value, kLargest);
  const int bits = static_cast<int>(std::bit_width(value));
  if (bits <= kSubBits) return value;
  // The highest bit chooses the row, the next kSubBits the place in it.
  const int shift = bits - 1 - kSubBits;
  const uint64_t row = static_cast<uint64_t>(shift) + 1;
  return (row << kSubBits) + ((value >> shift) - (uint64_t{1} << kSubBits));
}

uint64_t LatencyHistogram::LastOf(size_t bucket) {
  const uint64_t row = bucket >> kSubBits;
  const uint64_t place = bucket & ((uint64_t{1} << kSubBits) - 1);
  if (row == 0) return place;
  const uint64_t shift = row - 1;
  return ((place + (uint64_t{1} << kSubBits) + 1) << shift) - 1;
}

void LatencyHistogram::Record(std::chrono::nanoseconds value, uint64_t count) {
  if (count == 0) return;
  const int64_t ns = std::max<int64_t>(value.count(), 0);
  buckets_[BucketOf(static_cast<uint64_t>(ns))] += count;
  count_ += count;
  max_ = std::max(max_, ns);
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds LatencyHistogram::Percentile(double percentile) const {
  if (count_ == 0) return std::chrono::nanoseconds(0);
  const double share = std::clamp(percentile, 0.0, 100.0) / 100;
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) {
      // The last bucket has no upper end of its own.
      const uint64_t last = i + 1 == kBuckets ? static_cast<uint64_t>(max_) : LastOf(i);
      return std::chrono::nanoseconds(std::min(static_cast<int64_t>(last), max_));
    }
  }
  return max();
}

}  // namespace grid::tools
