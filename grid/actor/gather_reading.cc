// Who reads the results of a GatherOperation: one by one, all together, or no longer.
#include <iterator>
#include <utility>

#include "grid/actor/gather_operation.h"

namespace grid::internal {

void GatherOperation::Drop() {
  {
    std::lock_guard lock(mutex_);
    results_.clear();
    if (over_) return;
  }
  ++core_->env().counters().cancelled;
  Finish(absl::CancelledError("the results were dropped"), false);
}

void GatherOperation::Next(NextCompletion completion) {
  uint64_t number = 0;
  {
    std::unique_lock lock(mutex_);
    if (next_) {
      lock.unlock();
      return StartingVerb::Complete(
          core_->env(), std::move(completion),
          absl::StatusOr<std::optional<RawResult>>(
              absl::FailedPreconditionError("another Next is under way")));
    }
    number = ++next_number_;
    auto slot = completion.cancellation_slot();
    if (slot.is_connected()) {
      slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        self->core_->env().OnControl([self, number] { self->CancelNext(number); });
      });
    }
    next_ = std::move(completion);
  }
  Tell();
}

void GatherOperation::CancelNext(uint64_t number) {
  NextCompletion next;
  {
    std::lock_guard lock(mutex_);
    if (!next_ || next_number_ != number) return;
    next = std::move(next_);
  }
  next(absl::CancelledError("cancelled"));
}

void GatherOperation::All(ResultsCompletion completion) {
  {
    std::lock_guard lock(mutex_);
    all_ = std::move(completion);
  }
  Tell();
}

void GatherOperation::Tell() {
  NextCompletion next;
  ResultsCompletion all;
  absl::StatusOr<std::optional<RawResult>> result(std::nullopt);
  RawResults results;
  {
    std::lock_guard lock(mutex_);
    if (next_ && !results_.empty()) {
      result = std::move(results_.front());
      results_.pop_front();
      next = std::move(next_);
    } else if (next_ && over_) {
      if (!status_.ok()) result = status_;
      next = std::move(next_);
    }
    if (all_ && over_) {
      results = {.status = status_, .results = {}, .cancelled = cancelled_, .enough = Enough()};
      results.results.assign(std::make_move_iterator(results_.begin()),
                             std::make_move_iterator(results_.end()));
      results_.clear();
      all = std::move(all_);
    }
  }
  if (next) StartingVerb::Complete(core_->env(), std::move(next), std::move(result));
  if (all) StartingVerb::Complete(core_->env(), std::move(all), std::move(results));
}

}  // namespace grid::internal
