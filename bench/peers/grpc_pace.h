// Pace: wakes the loop of a system whose answers come on threads of its own.
#ifndef GRID_BENCH_PEERS_GRPC_PACE_H_
#define GRID_BENCH_PEERS_GRPC_PACE_H_

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/common/workload.h"

namespace grid::bench {

// Calls `fill` at the start, and in an open loop whenever a message may be due, until the window is
// over. `fill` says when that is next.
template <typename Fill>
void Pace(const Window& window, Fill fill) {
  // While everything is in flight what is due stays in the past, and the answers see to it.
  constexpr std::chrono::microseconds kAtLeast{20};
  for (;;) {
    const Clock::time_point wake = fill();
    const Clock::time_point now = Clock::now();
    if (now >= window.end) return;
    std::this_thread::sleep_until(std::min(std::max(wake, now + kAtLeast), window.end));
  }
}

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_GRPC_PACE_H_
