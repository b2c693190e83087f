// RunPollLoop: the loop of systems that one thread drives, and that answer in order.
//
// Conn says how to send and how to learn of answers:
//
//   void Send(size_t count);      // begins `count` messages; may leave them to Receive
//   // Waits until there are answers or until `until` (time_point::max(): as long as it takes), and
//   // says how many came. An error ends the run.
//   absl::StatusOr<size_t> Receive(Clock::time_point until);
//
// The clock is read once for each batch of answers.
#ifndef GRID_BENCH_COMMON_POLL_LOOP_H_
#define GRID_BENCH_COMMON_POLL_LOOP_H_

#include "absl/status/statusor.h"
#include "bench/common/load.h"

namespace grid::bench {

template <typename Conn>
Tally RunPollLoop(Conn& conn, const Workload& workload, const Window& window) {
  OrderedLoad load(workload, window);
  Clock::time_point now = Clock::now();
  while (!load.Over(now)) {
    if (const size_t count = load.Begin(now); count > 0) conn.Send(count);
    const absl::StatusOr<size_t> answers = conn.Receive(load.WakeAt());
    now = Clock::now();
    if (!answers.ok()) {
      load.Failed(answers.status());
      break;
    }
    load.Answered(*answers, now);
  }
  return load.load().tally();
}

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_POLL_LOOP_H_
