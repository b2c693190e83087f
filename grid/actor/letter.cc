#include "grid/actor/letter.h"

namespace grid {

absl::Status Cancellation::why() const {
  std::lock_guard lock(mutex_);
  return why_;
}

void Cancellation::OnCancel(absl::AnyInvocable<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (why_.ok()) return callbacks_.push_back(std::move(callback));
  }
  callback();
}

void Cancellation::Forget() {
  std::vector<absl::AnyInvocable<void()>> callbacks;
  std::lock_guard lock(mutex_);
  callbacks.swap(callbacks_);
}

void Cancellation::Cancel(const absl::Status& why) {
  std::vector<absl::AnyInvocable<void()>> callbacks;
  {
    std::lock_guard lock(mutex_);
    if (!why_.ok()) return;
    why_ = why;
    cancelled_.store(true, std::memory_order_release);
    callbacks.swap(callbacks_);
  }
  for (auto& callback : callbacks) callback();
}

}  // namespace grid
