// Workload: what a client is asked to do, the same for every system.
#ifndef GRID_BENCH_COMMON_WORKLOAD_H_
#define GRID_BENCH_COMMON_WORKLOAD_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace grid::bench {

using Clock = std::chrono::steady_clock;

enum class Mode : uint8_t {
  kEcho,    // requests, each answered with its own bytes
  kOneWay,  // the server sends on a stream, the client counts
  kTwoWay,  // a stream in each direction, the server returns what it gets
};

struct Workload {
  Mode mode = Mode::kEcho;
  size_t inflight = 1;  // messages on their way at any time; one-way: the stream's window
  size_t size = 512;    // bytes of payload
  double rate = 0;      // messages begun per second, whatever the answers do; 0: as they come
  std::chrono::nanoseconds warm_up{0};
  std::chrono::nanoseconds duration{0};

  // Payload that one message moves, both directions together.
  size_t bytes_per_message() const { return mode == Mode::kOneWay ? size : 2 * size; }
};

// The measured time.
struct Window {
  Clock::time_point start;  // of the warm-up
  Clock::time_point begin;
  Clock::time_point end;

  bool Contains(Clock::time_point t) const { return begin <= t && t < end; }
};

inline Window WindowFrom(Clock::time_point start, const Workload& workload) {
  const Clock::time_point begin = start + workload.warm_up;
  return {.start = start, .begin = begin, .end = begin + workload.duration};
}

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_WORKLOAD_H_
