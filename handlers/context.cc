#include "handlers/context.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace grid {

absl::Status RequestContext::cancellation() const {
  std::lock_guard lock(mutex_);
  return why_;
}

Buffer RequestContext::NewBuffer(size_t capacity) const {
  Buffer buffer = pool_ == nullptr ? Buffer::Unpooled(capacity) : pool_->Take(capacity);
  buffer.Resize(0);
  return buffer;
}

void RequestContext::OnCancel(absl::AnyInvocable<void()> callback) {
  Watch(cancelled_, on_cancel_, std::move(callback));
}

void RequestContext::OnDrain(absl::AnyInvocable<void()> callback) {
  Watch(draining_, on_drain_, std::move(callback));
}

void RequestContext::Watch(const std::atomic<bool>& happened, Callbacks& callbacks,
                           absl::AnyInvocable<void()> callback) {
  state_.fetch_or(kTouched);
  std::unique_lock lock(mutex_);
  if (finished()) return;
  if (!happened.load(std::memory_order_relaxed)) {
    callbacks.push_back(std::move(callback));
    return;
  }
  Run(std::move(callback), lock);
}

void RequestContext::Run(absl::AnyInvocable<void()> callback, std::unique_lock<std::mutex>& lock) {
  runners_.push_back(std::this_thread::get_id());
  lock.unlock();
  callback();
  callback = nullptr;  // what it owns is gone too before Finish returns
  lock.lock();
  runners_.erase(std::find(runners_.begin(), runners_.end(), std::this_thread::get_id()));
  callback_done_.notify_all();
}

void RequestContext::Cancel(const absl::Status& why) {
  state_.fetch_or(kTouched);
  std::unique_lock lock(mutex_);
  if (finished() || cancelled_.load(std::memory_order_relaxed)) return;
  // A copy of our own: the calls that end for one reason, with a connection say, would otherwise
  // all count the users of one Status, from as many threads.
  why_ = absl::Status(why.code(), why.message());
  why.ForEachPayload([this](absl::string_view type, const absl::Cord& payload) {
    why_.SetPayload(type, payload);
  });
  cancelled_.store(true, std::memory_order_release);
  RunAll(on_cancel_, lock);
}

void RequestContext::Drain() {
  state_.fetch_or(kTouched);
  std::unique_lock lock(mutex_);
  if (finished() || draining_.exchange(true, std::memory_order_acq_rel)) return;
  RunAll(on_drain_, lock);
}

// A callback may finish the handler, on this thread or another: those behind it must not run then.
void RequestContext::RunAll(Callbacks& callbacks, std::unique_lock<std::mutex>& lock) {
  while (!finished() && !callbacks.empty()) {
    absl::AnyInvocable<void()> callback = std::move(callbacks.front());
    callbacks.erase(callbacks.begin());
    Run(std::move(callback), lock);
  }
}

void RequestContext::Finish() {
  // Who touches it from here on finds it finished.
  if ((state_.fetch_or(kFinished) & kTouched) == 0) return;
  Callbacks dropped, dropped_too;  // destroyed without the lock
  std::unique_lock lock(mutex_);
  dropped.swap(on_cancel_);
  dropped_too.swap(on_drain_);
  const std::thread::id self = std::this_thread::get_id();
  callback_done_.wait(lock, [&] {
    return std::all_of(runners_.begin(), runners_.end(), [&](auto id) { return id == self; });
  });
}

}  // namespace grid
