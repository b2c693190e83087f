// LeaseToken: tells whether a registration is still ours. It stops being valid a third of the lease
// before anybody else can get the name, so there is time to put down what the name allows.
//
//   LeaseToken token = registration.token();
//   if (!token.valid()) return;                   // before every step that needs the name
//   token.OnLost([] { ... stop ... });
//
// By the time, not by being told: valid() is right also in a process that was stopped for minutes
// and has just gone on. Once false it stays false. Copies are the same token; any thread.
#ifndef GRID_GRID_DIRECTORY_LEASE_TOKEN_H_
#define GRID_GRID_DIRECTORY_LEASE_TOKEN_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grid/base/clock.h"

namespace grid {

class LeaseToken {
 public:
  // Never valid.
  LeaseToken() = default;

  bool valid() const { return state_ != nullptr && state_->Valid(); }
  // The same for who has read the directory's clock just now.
  bool valid(TimePoint now) const { return state_ != nullptr && state_->Valid(now); }
  // When it ends unless the lease is renewed before; in the past once it is not valid.
  TimePoint until() const { return state_ != nullptr ? state_->until() : TimePoint::min(); }
  // Why it is not; OK while it is valid.
  absl::Status why() const;
  // Runs `callback` once when it stops being valid, on the directory's thread (do not block there);
  // at once when it is not valid now. It must not throw.
  void OnLost(absl::AnyInvocable<void()> callback) const;

  // For the directory, on its thread, but for Valid.
  class State {
   public:
    State(std::shared_ptr<Clock> clock, TimePoint until)
        : clock_(std::move(clock)), until_(until) {}

    bool Valid() { return Valid(clock_->Now()); }
    bool Valid(TimePoint now);
    // Moves the end on; false when it has already passed, and then for ever.
    bool Extend(TimePoint until);
    TimePoint until() const { return until_.load(); }
    // Ends it, if it has not ended, and runs the callbacks. `why` must not be OK; the first stays.
    void Lose(const absl::Status& why);

   private:
    friend class LeaseToken;
    static constexpr TimePoint kLost = TimePoint::min();

    const std::shared_ptr<Clock> clock_;
    std::atomic<TimePoint> until_;
    std::mutex mutex_;
    absl::Status why_ ABSL_GUARDED_BY(mutex_);
    bool told_ ABSL_GUARDED_BY(mutex_) = false;
    std::vector<absl::AnyInvocable<void()>> callbacks_ ABSL_GUARDED_BY(mutex_);
  };
  explicit LeaseToken(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_LEASE_TOKEN_H_
