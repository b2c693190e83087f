#include "grid/directory/lease_token.h"

namespace grid {

absl::Status LeaseToken::why() const {
  if (valid()) return absl::OkStatus();
  if (state_ == nullptr) return absl::FailedPreconditionError("this registration holds nothing");
  std::lock_guard lock(state_->mutex_);
  if (!state_->why_.ok()) return state_->why_;
  return absl::DeadlineExceededError("the lease was not renewed in time");
}

void LeaseToken::OnLost(absl::AnyInvocable<void()> callback) const {
  if (valid()) {
    std::lock_guard lock(state_->mutex_);
    // What passes the time just now is told by Lose, which comes later.
    if (!state_->told_) return state_->callbacks_.push_back(std::move(callback));
  }
  callback();
}

bool LeaseToken::State::Valid(TimePoint now) {
  TimePoint until = until_.load();
  while (until != kLost) {
    if (now < until) return true;
    // Whoever is told so now must never hear otherwise: an extension that comes late fails.
    if (until_.compare_exchange_weak(until, kLost)) return false;
  }
  return false;
}

bool LeaseToken::State::Extend(TimePoint until) {
  TimePoint before = until_.load();
  while (before != kLost && clock_->Now() < before) {
    if (until_.compare_exchange_weak(before, until)) return true;
  }
  return false;
}

void LeaseToken::State::Lose(const absl::Status& why) {
  until_.store(kLost);
  std::vector<absl::AnyInvocable<void()>> callbacks;
  {
    std::lock_guard lock(mutex_);
    if (told_) return;
    told_ = true;
    why_ = why;
    callbacks.swap(callbacks_);
  }
  for (auto& callback : callbacks) callback();
}

}  // namespace grid
