// BatchClock: the time, read once for all that an I/O thread does in one go instead of once for
// each message; and again now and then, so that the last of a large batch is not stamped with the
// time of the first.
//
// Belongs to the one thread that runs `io`.
#ifndef GRID_BENCH_E2E_BATCH_CLOCK_H_
#define GRID_BENCH_E2E_BATCH_CLOCK_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "bench/common/workload.h"

namespace grid::bench {

class BatchClock {
 public:
  explicit BatchClock(boost::asio::io_context& io) : io_(io) {}

  Clock::time_point Now() {
    if (uses_ % kUses == 0) now_ = Clock::now();
    // Whatever was read from the socket is worked off before anything that is posted now.
    if (uses_ == 0) boost::asio::post(io_, [this] { uses_ = 0; });
    ++uses_;
    return now_;
  }

 private:
  static constexpr size_t kUses = 16;

  boost::asio::io_context& io_;
  Clock::time_point now_;
  size_t uses_ = 0;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_BATCH_CLOCK_H_
