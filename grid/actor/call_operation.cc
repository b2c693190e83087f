#include "grid/actor/call_operation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"
#include "handlers/recycling_new.h"

namespace grid::internal {
namespace {

// A message that waits asks the directory at most that often, where there is no watch.
constexpr std::chrono::milliseconds kAskAgain{100};

}  // namespace

// Who waits for the outcome of one attempt.
class CallOperation::Attempt final : public OutcomeSink, public RecyclingNew<Attempt> {
 public:
  explicit Attempt(std::shared_ptr<CallOperation> call) : call_(std::move(call)) {}

  ~Attempt() override {
    if (call_ != nullptr) call_->OnOutcome(absl::InternalError("the message was lost"));
  }

  void Complete(LetterOutcome outcome) override {
    if (const auto call = std::move(call_)) call->OnOutcome(std::move(outcome));
  }
  std::shared_ptr<Cancellation> cancellation() override {
    if (call_ == nullptr) return nullptr;
    return {call_, &call_->cancellation_};
  }

 private:
  std::shared_ptr<CallOperation> call_;  // null: completed
};

CallOperation::CallOperation(std::shared_ptr<RecipientsCore> core, Outgoing&& message,
                             Waiting waiting)
    : core_(std::move(core)), message_(std::move(message)), waiting_(std::move(waiting)) {}

void CallOperation::Start(CandidatePtr first) {
  first_ = std::move(first);
  RecipientsEnv& env = core_->env();
  if (core_->policy().deduplicate.count() > 0) call_ = env.NextCall();
  auto post = core_->Begin(shared_from_this());
  if (!post.ok()) return Fail(post.status(), nullptr);
  post_ = *std::move(post);
  if (core_->cache().Current()) return Pick();
  Ask();
}

// --- Whom it is for ---

void CallOperation::Ask() {
  asked_ = true;
  core_->cache().Refresh([weak = weak_from_this()](absl::Status asked) {
    if (const auto self = weak.lock()) self->OnAsked(asked);
  });
}

void CallOperation::OnAsked(const absl::Status& asked) {
  if (asked.ok()) return Pick();
  Fail(WithDelivery(absl::Status(asked.code(), absl::StrCat("the directory: ", asked.message())),
                    Delivery::kNotSent),
       last_ != nullptr ? &last_->target : nullptr);
}

CandidatePtr CallOperation::SameAgain() {
  const Target& target = last_->target;
  CandidatePtr found;
  // Its member remembers the call by the name, whichever registration has it by now.
  for (CandidatePtr& holder : core_->cache().Holders(target.name)) {
    if (holder->target.member == target.member) found = std::move(holder);
  }
  return found;
}

void CallOperation::Pick() {
  CandidatePtr candidate = std::move(first_);
  if (candidate == nullptr) candidate = only_last_ ? SameAgain() : core_->cache().Pick(tried_);
  if (candidate != nullptr) return Deliver(candidate);
  // What was registered just now may not have been heard of.
  if (!asked_) return Ask();
  if (!only_last_ && Wait()) return;
  Fail(WithDelivery(absl::NotFoundError(absl::StrCat(
                        only_last_ ? "its member does not hold it any more: " : "nobody is ",
                        core_->selector().ToString())),
                    Delivery::kNotSent),
       last_ != nullptr ? &last_->target : nullptr);
}

// True: it goes on by itself.
bool CallOperation::Wait() {
  RecipientsEnv& env = core_->env();
  TargetCache& cache = core_->cache();
  const CallPolicy& policy = core_->policy();
  TimePoint until = deadline();
  if (!policy.wait_for_holder) {
    const std::optional<TimePoint> since = cache.nobody_since();
    if (!since.has_value()) return false;
    until = std::min(until, *since + policy.hand_over);
  }
  const TimePoint now = env.clock().Now();
  if (now >= until) return false;

  std::unique_lock lock(mutex_);
  if (over_) {
    // Perhaps even before it had begun.
    lock.unlock();
    core_->Finish(*this);
    return true;
  }
  // Whoever resumes it finds queued_ set, however early that is.
  auto resume = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnWaited(true);
  };
  absl::StatusOr<uint64_t> place = cache.Wait(std::move(resume));
  if (!place.ok()) {
    lock.unlock();
    Fail(place.status(), last_ != nullptr ? &last_->target : nullptr);
    return true;
  }
  queued_ = std::make_unique<Queued>(Queued{.place = *place, .alarm = std::nullopt});
  if (*place == 0) {
    // Somebody has come just now. Not from inside: this could go on for ever.
    env.OnControl([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->OnWaited(true);
    });
    return true;
  }
  if (!cache.watching()) until = std::min(until, now + std::max(policy.back_off.most, kAskAgain));
  queued_->alarm = env.alarms().At(until, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnWaited(false);
  });
  return true;
}

void CallOperation::LeaveQueue() {
  if (queued_->alarm.has_value()) core_->env().alarms().Cancel(*queued_->alarm);
  core_->cache().StopWaiting(queued_->place);
  queued_.reset();
}

void CallOperation::OnWaited(bool in_time) {
  {
    std::lock_guard lock(mutex_);
    if (over_ || queued_ == nullptr) return;
    LeaveQueue();
  }
  // Without a watch nobody but the directory itself knows who has come.
  in_time ? Pick() : Ask();
}

void CallOperation::Deliver(const CandidatePtr& candidate) {
  {
    std::unique_lock lock(mutex_);
    if (over_) {
      // Perhaps even before it had begun.
      lock.unlock();
      return core_->Finish(*this);
    }
    delivered_ = candidate;
    attempts_.Begin();
  }
  const CallPolicy& policy = core_->policy();
  if (core_->counts()) candidate->outstanding.fetch_add(1, std::memory_order_relaxed);
  const Message message{.type = message_.type,
                        .body = message_.body.view(),
                        .acknowledge = policy.acknowledge,
                        .deadline = deadline(),
                        .deduplicate = policy.deduplicate,
                        .call = call_,
                        .from = core_->from()};
  post_->Deliver(candidate->target, message, std::make_unique<Attempt>(shared_from_this()));
}

// --- What became of it ---

void CallOperation::OnOutcome(LetterOutcome outcome) {
  CandidatePtr candidate;
  Waiting waiting;
  {
    std::lock_guard lock(mutex_);
    candidate = std::move(delivered_);
    // For End, which may be waiting to hear how far the message came.
    if (over_) attempts_.Failed(outcome.ok() ? Delivery::kExecuted : DeliveryOf(outcome.status()));
    if (outcome.ok() && !std::exchange(over_, true)) waiting = std::exchange(waiting_, {});
  }
  if (core_->counts()) candidate->outstanding.fetch_sub(1, std::memory_order_relaxed);
  if (!outcome.ok()) return OnFailure(candidate, outcome.status());
  core_->cache().Answered(*candidate);
  if (waiting.index() != 0) Complete(std::move(waiting), *std::move(outcome), std::move(candidate));
}

void CallOperation::OnFailure(const CandidatePtr& candidate, const absl::Status& failure) {
  RecipientsEnv& env = core_->env();
  const Delivery delivery = DeliveryOf(failure);
  core_->cache().Ended(*candidate, failure);
  const bool gone = IsNoSuchTarget(failure);

  std::optional<std::chrono::milliseconds> pause;
  bool refresh = false;
  {
    std::lock_guard lock(mutex_);
    if (over_) return;
    attempts_.Failed(delivery);
    refresh = gone && !refreshed_;
    if (refresh) {
      attempts_.TakeBack();
    } else {
      pause = attempts_.Next(core_->policy(), delivery, env.clock().Now(), deadline(),
                             Fraction(env.Random()));
    }
  }
  last_ = candidate;
  cancellation_.Forget();
  if (refresh) {
    refreshed_ = true;
    ++env.counters().refreshed;
    return Ask();
  }
  if (!pause.has_value()) return Fail(failure, &candidate->target);
  ++env.counters().retries;
  if (call_ != 0 && !IsSafeToRetry(failure)) only_last_ = true;
  tried_.push_back(candidate);
  PauseFor(*pause);
}

void CallOperation::PauseFor(std::chrono::milliseconds pause) {
  RecipientsEnv& env = core_->env();
  auto next = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Pick();
  };
  // Without a pause, too, not from inside the outcome: attempts would pile up on the stack.
  if (pause.count() == 0) {
    env.OnControl(std::move(next));
    return;
  }
  std::lock_guard lock(mutex_);
  if (!over_) pause_ = env.alarms().At(env.clock().Now() + pause, std::move(next));
}

// --- The end ---

void CallOperation::Fail(const absl::Status& why, const Target* target) {
  absl::Status error;
  Waiting waiting;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    attempts_.Failed(DeliveryOf(why));
    error = attempts_.Error(why, target);
    waiting = std::exchange(waiting_, {});
  }
  Complete(std::move(waiting), std::move(error));
}

void CallOperation::End(absl::Status why) {
  CandidatePtr delivered;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    delivered = delivered_;
    if (pause_.has_value()) core_->env().alarms().Cancel(*pause_);
    if (queued_ != nullptr) LeaveQueue();
  }
  // The Post may know that the message has never left; otherwise it may have been executed.
  if (delivered != nullptr) cancellation_.Cancel(why);
  absl::Status error;
  Waiting waiting;
  {
    std::lock_guard lock(mutex_);
    if (delivered_ != nullptr) attempts_.Failed(Delivery::kMaybeExecuted);
    error = attempts_.Error(why, delivered != nullptr ? &delivered->target : nullptr);
    waiting = std::exchange(waiting_, {});
  }
  if (absl::IsCancelled(why)) ++core_->env().counters().cancelled;
  Complete(std::move(waiting), std::move(error));
}

// Whoever has called these holds us; the handle may go with the last verb.

void CallOperation::Complete(Waiting waiting, absl::Status error) {
  const std::shared_ptr<RecipientsCore> core = core_;
  core->Finish(*this);
  if (auto* const call = std::get_if<CallCompletion>(&waiting)) {
    StartingVerb::Complete(core->env(), std::move(*call),
                           absl::StatusOr<RawAnswer>(std::move(error)));
  } else if (auto* const send = std::get_if<SendCompletion>(&waiting)) {
    StartingVerb::Complete(core->env(), std::move(*send), std::move(error));
  }
}

void CallOperation::Complete(Waiting waiting, Buffer answer, CandidatePtr from) {
  auto* const call = std::get_if<CallCompletion>(&waiting);
  if (call == nullptr) return Complete(std::move(waiting), absl::OkStatus());
  const std::shared_ptr<RecipientsCore> core = core_;
  core->Finish(*this);
  const Target* const target = &from->target;
  RawAnswer raw{.bytes = std::move(answer),
                .from = std::shared_ptr<const Target>(std::move(from), target)};
  StartingVerb::Complete(core->env(), std::move(*call), absl::StatusOr<RawAnswer>(std::move(raw)));
}

}  // namespace grid::internal
