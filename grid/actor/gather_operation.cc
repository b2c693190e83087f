#include "grid/actor/gather_operation.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid::internal {

// The outcomes of one message to one member.
class GatherOperation::Batch final : public OutcomesSink {
 public:
  Batch(std::shared_ptr<GatherOperation> gather, std::vector<size_t> slots)
      : gather_(std::move(gather)), slots_(std::move(slots)), open_(slots_.size()) {}

  void Complete(size_t index, LetterOutcome outcome) override {
    const bool last = open_.fetch_sub(1) == 1;
    gather_->OnOutcome(slots_[index], std::move(outcome), last);
  }

 private:
  const std::shared_ptr<GatherOperation> gather_;
  const std::vector<size_t> slots_;
  std::atomic<size_t> open_;
};

GatherOperation::GatherOperation(std::shared_ptr<RecipientsCore> core, Outgoing message)
    : core_(std::move(core)), message_(std::move(message)) {}

void GatherOperation::Start() {
  auto post = core_->Begin(shared_from_this());
  if (!post.ok()) return Refuse(post.status());
  post_ = *std::move(post);
  if (core_->cache().Current()) return Begin();
  Ask();
}

void GatherOperation::Refuse(absl::Status why) { Finish(std::move(why), false); }

// --- Whom it is for ---

void GatherOperation::Ask() {
  core_->cache().Refresh([weak = weak_from_this()](absl::Status asked) {
    if (const auto self = weak.lock()) self->OnAsked(asked);
  });
}

void GatherOperation::OnAsked(const absl::Status& asked) {
  if (asked.ok()) return Begin();
  Finish(WithDelivery(absl::Status(asked.code(), absl::StrCat("the directory: ", asked.message())),
                      Delivery::kNotSent),
         false);
}

void GatherOperation::Begin() {
  std::vector<CandidatePtr> selected = core_->cache().Select();
  RecipientsEnv& env = core_->env();
  const size_t most = env.limits().max_targets;
  if (selected.size() > most) {
    ++env.counters().target_limit;
    return Refuse(WithDelivery(
        absl::ResourceExhaustedError(absl::StrCat(core_->selector().ToString(), " means ",
                                                  selected.size(), ", max_targets is ", most)),
        Delivery::kNotSent));
  }
  if (selected.empty()) return Finish(absl::OkStatus(), false);
  const bool remembered = core_->policy().deduplicate.count() > 0;
  {
    std::unique_lock lock(mutex_);
    if (over_) {
      // Perhaps even before it had begun.
      lock.unlock();
      return core_->Finish(*this);
    }
    open_ = selected.size();
    slots_.reserve(selected.size());
    std::vector<size_t> all;
    for (CandidatePtr& candidate : selected) {
      // They come by name.
      size_t twin = 0;
      if (remembered && !slots_.empty() &&
          slots_.back().candidate->target.name == candidate->target.name) {
        twin = slots_.back().twin + 1;
      }
      if (remembered && calls_.size() == twin) calls_.push_back(env.NextCall());
      known_.emplace(candidate->target.name, candidate->target.epoch);
      all.push_back(slots_.size());
      slots_.push_back({.candidate = std::move(candidate), .twin = twin});
    }
    Enqueue(all);
    const size_t most_members = env.limits().max_fan_out;
    if (queue_.size() > most_members) {
      env.counters().fan_out_limit += queue_.size() - most_members;
    }
  }
  Pump();
}

void GatherOperation::Enqueue(const std::vector<size_t>& slots) {
  std::map<Group, std::vector<size_t>> groups;
  for (const size_t slot : slots) {
    groups[Group(slots_[slot].candidate->target.member, slots_[slot].twin)].push_back(slot);
  }
  for (auto& [group, members] : groups) queue_.emplace_back(group, std::move(members));
}

// --- On its way ---

void GatherOperation::Pump() {
  std::unique_lock lock(mutex_);
  // What completes inside DeliverMany comes back here: the loop below goes on for it.
  if (std::exchange(pumping_, true)) return;
  const size_t most = std::max<size_t>(core_->env().limits().max_fan_out, 1);
  while (!over_ && !queue_.empty() && batches_ < most) {
    auto [group, slots] = std::move(queue_.front());
    queue_.pop_front();
    ++batches_;
    for (const size_t slot : slots) {
      slots_[slot].delivered = true;
      slots_[slot].attempts.Begin();
    }
    lock.unlock();
    Deliver(group, std::move(slots));
    lock.lock();
  }
  pumping_ = false;
}

void GatherOperation::Deliver(const Group& group, std::vector<size_t> slots) {
  const CallPolicy& policy = core_->policy();
  std::vector<Target> targets;
  uint64_t call = 0;
  {
    std::lock_guard lock(mutex_);
    targets.reserve(slots.size());
    for (const size_t slot : slots) {
      Candidate& candidate = *slots_[slot].candidate;
      candidate.outstanding.fetch_add(1, std::memory_order_relaxed);
      targets.push_back(candidate.target);
    }
    if (!calls_.empty()) call = calls_[group.second];
  }
  const Message message{.type = message_.type,
                        .body = message_.body.view(),
                        .acknowledge = policy.acknowledge,
                        .deadline = deadline(),
                        .deduplicate = policy.deduplicate,
                        .call = call,
                        .from = core_->from(),
                        .publication = message_.publication};
  post_->DeliverMany(group.first, targets, message,
                     std::make_shared<Batch>(shared_from_this(), std::move(slots)),
                     std::shared_ptr<Cancellation>(shared_from_this(), &cancellation_));
}

// --- What became of it ---

void GatherOperation::OnOutcome(size_t slot, LetterOutcome outcome, bool last) {
  RecipientsEnv& env = core_->env();
  const CallPolicy& policy = core_->policy();
  const absl::Status failure = outcome.status();
  const Delivery delivery = outcome.ok() ? Delivery::kExecuted : DeliveryOf(failure);
  const bool gone = !outcome.ok() && IsNoSuchTarget(failure);
  CandidatePtr candidate;
  bool refresh = false;
  bool finished = false;
  {
    std::lock_guard lock(mutex_);
    if (last) --batches_;
    Slot& at = slots_[slot];
    candidate = at.candidate;
    at.delivered = false;
    if (!outcome.ok()) at.attempts.Failed(delivery);
    if (!over_ && !at.over) {
      std::optional<std::chrono::milliseconds> pause;
      refresh = gone && !at.refreshed;
      if (refresh) {
        at.refreshed = true;
        at.attempts.TakeBack();
      } else if (!outcome.ok()) {
        pause = at.attempts.Next(policy, delivery, env.clock().Now(), deadline(),
                                 Fraction(env.Random()));
      }
      if (pause.has_value()) {
        TryAgain(slot, *pause);
      } else if (!refresh) {
        AddResult(slot, std::move(outcome));
      }
      finished = Enough() || open_ == 0;
    }
  }
  candidate->outstanding.fetch_sub(1, std::memory_order_relaxed);
  core_->cache().Ended(*candidate, failure);
  if (refresh) {
    ++env.counters().refreshed;
    core_->cache().Refresh([weak = weak_from_this(), slot, failure](const absl::Status&) {
      if (const auto self = weak.lock()) self->OnRefreshed(slot, failure);
    });
  }
  if (finished) return Finish(absl::OkStatus(), false);
  Tell();
  if (last) Pump();
}

void GatherOperation::TryAgain(size_t slot, std::chrono::milliseconds pause) {
  RecipientsEnv& env = core_->env();
  ++env.counters().retries;
  const Slot& at = slots_[slot];
  const Group group(at.candidate->target.member, at.twin);
  Pausing& pausing = pausing_[group];
  pausing.slots.push_back(slot);
  if (pausing.slots.size() > 1) return;
  pausing.alarm = env.alarms().At(env.clock().Now() + pause, [weak = weak_from_this(), group] {
    if (const auto self = weak.lock()) self->OnPaused(group);
  });
}

void GatherOperation::OnPaused(const Group& group) {
  std::vector<size_t> slots;
  {
    std::lock_guard lock(mutex_);
    const auto found = pausing_.find(group);
    if (over_ || found == pausing_.end()) return;
    slots = std::move(found->second.slots);
    pausing_.erase(found);
  }
  std::vector<CandidatePtr> others;
  for (const size_t slot : slots) others.push_back(Another(slot));
  {
    std::lock_guard lock(mutex_);
    if (over_) return;
    for (size_t i = 0; i < slots.size(); ++i) {
      if (others[i] != nullptr) slots_[slots[i]].candidate = std::move(others[i]);
    }
    Enqueue(slots);
  }
  Pump();
}

// Of a group anybody will do; but what may have been executed is remembered by that member alone.
CandidatePtr GatherOperation::Another(size_t slot) {
  if (core_->routing().mode() != Routing::Mode::kOnePerNextSegment) return nullptr;
  std::vector<CandidatePtr> tried;
  {
    std::lock_guard lock(mutex_);
    Slot& at = slots_[slot];
    if (!calls_.empty() && at.attempts.MayHaveRun()) return nullptr;
    at.tried.push_back(at.candidate);
    tried = at.tried;
  }
  return core_->cache().Another(tried);
}

void GatherOperation::OnRefreshed(size_t slot, const absl::Status& failure) {
  Name name = [&] {
    std::lock_guard lock(mutex_);
    return slots_[slot].candidate->target.name;
  }();
  std::vector<CandidatePtr> holders = core_->cache().Holders(name);
  CandidatePtr another = Another(slot);
  bool finished = false;
  {
    std::lock_guard lock(mutex_);
    if (over_) return;
    Slot& at = slots_[slot];
    // The directory may stand by it; or somebody holds the name whom we have not asked. But what
    // may have been executed is remembered by that member alone.
    const Target& before = at.candidate->target;
    const bool only_there = !calls_.empty() && at.attempts.MayHaveRun();
    CandidatePtr next;
    for (CandidatePtr& holder : holders) {
      const bool same = holder->target == before;
      if (only_there && holder->target.member != before.member) continue;
      if (!same && known_.contains({name, holder->target.epoch})) continue;
      next = std::move(holder);
      if (same) break;
    }
    if (next == nullptr) next = std::move(another);
    if (next != nullptr) {
      known_.emplace(next->target.name, next->target.epoch);
      at.candidate = std::move(next);
      Enqueue({slot});
    } else {
      AddResult(slot, failure);
      finished = open_ == 0;
    }
  }
  if (finished) return Finish(absl::OkStatus(), false);
  Tell();
  Pump();
}

void GatherOperation::AddResult(size_t slot, absl::StatusOr<Buffer> answer) {
  Slot& at = slots_[slot];
  const Target& target = at.candidate->target;
  at.over = true;
  --open_;
  if (answer.ok()) ++succeeded_;
  if (!answer.ok()) answer = at.attempts.Error(answer.status(), &target);
  results_.push_back({.target = target, .answer = std::move(answer)});
}

bool GatherOperation::Enough() const {
  const Routing& routing = core_->routing();
  return routing.mode() == Routing::Mode::kFirst && succeeded_ >= routing.count();
}

// --- The end ---

void GatherOperation::End(absl::Status why) {
  if (absl::IsCancelled(why)) ++core_->env().counters().cancelled;
  Finish(std::move(why), true);
}

// `show_open`: those without a result get `status` as theirs. Otherwise there are enough results
// without them.
void GatherOperation::Finish(absl::Status status, bool show_open) {
  const auto self = shared_from_this();
  std::map<Group, Pausing> pausing;
  bool under_way = false;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    pausing.swap(pausing_);
    queue_.clear();
    under_way = batches_ > 0;
    // Where nobody was asked the status is that of all.
    if (slots_.empty() && show_open) status = WithDelivery(std::move(status), Delivery::kNotSent);
    if (slots_.empty() || absl::IsCancelled(status)) status_ = status;
    for (size_t slot = 0; slot < slots_.size(); ++slot) {
      Slot& at = slots_[slot];
      if (at.over) continue;
      if (!show_open) {
        at.over = true;
        ++cancelled_;
        continue;
      }
      if (at.delivered) at.attempts.Failed(Delivery::kMaybeExecuted);
      AddResult(slot, status);
    }
    open_ = 0;
  }
  for (const auto& [group, paused] : pausing) core_->env().alarms().Cancel(paused.alarm);
  if (under_way) {
    cancellation_.Cancel(status.ok() ? absl::CancelledError("others have answered") : status);
  }
  core_->Finish(*this);
  Tell();
}

}  // namespace grid::internal
