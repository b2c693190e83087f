#include "grid/runtime/poll_loop.h"

namespace grid {

void RunPolling(boost::asio::io_context& io, std::chrono::microseconds budget) {
  using Clock = std::chrono::steady_clock;
  if (budget.count() == 0) {
    io.run();
    return;
  }
  PollHistory history;
  const auto poll = [&] {
    const Clock::time_point idle_since = Clock::now();
    do {
      if (io.poll() > 0) return true;
    } while (!io.stopped() && Clock::now() - idle_since < budget);
    return false;
  };
  while (!io.stopped()) {
    if (history.ShouldPoll()) {
      if (poll()) {
        history.Found();
        continue;
      }
      history.Missed();
    }
    io.run_one();
    io.poll();  // what has become ready with it
  }
}

}  // namespace grid
