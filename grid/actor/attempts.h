// Attempts: how often one target, or one call, was tried, and whether it is tried again. And the
// text that failures get.
//
// Pure; its owner locks.
#ifndef GRID_GRID_ACTOR_ATTEMPTS_H_
#define GRID_GRID_ACTOR_ATTEMPTS_H_

#include <chrono>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "grid/actor/target.h"
#include "grid/base/clock.h"
#include "grid/directory/call_policy.h"
#include "handlers/delivery.h"

namespace grid::internal {

class Attempts {
 public:
  void Begin() { ++made_; }
  // One that does not count: the directory was out of date.
  void TakeBack() { --made_; }
  uint32_t made() const { return made_; }

  // What one came to. Nothing that came before is forgotten: a call that may have been executed
  // once stays so, whatever comes after it.
  void Failed(Delivery delivery) {
    if (delivery > worst_) worst_ = delivery;
  }
  bool MayHaveRun() const { return worst_ > Delivery::kRejected; }

  // `random`: 0 to 1. The pause before the next attempt; nothing where the policy permits none, or
  // the deadline leaves no time for it.
  std::optional<std::chrono::milliseconds> Next(const CallPolicy& policy, Delivery delivery,
                                                TimePoint now, TimePoint deadline,
                                                double random) const;

  // The error that the caller gets: with the worst class of all attempts, how many there were, and
  // whom the last one was for (may be null).
  absl::Status Error(const absl::Status& last, const Target* target) const;

 private:
  uint32_t made_ = 0;
  Delivery worst_ = Delivery::kNotSent;
};

// Whether a failure tells that its target could not be reached.
bool IsUnreachable(const absl::Status& status);
// The upper bits of `bits` as 0 to 1.
double Fraction(uint64_t bits);

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ATTEMPTS_H_
