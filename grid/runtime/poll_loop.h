// RunPolling: runs an io_context, and looks for new work for a while before it blocks.
//
// Waking a blocked thread costs some 35 µs each way, as much as several round trips between threads
// that are awake. So a thread that has just worked polls for up to `budget`. It learns whether that
// pays: polling that found nothing is given up after a few times, and tried again now and then
// only, so a thread with nothing to do, or with a request every millisecond, blocks.
#ifndef GRID_GRID_RUNTIME_POLL_LOOP_H_
#define GRID_GRID_RUNTIME_POLL_LOOP_H_

#include <boost/asio/io_context.hpp>
#include <chrono>

namespace grid {

// Whether the next idle time is worth polling through. One thread.
class PollHistory {
 public:
  // Idle times that are slept through between two tries.
  static constexpr int kTryEvery = 16;
  // Misses in a row after which polling is given up; hits are remembered as long.
  static constexpr int kMost = 4;

  bool ShouldPoll() {
    if (hits_ > 0) return true;
    if (++slept_ < kTryEvery) return false;
    slept_ = 0;
    return true;
  }
  void Found() { hits_ = hits_ < kMost ? hits_ + 1 : kMost; }
  void Missed() { hits_ = hits_ > 0 ? hits_ - 1 : 0; }

 private:
  int hits_ = 0;
  int slept_ = 0;
};

// Until the io_context is stopped or out of work. `budget` 0: without polling.
void RunPolling(boost::asio::io_context& io, std::chrono::microseconds budget);

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_POLL_LOOP_H_
