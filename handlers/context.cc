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

struct RequestContext::Watchers final : RecyclingNew<Watchers> {
  using Callback = absl::AnyInvocable<void()>;
  using Callbacks = std::vector<Callback>;

  // Runs it at once if what it waits for has `happened`; drops it once the handler has `finished`.
  void Add(Callbacks& callbacks, const std::atomic<bool>& happened,
           const std::atomic<bool>& finished, Callback callback);
  // Calls it without the lock. The callback may end the handler, and with it the context: what is
  // orphaned meanwhile is gone, and not locked, when the last of its callbacks has returned.
  void Run(Callback callback, std::unique_lock<std::mutex>& lock);
  // Until there is none, or `finished`.
  void RunAll(Callbacks& callbacks, const std::atomic<bool>& finished,
              std::unique_lock<std::mutex>& lock);
  // The context is gone.
  void Orphan();

  std::mutex mutex;
  std::condition_variable callback_done;
  // Guarded by the mutex.
  absl::Status why;
  Callbacks on_cancel;
  Callbacks on_drain;
  std::vector<std::thread::id> runners;  // threads inside a callback
  bool orphaned = false;
};

void RequestContext::Watchers::Add(Callbacks& callbacks, const std::atomic<bool>& happened,
                                   const std::atomic<bool>& finished, Callback callback) {
  std::unique_lock lock(mutex);
  if (finished) return;
  if (happened) return Run(std::move(callback), lock);
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
  if (!orphaned || !runners.empty()) return;
  lock.unlock();
  delete this;
}

void RequestContext::Watchers::Orphan() {
  {
    std::lock_guard lock(mutex);
    orphaned = true;
    if (!runners.empty()) return;
  }
  delete this;
}

// A callback may finish the handler, on this thread or another: those behind it must not run then.
void RequestContext::Watchers::RunAll(Callbacks& callbacks, const std::atomic<bool>& finished,
                                      std::unique_lock<std::mutex>& lock) {
  while (!finished && !callbacks.empty()) {
    Callback callback = std::move(callbacks.front());
    callbacks.erase(callbacks.begin());
    Run(std::move(callback), lock);
  }
}

RequestContext::Watchers& RequestContext::watchers() {
  // In one order with finished_: Finish().
  Watchers* watchers = watchers_.load(std::memory_order_seq_cst);
  if (watchers != nullptr) return *watchers;
  auto made = std::make_unique<Watchers>();
  if (!watchers_.compare_exchange_strong(watchers, made.get())) return *watchers;
  return *made.release();
}

RequestContext::~RequestContext() {
  if (!finished_.load(std::memory_order_relaxed)) Finish();
  Watchers* const watchers = watchers_.load(std::memory_order_acquire);
  if (watchers != nullptr) watchers->Orphan();
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
  all.Add(all.on_cancel, cancelled_, finished_, std::move(callback));
}

void RequestContext::OnDrain(absl::AnyInvocable<void()> callback) {
  Watchers& all = watchers();
  all.Add(all.on_drain, draining_, finished_, std::move(callback));
}

void RequestContext::Cancel(const absl::Status& why) {
  if (finished_) return;
  Watchers& all = watchers();
  std::unique_lock lock(all.mutex);
  if (finished_ || cancelled()) return;
  // A copy of our own: the calls that end for one reason, with a connection say, would otherwise
  // all count the users of one Status, from as many threads.
  all.why = absl::Status(why.code(), why.message());
  why.ForEachPayload([&all](absl::string_view type, const absl::Cord& payload) {
    all.why.SetPayload(type, payload);
  });
  cancelled_.store(true, std::memory_order_release);
  all.RunAll(all.on_cancel, finished_, lock);
}

void RequestContext::Drain() {
  if (finished_) return;
  Watchers& all = watchers();
  std::unique_lock lock(all.mutex);
  if (finished_ || draining_.exchange(true, std::memory_order_acq_rel)) return;
  all.RunAll(all.on_drain, finished_, lock);
}

void RequestContext::Finish() {
  // In one order with the making of watchers_, in watchers(), behind which finished_ is read: of
  // two that come at once, one sees the other.
  finished_.store(true, std::memory_order_seq_cst);
  FinishWatchers();
}

void RequestContext::FinishReturned() {
  finished_.store(true, std::memory_order_release);
  FinishWatchers();
}

void RequestContext::FinishWatchers() {
  Watchers* const watchers = watchers_.load(std::memory_order_seq_cst);
  if (watchers == nullptr) return;
  Watchers::Callbacks dropped, dropped_too;  // destroyed without the lock
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
