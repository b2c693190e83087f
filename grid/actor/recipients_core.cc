#include "grid/actor/recipients_core.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

absl::Status CheckAll(const Selector& selector, const Routing& routing, const CallPolicy& policy) {
  absl::Status status = selector.Check();
  status.Update(routing.Check());
  status.Update(policy.Check());
  return status;
}

}  // namespace

std::shared_ptr<RecipientsCore> RecipientsCore::Make(std::shared_ptr<RecipientsEnv> env,
                                                     Selector selector, Routing routing,
                                                     CallPolicy policy, std::optional<Name> from) {
  std::shared_ptr<RecipientsCore> core(new RecipientsCore(
      std::move(env), std::move(selector), std::move(routing), policy, std::move(from)));
  // Close, which comes after Add, must find the Post.
  std::lock_guard lock(core->mutex_);
  core->post_ = core->env_->Add(*core);
  return core;
}

RecipientsCore::RecipientsCore(std::shared_ptr<RecipientsEnv> env, Selector selector,
                               Routing routing, CallPolicy policy, std::optional<Name> from)
    : env_(std::move(env)),
      selector_(std::move(selector)),
      routing_(std::move(routing)),
      policy_(policy),
      from_(std::move(from)),
      check_(CheckAll(selector_, routing_, policy_)),
      cache_(std::make_shared<TargetCache>(env_, selector_, routing_, policy_.deadline)) {}

RecipientsCore::~RecipientsCore() {
  env_->Remove(*this);
  cache_->Close();
  std::lock_guard lock(mutex_);
  if (alarm_.has_value()) env_->alarms().Cancel(*alarm_);
}

absl::StatusOr<std::shared_ptr<Post>> RecipientsCore::Begin(std::shared_ptr<Verb> verb) {
  RecipientsCounters& counters = env_->counters();
  const size_t most = env_->limits().max_calls;
  if (counters.under_way.fetch_add(1, std::memory_order_relaxed) >= most) {
    --counters.under_way;
    ++counters.call_limit;
    return WithDelivery(
        absl::ResourceExhaustedError(absl::StrCat("max_calls (", most, ") are under way")),
        Delivery::kRejected);
  }
  const TimePoint deadline = env_->clock().Now() + policy_.deadline;
  std::lock_guard lock(mutex_);
  if (post_ == nullptr) {
    --counters.under_way;
    return WithDelivery(absl::FailedPreconditionError("the actor system was stopped"),
                        Delivery::kNotSent);
  }
  Verb& linked = *verb;
  linked.deadline_ = deadline;
  linked.before_ = last_;
  (last_ != nullptr ? last_->after_ : first_) = &linked;
  last_ = &linked;
  linked.held_ = std::move(verb);
  if (!alarm_.has_value()) SetAlarm(deadline);
  return post_;
}

bool RecipientsCore::SendAtOnce(const Outgoing& message, CandidatePtr& picked) {
  const bool waits = policy_.acknowledge == Acknowledgement::kProcessed;
  if (waits || policy_.deduplicate.count() > 0 || !cache_->IsCurrent()) return false;
  std::shared_ptr<LetterBox> box;
  picked = cache_->Pick(box);
  if (picked == nullptr) return false;
  if (box == nullptr && (box = BoxOf(*picked)) == nullptr) return false;
  // Without a look at trusted callers: our own process always is one.
  Letter letter = env_->letters().Make({.type = message.type,
                                        .body = message.body.view(),
                                        .acknowledge = policy_.acknowledge,
                                        .deadline = env_->clock().Now() + policy_.deadline,
                                        .from = from(),
                                        .publication = message.publication});
  if (!box->PutAtOnce(letter)) return false;
  cache_->Answered(*picked);
  return true;
}

std::shared_ptr<LetterBox> RecipientsCore::BoxOf(Candidate& candidate) {
  if (!candidate.here) return nullptr;
  std::shared_ptr<Post> post;
  {
    std::lock_guard lock(mutex_);
    post = post_;
  }
  if (post == nullptr) return nullptr;
  std::shared_ptr<LetterBox> box = post->BoxHere(candidate.target);
  if (box != nullptr) cache_->KeepBox(candidate, box);
  return box;
}

std::shared_ptr<Verb> RecipientsCore::Unlink(Verb& verb) {
  if (verb.held_ == nullptr) return nullptr;
  (verb.before_ != nullptr ? verb.before_->after_ : first_) = verb.after_;
  (verb.after_ != nullptr ? verb.after_->before_ : last_) = verb.before_;
  verb.before_ = verb.after_ = nullptr;
  env_->counters().under_way.fetch_sub(1, std::memory_order_relaxed);
  return std::move(verb.held_);
}

void RecipientsCore::Finish(Verb& verb) {
  std::shared_ptr<Verb> held;  // let go behind the lock
  std::lock_guard lock(mutex_);
  held = Unlink(verb);
}

void RecipientsCore::EndBy(asio::cancellation_slot slot, const std::shared_ptr<Verb>& verb) {
  if (!slot.is_connected()) return;
  slot.assign(
      [weak = weak_from_this(), verb = std::weak_ptr<Verb>(verb)](asio::cancellation_type type) {
        if ((type & asio::cancellation_type::terminal) == asio::cancellation_type::none) return;
        const auto self = weak.lock();
        if (self == nullptr) return;
        // Not from inside the slot, which the completion may end.
        self->env_->OnControl([verb] {
          if (const auto ended = verb.lock()) ended->End(absl::CancelledError("cancelled"));
        });
      });
}

void RecipientsCore::SetAlarm(TimePoint at) {
  alarm_ = env_->alarms().At(at, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnAlarm();
  });
}

void RecipientsCore::OnAlarm() {
  const TimePoint now = env_->clock().Now();
  std::vector<std::shared_ptr<Verb>> expired;
  {
    std::lock_guard lock(mutex_);
    while (first_ != nullptr && first_->deadline_ <= now) expired.push_back(Unlink(*first_));
    alarm_.reset();
    if (first_ != nullptr) SetAlarm(first_->deadline_);
  }
  env_->counters().expired += expired.size();
  for (const auto& verb : expired) {
    verb->End(absl::DeadlineExceededError("the deadline of the call has passed"));
  }
}

void RecipientsCore::Close() {
  std::vector<std::shared_ptr<Verb>> ended;
  std::shared_ptr<Post> post;
  {
    std::lock_guard lock(mutex_);
    post = std::move(post_);
    while (first_ != nullptr) ended.push_back(Unlink(*first_));
  }
  cache_->Close();
  for (const auto& verb : ended) verb->End(absl::CancelledError("the actor system was stopped"));
}

}  // namespace grid::internal
