#include "handlers/context.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "handlers/recycling_new.h"

namespace grid {

using Callback = absl::AnyInvocable<void()>;
using Callbacks = std::vector<Callback>;

struct RequestContext::Watchers final : RecyclingNew<Watchers> {
  explicit Watchers(const std::atomic<bool>& over) : finished(over) {}

  void Add(const std::atomic<bool>& happened, Callbacks& callbacks, Callback callback);
  // Calls it without the lock.
  void Run(Callback callback, std::unique_lock<std::mutex>& lock);
  void RunAll(Callbacks& callbacks, std::unique_lock<std::mutex>& lock);

  const std::atomic<bool>& finished;
  std::mutex mutex;
  std::condition_variable callback_done;
  // Guarded by the mutex.
  absl::Status why;
  Callbacks on_cancel;
  Callbacks on_drain;
  std::vector<std::thread::id> runners;  // threads inside a callback
};

void RequestContext::Watchers::Add(const std::atomic<bool>& happened, Callbacks& callbacks,
                                   Callback callback) {
  std::unique_lock lock(mutex);
  if (finished.load(std::memory_order_relaxed)) return;
  if (happened.load(std::memory_order_relaxed)) return Run(std::move(callback), lock);
  callbacks.push_back(std::move(callback));
}

void RequestContext::Watchers::Run(Callback callback, std::unique_lock<std::mutex>& lock) {
  runners.push_back(std::this_thread::get_id());
  lock.unlock();
  callback();
  callback = nullptr;  // what it owns is gone too before Finish returns
  lock.lock();
  runners.erase(std::find(runners.begin(), runners.end(), std::this_thread::get_id()));
  callback_done.notify_all();
}

// A callback may finish the handler, on this thread or another: those behind it must not run then.
void RequestContext::Watchers::RunAll(Callbacks& callbacks, std::unique_lock<std::mutex>& lock) {
  while (!finished.load(std::memory_order_relaxed) && !callbacks.empty()) {
    Callback callback = std::move(callbacks.front());
    callbacks.erase(callbacks.begin());
    Run(std::move(callback), lock);
  }
}

RequestContext::Watchers& RequestContext::watchers() {
  Watchers* watchers = watchers_.load(std::memory_order_acquire);
  if (watchers != nullptr) return *watchers;
  auto made = std::make_unique<Watchers>(finished_);
  if (!watchers_.compare_exchange_strong(watchers, made.get())) return *watchers;
  return *made.release();
}

RequestContext::~RequestContext() {
  Finish();
  delete watchers_.load(std::memory_order_relaxed);
}

absl::Status RequestContext::cancellation() const {
  Watchers* const watchers = watchers_.load(std::memory_order_acquire);
  if (watchers == nullptr) return absl::OkStatus();
  std::lock_guard lock(watchers->mutex);
  return watchers->why;
}

Buffer RequestContext::NewBuffer(size_t capacity) const {
  Buffer buffer = pool_ == nullptr ? Buffer::Unpooled(capacity) : pool_->Take(capacity);
  buffer.Resize(0);
  return buffer;
}

void RequestContext::OnCancel(absl::AnyInvocable<void()> callback) {
  Watchers& all = watchers();
  all.Add(cancelled_, all.on_cancel, std::move(callback));
}

void RequestContext::OnDrain(absl::AnyInvocable<void()> callback) {
  Watchers& all = watchers();
  all.Add(draining_, all.on_drain, std::move(callback));
}

void RequestContext::Cancel(const absl::Status& why) {
  Watchers& all = watchers();
  std::unique_lock lock(all.mutex);
  if (finished_.load(std::memory_order_relaxed) || cancelled()) return;
  // A copy of our own: the calls that end for one reason, with a connection say, would otherwise
  // all count the users of one Status, from as many threads.
  all.why = absl::Status(why.code(), why.message());
  why.ForEachPayload([&all](absl::string_view type, const absl::Cord& payload) {
    all.why.SetPayload(type, payload);
  });
  cancelled_.store(true, std::memory_order_release);
  all.RunAll(all.on_cancel, lock);
}

void RequestContext::Drain() {
  Watchers& all = watchers();
  std::unique_lock lock(all.mutex);
  if (finished_.load(std::memory_order_relaxed) ||
      draining_.exchange(true, std::memory_order_acq_rel))
    return;
  all.RunAll(all.on_drain, lock);
}

// Takes no lock and stops no pipeline for what nobody has watched. Who watches on another thread
// has made sure that the handler still runs, and so is seen here; the runtime's own Cancel and
// Drain may come at the same time, and find no callback.
void RequestContext::Finish() {
  finished_.store(true, std::memory_order_release);
  Watchers* const watchers = watchers_.load(std::memory_order_acquire);
  if (watchers == nullptr) return;
  Callbacks dropped, dropped_too;  // destroyed without the lock
  std::unique_lock lock(watchers->mutex);
  dropped.swap(watchers->on_cancel);
  dropped_too.swap(watchers->on_drain);
  const std::thread::id self = std::this_thread::get_id();
  watchers->callback_done.wait(lock, [&] {
    return std::all_of(watchers->runners.begin(), watchers->runners.end(),
                       [&](auto id) { return id == self; });
  });
}

}  // namespace grid
