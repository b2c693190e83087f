#include "grid/directory/retry_loop.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status) || absl::IsAborted(status);
}

RetryLoop::RetryLoop(RetrySettings settings, TimePoint deadline, Attempt attempt, Done finished)
    : settings_(std::move(settings)),
      deadline_(deadline),
      attempt_(std::move(attempt)),
      finished_(std::move(finished)) {}

void RetryLoop::Run() {
  const auto self = shared_from_this();
  if (!timer_.has_value()) {
    timer_.emplace(settings_.io, *settings_.clock, [weak = weak_from_this()] {
      if (const auto loop = weak.lock()) loop->OnTimer();
    });
  }
  const TimePoint now = settings_.clock->Now();
  if (now >= deadline_) return OnTimer();
  // No attempt lasts beyond the deadline, so one timer does for both.
  timer_->Set(deadline_ == TimePoint::max() ? now + settings_.attempt * 2 : deadline_);
  const uint64_t number = ++number_;
  pausing_ = false;
  attempt_(std::min(settings_.attempt, deadline_ - now),
           [self, number](absl::Status status) { self->OnAttempted(number, std::move(status)); });
}

void RetryLoop::OnAttempted(uint64_t number, absl::Status status) {
  if (over() || number != number_ || pausing_) return;
  if (!MayPass(status)) return End(std::move(status));
  last_ = std::move(status);
  pausing_ = true;
  const double random = std::uniform_real_distribution<double>(0, 1)(settings_.random);
  const uint32_t next = static_cast<uint32_t>(std::min<uint64_t>(number_ + 1, UINT32_MAX));
  // A pause of nothing would go round without time passing.
  const Duration pause =
      std::max<Duration>(settings_.back_off.Pause(next, random), std::chrono::milliseconds(1));
  timer_->Set(std::min(settings_.clock->Now() + pause, deadline_));
}

void RetryLoop::Wake() {
  if (over() || !pausing_) return;
  ++settings_.retries;
  Run();
}

void RetryLoop::OnTimer() {
  if (over()) return;
  if (settings_.clock->Now() >= deadline_) {
    return End(absl::DeadlineExceededError(
        last_.ok() ? "the directory did not answer in time"
                   : absl::StrCat("not done in time: ", last_.message())));
  }
  if (pausing_) return Wake();
  // An attempt without a deadline that never came back.
  OnAttempted(number_, absl::DeadlineExceededError("the directory did not answer in time"));
}

void RetryLoop::End(absl::Status why) {
  if (over()) return;
  const auto self = shared_from_this();
  auto finished = std::exchange(finished_, nullptr);
  timer_.reset();
  // Not the attempt: it may be what called us.
  finished(std::move(why));
}

}  // namespace grid::internal
