// RateLimit: a token bucket. So many events at once, so many per second in the long run.
//
// One point in time is all its state: when the bucket would be full again. One thread.
//
//   RateLimit limit(10'000, 1'000);
//   if (!limit.Take(now)) ...           // the 10,001st at one time
#ifndef GRID_GRID_MUX_RATE_LIMIT_H_
#define GRID_GRID_MUX_RATE_LIMIT_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "grid/base/clock.h"

namespace grid {

class RateLimit {
 public:
  // `burst` and `per_second`: 1 to a thousand million.
  RateLimit(uint32_t burst, uint32_t per_second)
      : interval_(std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second),
        capacity_(interval_ * burst) {}

  // Takes one token. False when there is none; nothing is taken then. `now` must not go back.
  bool Take(TimePoint now) {
    const TimePoint full_at = std::max(full_at_, now) + interval_;
    if (full_at - now > capacity_) return false;
    full_at_ = full_at;
    return true;
  }

 private:
  const std::chrono::nanoseconds interval_;
  const std::chrono::nanoseconds capacity_;
  TimePoint full_at_;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_RATE_LIMIT_H_
