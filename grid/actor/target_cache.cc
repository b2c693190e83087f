#include "grid/actor/target_cache.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "grid/actor/attempts.h"
#include "grid/actor/letter.h"
#include "handlers/delivery.h"

namespace grid::internal {

TargetCache::TargetCache(std::shared_ptr<RecipientsEnv> env, const Selector& selector,
                         const Routing& routing, std::chrono::milliseconds timeout)
    : env_(std::move(env)),
      selector_(selector),
      timeout_(timeout),
      rotation_(selector, routing, env_->self(), env_->Random()) {}

TargetCache::~TargetCache() { Close(); }

// --- The directory ---

bool TargetCache::Current() {
  if (current_.load(std::memory_order_acquire)) return true;
  if (uses_.fetch_add(1) > 0) StartWatch();
  return false;
}

void TargetCache::Refresh(Asked asked) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    next_.push_back(std::move(asked));
    if (std::exchange(asking_, true)) return;
  }
  Ask();
}

void TargetCache::Ask() {
  {
    std::lock_guard lock(mutex_);
    asked_.swap(next_);
    told_all_ = false;
    removed_.clear();
  }
  ++env_->counters().resolved;
  env_->WithDirectory([&](Directory& directory) {
    directory.Resolve(selector_, timeout_,
                      [weak = weak_from_this()](absl::StatusOr<Resolution> resolution) {
                        const auto self = weak.lock();
                        if (self != nullptr) self->OnResolved(std::move(resolution));
                      });
  });
}

void TargetCache::OnResolved(absl::StatusOr<Resolution> resolution) {
  const absl::Status status = resolution.status();
  std::vector<Asked> asked;
  Resumes resumed;
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    asked.swap(asked_);
    if (resolution.ok()) Take(*std::move(resolution));
    resumed = Changed();
    again = asking_ = !next_.empty();
  }
  if (again) Ask();
  for (auto& [place, resume] : resumed) resume();
  for (Asked& one : asked) one(status);
}

void TargetCache::Take(Resolution resolution) {
  if (resolution.stale) ++env_->counters().stale;
  if (!current_.load(std::memory_order_relaxed)) {
    return rotation_.Reset(resolution.entries, /*news=*/false);
  }
  // The watch knows as much, and perhaps more: only who is missing here is taken from the answer,
  // unless the watch has removed it meanwhile.
  if (resolution.stale || told_all_) return;
  for (const Entry& entry : resolution.entries) {
    if (rotation_.Find(entry.name, entry.epoch) != nullptr) continue;
    if (!removed_.contains({entry.name, entry.epoch})) rotation_.Put(entry);
  }
}

void TargetCache::StartWatch() {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || watcher_ != nullptr || std::exchange(starting_watch_, true)) return;
  }
  RecipientsCounters& counters = env_->counters();
  absl::StatusOr<Watcher> watcher = absl::UnavailableError("no watch");
  if (counters.watches.fetch_add(1) < env_->limits().max_handles) {
    env_->WithDirectory([&](Directory& directory) { watcher = directory.Watch(selector_); });
  } else {
    ++counters.handle_limit;
  }
  std::shared_ptr<Watcher> started;
  if (watcher.ok()) started = std::make_shared<Watcher>(*std::move(watcher));
  {
    std::lock_guard lock(mutex_);
    starting_watch_ = false;
    if (closed_) started = nullptr;
    watcher_ = started;
  }
  if (started == nullptr) {
    --counters.watches;
    return;
  }
  StartNext(started);
}

void TargetCache::StartNext(const std::shared_ptr<Watcher>& watcher) {
  // The Watcher is ours alone: the watch ends with this cache.
  watcher->Next([weak = weak_from_this(),
                 which = std::weak_ptr<Watcher>(watcher)](absl::StatusOr<WatchEvent> event) {
    const auto self = weak.lock();
    const auto held = which.lock();
    if (self != nullptr && held != nullptr) self->OnEvent(held, std::move(event));
  });
}

void TargetCache::OnEvent(const std::shared_ptr<Watcher>& watcher,
                          absl::StatusOr<WatchEvent> event) {
  if (!event.ok()) return Unwatch(watcher);
  Resumes resumed;
  {
    std::lock_guard lock(mutex_);
    if (watcher_ != watcher) return;
    refused_ = false;
    switch (event->kind) {
      case WatchEvent::Kind::kSnapshot:
      case WatchEvent::Kind::kResynchronised:
        rotation_.Reset(event->entries, /*news=*/true);
        told_all_ = true;
        current_.store(true, std::memory_order_release);
        break;
      case WatchEvent::Kind::kAdded:
      case WatchEvent::Kind::kChanged:
        for (const Entry& entry : event->entries) {
          rotation_.Put(entry);
          removed_.erase({entry.name, entry.epoch});
        }
        break;
      case WatchEvent::Kind::kRemoved:
        for (const Entry& entry : event->entries) {
          rotation_.Remove(entry.name, entry.epoch);
          if (asking_) removed_.insert({entry.name, entry.epoch});
        }
        break;
    }
    resumed = Changed();
  }
  for (auto& [place, resume] : resumed) resume();
  StartNext(watcher);
}

void TargetCache::Unwatch(const std::shared_ptr<Watcher>& watcher) {
  std::shared_ptr<Watcher> ended;
  Resumes resumed;
  {
    std::lock_guard lock(mutex_);
    if (watcher_ != watcher) return;
    ended = std::move(watcher_);
    current_ = false;
    refused_ = true;
    resumed = TakeWaiting();
  }
  --env_->counters().watches;
  for (auto& [place, resume] : resumed) resume();
}

void TargetCache::Close() {
  std::shared_ptr<Watcher> watcher;
  std::vector<Asked> dropped, too;
  Resumes dropped_as_well;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    watcher = std::move(watcher_);
    current_ = false;
    dropped.swap(asked_);
    too.swap(next_);
    dropped_as_well = TakeWaiting();
  }
  if (watcher != nullptr) --env_->counters().watches;
}

// --- Who waits for somebody ---

TargetCache::Resumes TargetCache::Changed() {
  const bool anybody = rotation_.anybody();
  if (!anybody && anybody_) nobody_since_ = env_->clock().Now();
  if (anybody) nobody_since_.reset();
  anybody_ = anybody;
  return anybody ? TakeWaiting() : Resumes();
}

TargetCache::Resumes TargetCache::TakeWaiting() {
  env_->counters().waiting -= waiting_.size();
  return std::exchange(waiting_, {});
}

std::optional<TimePoint> TargetCache::nobody_since() {
  std::lock_guard lock(mutex_);
  return nobody_since_;
}

absl::StatusOr<uint64_t> TargetCache::Wait(absl::AnyInvocable<void()> resume) {
  // Whoever waits does not ask again and again for a watch that is refused.
  const bool refused = [&] {
    std::lock_guard lock(mutex_);
    return refused_;
  }();
  if (!refused) StartWatch();
  RecipientsCounters& counters = env_->counters();
  const size_t most = env_->limits().max_waiting_calls;
  std::lock_guard lock(mutex_);
  if (closed_ || anybody_) return 0;
  if (counters.waiting.fetch_add(1) >= most) {
    --counters.waiting;
    ++counters.waiting_limit;
    return WithDelivery(
        absl::ResourceExhaustedError(absl::StrCat("nobody is ", selector_.ToString(),
                                                  ", and max_waiting_calls (", most, ") wait")),
        Delivery::kNotSent);
  }
  waiting_.emplace(++last_place_, std::move(resume));
  return last_place_;
}

void TargetCache::StopWaiting(uint64_t place) {
  Resumes dropped;
  std::lock_guard lock(mutex_);
  const auto found = waiting_.find(place);
  if (found == waiting_.end()) return;
  dropped.insert(waiting_.extract(found));
  --env_->counters().waiting;
}

bool TargetCache::watching() {
  std::lock_guard lock(mutex_);
  return watcher_ != nullptr;
}

// --- The rotation ---

CandidatePtr TargetCache::Pick(std::span<const CandidatePtr> tried) {
  std::lock_guard lock(mutex_);
  return rotation_.Pick(tried);
}

CandidatePtr TargetCache::Pick(std::shared_ptr<LetterBox>& box) {
  std::lock_guard lock(mutex_);
  CandidatePtr picked = rotation_.Pick({});
  if (picked != nullptr) box = picked->box.lock();
  return picked;
}

void TargetCache::KeepBox(Candidate& candidate, std::weak_ptr<LetterBox> box) {
  std::lock_guard lock(mutex_);
  candidate.box = std::move(box);
}

std::vector<CandidatePtr> TargetCache::Select() {
  std::lock_guard lock(mutex_);
  return rotation_.Select();
}

CandidatePtr TargetCache::Another(std::span<const CandidatePtr> tried) {
  std::lock_guard lock(mutex_);
  return rotation_.Another(tried);
}

CandidatePtr TargetCache::Find(const Name& name, uint64_t epoch) {
  std::lock_guard lock(mutex_);
  return rotation_.Find(name, epoch);
}

std::vector<CandidatePtr> TargetCache::Holders(const Name& name) {
  std::lock_guard lock(mutex_);
  return rotation_.Holders(name);
}

void TargetCache::Ended(Candidate& candidate, const absl::Status& outcome) {
  if (outcome.ok() || DeliveryOf(outcome) == Delivery::kExecuted) Answered(candidate);
  if (IsClosed(outcome)) {
    Shut(candidate);
  } else if (IsUnreachable(outcome)) {
    Failed(candidate, IsDisconnected(outcome));
  }
  if (IsNoSuchTarget(outcome)) Gone(candidate);
}

void TargetCache::Failed(Candidate& candidate, bool disconnected) {
  {
    std::lock_guard lock(mutex_);
    if (candidate.left || closed_) return;
    ++env_->counters().targets_failed;
    rotation_.Leave(candidate);
  }
  if (disconnected) env_->TellWhenConnected(candidate.target.member, weak_from_this());
}

void TargetCache::Reached(const std::string& member) {
  std::lock_guard lock(mutex_);
  for (const CandidatePtr& candidate : rotation_.LeftAt(member)) rotation_.Join(*candidate);
}

void TargetCache::Shut(Candidate& candidate) {
  std::lock_guard lock(mutex_);
  if (candidate.closed) return;
  ++env_->counters().targets_failed;
  rotation_.Shut(candidate);
  Changed();  // nobody comes by this
}

void TargetCache::Rejoin(Candidate& candidate) {
  std::lock_guard lock(mutex_);
  rotation_.Join(candidate);
}

void TargetCache::Gone(const Candidate& candidate) {
  std::lock_guard lock(mutex_);
  ++env_->counters().targets_failed;
  rotation_.Remove(candidate.target.name, candidate.target.epoch);
  Changed();  // nobody comes by this
}

}  // namespace grid::internal
