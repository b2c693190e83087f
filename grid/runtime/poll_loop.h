// RunPolling: runs an io_context, and looks for new work for a while before it blocks.
//
// Waking a blocked thread costs some 35 µs each way, as much as several round trips between threads
// that are awake. So a thread that has just worked polls for up to `budget`. It learns whether that
// pays: polling that found nothing is given up after a few times, and tried again now and then
// only; and polling for longer than kWorthwhile takes at most an eleventh of the time, whether it
// finds something or not. So a thread with nothing to do, or with a request every millisecond,
// blocks.
#ifndef GRID_GRID_RUNTIME_POLL_LOOP_H_
#define GRID_GRID_RUNTIME_POLL_LOOP_H_

#include <boost/asio/io_context.hpp>
#include <chrono>

namespace grid {

// Whether the next idle time is worth polling through. One thread.
class PollHistory {
 public:
  using Clock = std::chrono::steady_clock;

  // Idle times that are slept through between two tries.
  static constexpr int kTryEvery = 16;
  // Misses in a row after which polling is given up; hits are remembered as long.
  static constexpr int kMost = 4;
  // What polling may cost for what it saves: two wakings and a half.
  static constexpr std::chrono::microseconds kWorthwhile{100};
  // After polling for longer, the thread sleeps through whatever is idle for so many times as long.
  static constexpr int kRest = 10;

  bool ShouldPoll(Clock::time_point now) {
    if (now < rest_until_) return false;
    if (hits_ > 0) return true;
    if (++slept_ < kTryEvery) return false;
    slept_ = 0;
    return true;
  }
  // How polling from `begin` on went, and when it found something or was given up.
  void Found(Clock::time_point begin, Clock::time_point end) {
    hits_ = hits_ < kMost ? hits_ + 1 : kMost;
    RestAfter(begin, end);
  }
  void Missed(Clock::time_point begin, Clock::time_point end) {
    hits_ = hits_ > 0 ? hits_ - 1 : 0;
    RestAfter(begin, end);
  }

 private:
  void RestAfter(Clock::time_point begin, Clock::time_point end) {
    if (end - begin > kWorthwhile) rest_until_ = end + kRest * (end - begin);
  }

  int hits_ = 0;
  int slept_ = 0;
  Clock::time_point rest_until_ = Clock::time_point::min();
};

// Until the io_context is stopped or out of work. `budget` 0: without polling.
void RunPolling(boost::asio::io_context& io, std::chrono::microseconds budget);

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_POLL_LOOP_H_
