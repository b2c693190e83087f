// RecipientsCore: what the copies of one Recipients share: who is meant and how, the TargetCache,
// and the verbs under way, each of which ends with its deadline at the latest.
//
// Any thread.
#ifndef GRID_GRID_ACTOR_RECIPIENTS_CORE_H_
#define GRID_GRID_ACTOR_RECIPIENTS_CORE_H_

#include <boost/asio/cancellation_signal.hpp>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grid/actor/outgoing.h"
#include "grid/actor/recipients_env.h"
#include "grid/actor/target_cache.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/routing.h"
#include "grid/directory/selector.h"

namespace grid::internal {

// A Call, Send or Gather under way.
class Verb {
 public:
  virtual ~Verb() = default;
  // Its deadline has passed, or the system stops. Any thread, under no lock; it may have finished.
  virtual void End(absl::Status why) = 0;

  // Set by RecipientsCore::Begin.
  TimePoint deadline() const { return deadline_; }

 private:
  friend class RecipientsCore;
  TimePoint deadline_;
  std::shared_ptr<Verb> held_;  // itself, while it is under way
  Verb* before_ = nullptr;
  Verb* after_ = nullptr;
};

class RecipientsCore final : public std::enable_shared_from_this<RecipientsCore> {
 public:
  // `from`: the actor that sends, if one does.
  static std::shared_ptr<RecipientsCore> Make(std::shared_ptr<RecipientsEnv> env, Selector selector,
                                              Routing routing, CallPolicy policy,
                                              std::optional<Name> from);
  ~RecipientsCore();

  const Selector& selector() const { return selector_; }
  const Routing& routing() const { return routing_; }
  const CallPolicy& policy() const { return policy_; }
  const Name* from() const { return from_.has_value() ? &*from_ : nullptr; }
  // OK, or kInvalidArgument for what no verb can use.
  const absl::Status& check() const { return check_; }
  // Whether Candidate::outstanding decides anything.
  bool counts() const { return routing_.mode() == Routing::Mode::kLeastOutstanding; }
  RecipientsEnv& env() const { return *env_; }
  TargetCache& cache() const { return *cache_; }

  // The verb is under way from now on, and is held until Finish. Its Post; or kResourceExhausted,
  // rejected, for one too many, kFailedPrecondition, not sent, once closed.
  absl::StatusOr<std::shared_ptr<Post>> Begin(std::shared_ptr<Verb> verb);
  // Sends to one of them at once, where that needs nothing of what a verb is made of: the level of
  // acknowledgement is less than kProcessed, and the target is in this process and has room. False:
  // it has to be a verb; for `picked`, if that was set, whose turn it is.
  bool SendAtOnce(const Outgoing& message, CandidatePtr& picked);
  // It is over; its last reference may go with this.
  void Finish(Verb& verb);

  // Terminal cancellation by `slot` ends the verb with kCancelled.
  void EndBy(asio::cancellation_slot slot, const std::shared_ptr<Verb>& verb);

  // Ends all of them.
  void Close();

 private:
  RecipientsCore(std::shared_ptr<RecipientsEnv> env, Selector selector, Routing routing,
                 CallPolicy policy, std::optional<Name> from);

  // Asks the Post, until it has been found; null where it is not in this process.
  std::shared_ptr<LetterBox> BoxOf(Candidate& candidate);
  void SetAlarm(TimePoint at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAlarm();
  std::shared_ptr<Verb> Unlink(Verb& verb) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<RecipientsEnv> env_;
  const Selector selector_;
  const Routing routing_;
  const CallPolicy policy_;
  const std::optional<Name> from_;
  const absl::Status check_;
  const std::shared_ptr<TargetCache> cache_;

  std::mutex mutex_;
  std::shared_ptr<Post> post_ ABSL_GUARDED_BY(mutex_);  // null: closed
  // All have the same time, so the first to begin is the first to end.
  Verb* first_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Verb* last_ ABSL_GUARDED_BY(mutex_) = nullptr;
  // Set once, for the first deadline; then looked at when that has come.
  std::optional<Alarms::Id> alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_RECIPIENTS_CORE_H_
