#include "bench/common/load.h"

#include <algorithm>

namespace grid::bench {

void Tally::Add(const Tally& other) {
  requests += other.requests;
  errors += other.errors;
  if (first_error.ok()) first_error = other.first_error;
  latency.Add(other.latency);
}

Load::Load(const Workload& workload, const Window& window)
    : workload_(workload),
      window_(window),
      due_(workload.mode == Mode::kOneWay ? Clock::time_point::max() : window.start) {}

Clock::time_point Load::Begin(Clock::time_point now) {
  if (workload_.rate <= 0) return now;
  const Clock::time_point due = due_;
  // From the start each time: a sum of rounded intervals would drift.
  const double seconds = static_cast<double>(++begun_) / workload_.rate;
  due_ = window_.start +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  return due;
}

void Load::Failed(const absl::Status& status) {
  ++tally_.errors;
  if (tally_.first_error.ok()) tally_.first_error = status;
}

OrderedLoad::OrderedLoad(const Workload& workload, const Window& window)
    : load_(workload, window), runs_(workload.inflight) {}

size_t OrderedLoad::Begin(Clock::time_point now) {
  const size_t room = load_.workload().inflight - inflight_;
  size_t count = 0;
  if (load_.workload().rate <= 0) {
    if (room == 0 || !load_.Due(now)) return 0;
    count = room;
    Push(load_.Begin(now), count);
  } else {
    for (; count < room && load_.Due(now); ++count) Push(load_.Begin(now), 1);
  }
  inflight_ += count;
  return count;
}

void OrderedLoad::Push(Clock::time_point sent, size_t count) {
  runs_[(oldest_ + used_++) % runs_.size()] = {sent, count};
}

void OrderedLoad::Answered(size_t count, Clock::time_point now) {
  if (load_.workload().mode == Mode::kOneWay) return load_.Arrived(now, count);
  if (count > inflight_) {
    load_.Failed(absl::DataLossError("more answers than requests"));
    count = inflight_;
  }
  inflight_ -= count;
  while (count > 0) {
    Run& run = runs_[oldest_];
    const size_t taken = std::min(count, run.count);
    load_.Answered(run.sent, now, taken);
    run.count -= taken;
    count -= taken;
    if (run.count == 0) {
      oldest_ = (oldest_ + 1) % runs_.size();
      --used_;
    }
  }
}

Clock::time_point OrderedLoad::WakeAt() const {
  const bool waits = load_.workload().rate > 0 && inflight_ < load_.workload().inflight;
  return waits ? load_.due() : Clock::time_point::max();
}

}  // namespace grid::bench
