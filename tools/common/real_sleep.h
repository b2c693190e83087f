// Waiting in coroutines, in real time.
#ifndef GRID_TOOLS_COMMON_REAL_SLEEP_H_
#define GRID_TOOLS_COMMON_REAL_SLEEP_H_

#include <boost/asio/awaitable.hpp>
#include <chrono>

namespace grid::tools {

// Completes after `time`, or at once on terminal cancellation, on the coroutine's executor.
boost::asio::awaitable<void> RealSleep(std::chrono::milliseconds time);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_REAL_SLEEP_H_
