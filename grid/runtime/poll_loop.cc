#include "grid/runtime/poll_loop.h"

namespace grid {

void RunPolling(boost::asio::io_context& io, std::chrono::microseconds budget) {
  using Clock = PollHistory::Clock;
  if (budget.count() == 0) {
    io.run();
    return;
  }
  PollHistory history;
  while (!io.stopped()) {
    const Clock::time_point begin = Clock::now();
    if (history.ShouldPoll(begin)) {
      // Not the time that its handlers take: until the poll that found something began.
      Clock::time_point end = begin;
      bool found = io.poll() > 0;
      while (!found && !io.stopped() && end - begin < budget) {
        end = Clock::now();
        found = io.poll() > 0;
      }
      if (found) {
        history.Found(begin, end);
        continue;
      }
      history.Missed(begin, end);
    }
    io.run_one();
    io.poll();  // what has become ready with it
  }
}

}  // namespace grid
