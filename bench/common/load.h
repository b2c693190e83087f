// Load: says when the next message is to be begun, and counts the answers. OrderedLoad: the same
// for systems whose answers come in the order of their messages.
//
// A closed loop (rate 0) may begin a message at any time until the end; a system keeps `inflight`
// of them on their way. An open loop begins them at fixed times, and measures from the time a
// message was due, not from when it could be sent at last: a slow system can't hide its queue by
// slowing down who asks (coordinated omission).
//
//   Load load(workload, window);
//   while (load.Due(now)) Send(load.Begin(now));   // keep the stamp with the message
//   load.Answered(stamp, now);
//
// Cheap enough for millions of messages a second: reads no clock, allocates nothing. Not
// thread-safe; one Load for each thread, or a lock around it.
#ifndef GRID_BENCH_COMMON_LOAD_H_
#define GRID_BENCH_COMMON_LOAD_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "bench/common/workload.h"
#include "tools/common/histogram.h"

namespace grid::bench {

// What happened inside the window.
struct Tally {
  uint64_t requests = 0;  // answered, or received where nobody asks
  uint64_t errors = 0;    // at any time
  absl::Status first_error;
  tools::LatencyHistogram latency;

  void Add(const Tally& other);
};

class Load {
 public:
  Load(const Workload& workload, const Window& window);

  const Workload& workload() const { return workload_; }
  Clock::time_point end() const { return window_.end; }
  bool Over(Clock::time_point now) const { return now >= window_.end; }

  // Whether a message is to be begun at `now`; never in a one-way run, nor after the end.
  bool Due(Clock::time_point now) const { return due_ <= now && now < window_.end; }
  // When the next one will be. Clock::time_point::max() in a one-way run.
  Clock::time_point due() const { return due_; }
  // Counts it as begun. What its latency is measured from: `now`, or when it was due.
  Clock::time_point Begin(Clock::time_point now);

  void Answered(Clock::time_point sent, Clock::time_point now, uint64_t count = 1) {
    if (!window_.Contains(now)) return;
    tally_.requests += count;
    tally_.latency.Record(now - sent, count);
  }
  // One-way: a message has no beginning that we know of.
  void Arrived(Clock::time_point now, uint64_t count = 1) {
    if (window_.Contains(now)) tally_.requests += count;
  }
  void Failed(const absl::Status& status);

  const Tally& tally() const { return tally_; }

 private:
  const Workload workload_;
  const Window window_;
  Clock::time_point due_;
  uint64_t begun_ = 0;
  Tally tally_;
};

// Keeps the stamps itself, one for all messages begun at the same time.
class OrderedLoad {
 public:
  OrderedLoad(const Workload& workload, const Window& window);

  // How many messages to send at `now`.
  size_t Begin(Clock::time_point now);
  // `count` more have come. More than were asked for is an error.
  void Answered(size_t count, Clock::time_point now);

  // When Begin may have more to send though no answer came; max() if never.
  Clock::time_point WakeAt() const;
  bool Over(Clock::time_point now) const { return load_.Over(now); }

  const Load& load() const { return load_; }
  void Failed(const absl::Status& status) { load_.Failed(status); }

 private:
  struct Run {
    Clock::time_point sent;
    size_t count;
  };

  void Push(Clock::time_point sent, size_t count);

  Load load_;
  std::vector<Run> runs_;  // a ring: each holds a message at least, so `inflight` runs are enough
  size_t oldest_ = 0;
  size_t used_ = 0;
  size_t inflight_ = 0;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_LOAD_H_
