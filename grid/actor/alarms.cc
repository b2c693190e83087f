#include "grid/actor/alarms.h"

#include <boost/asio/post.hpp>
#include <vector>

namespace grid::internal {

Alarms::Id Alarms::At(TimePoint at, absl::AnyInvocable<void()> fire) {
  std::lock_guard lock(mutex_);
  const Id id(at, ++last_);
  if (closed_) return id;
  waiting_.emplace(id, std::move(fire));
  if (at >= armed_) return id;
  armed_ = at;
  boost::asio::post(io_, [self = shared_from_this()] { self->Arm(); });
  return id;
}

void Alarms::Cancel(const Id& id) {
  absl::AnyInvocable<void()> dropped;  // not under the lock
  std::lock_guard lock(mutex_);
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  dropped = std::move(found->second);
  waiting_.erase(found);
}

void Alarms::Close() {
  std::map<Id, absl::AnyInvocable<void()>> dropped;
  std::lock_guard lock(mutex_);
  if (std::exchange(closed_, true)) return;
  dropped.swap(waiting_);
  // The timer belongs to its thread.
  boost::asio::post(io_, [self = shared_from_this()] { self->timer_.reset(); });
}

void Alarms::Arm() {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  armed_ = waiting_.empty() ? TimePoint::max() : waiting_.begin()->first.first;
  if (armed_ == TimePoint::max()) return;
  if (!timer_.has_value()) {
    timer_.emplace(io_, *clock_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Fire();
    });
  }
  timer_->Set(armed_);
}

void Alarms::Fire() {
  std::vector<absl::AnyInvocable<void()>> due;
  {
    const TimePoint now = clock_->Now();
    std::lock_guard lock(mutex_);
    while (!waiting_.empty() && waiting_.begin()->first.first <= now) {
      due.push_back(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
    }
  }
  Arm();
  for (auto& fire : due) fire();
}

}  // namespace grid::internal
