// CallOperation: one message to one of a handle's targets, and what it takes until there is an
// outcome: the directory, attempts, pauses.
//
//          +------- asked anew ("no such target") <------+
//          v                                              |
// start --> pick --> delivered --> outcome: over, or -----+--> pause --> pick
//            |  ^
//            v  |
//        directory asked (nothing known yet, or nobody) --> waits for somebody
//
// One of these steps at a time; each may be on another thread. The end may come from outside at any
// time: the deadline, the caller's cancellation, the system's stop.
#ifndef GRID_GRID_ACTOR_CALL_OPERATION_H_
#define GRID_GRID_ACTOR_CALL_OPERATION_H_

#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/actor/attempts.h"
#include "grid/actor/outgoing.h"
#include "grid/actor/recipients_core.h"

namespace grid::internal {

class CallOperation final : public Verb, public std::enable_shared_from_this<CallOperation> {
 public:
  // A Call, or a Send, which gets no answer. Empty: nobody waits any more.
  using Waiting = std::variant<std::monostate, CallCompletion, SendCompletion>;

  // Checks are done: the verb fits the routing, the message was encoded.
  CallOperation(std::shared_ptr<RecipientsCore> core, Outgoing&& message, Waiting waiting);

  // `first`: whose turn it is, if that is known already; may be null.
  void Start(CandidatePtr first = nullptr);
  void End(absl::Status why) override;

 private:
  class Attempt;
  // It waits for a holder.
  struct Queued {
    uint64_t place;  // of TargetCache
    std::optional<Alarms::Id> alarm;
  };

  void Ask();
  void OnAsked(const absl::Status& asked);
  void Pick();
  bool Wait();
  void LeaveQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnWaited(bool in_time);
  void Deliver(const CandidatePtr& candidate);
  void OnOutcome(LetterOutcome outcome);
  void OnFailure(const CandidatePtr& candidate, const absl::Status& failure);
  void PauseFor(std::chrono::milliseconds pause);
  CandidatePtr SameAgain();
  void Fail(const absl::Status& why, const Target* target);
  void Complete(Waiting waiting, absl::Status error);
  void Complete(Waiting waiting, Buffer answer, CandidatePtr from);

  const std::shared_ptr<RecipientsCore> core_;
  Outgoing message_;
  std::shared_ptr<Post> post_;
  uint64_t call_ = 0;  // Message::call
  Cancellation cancellation_;

  // Of the step that is under way.
  CandidatePtr first_;
  bool asked_ = false;      // the directory, in this call
  bool refreshed_ = false;  // because there was no such target
  std::vector<CandidatePtr> tried_;
  // The last one tried. Where the callee remembers the call, only it may be asked again: another
  // one would execute it once more.
  CandidatePtr last_;
  bool only_last_ = false;

  std::mutex mutex_;
  Waiting waiting_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  CandidatePtr delivered_ ABSL_GUARDED_BY(mutex_);  // a message is under way to it
  Attempts attempts_ ABSL_GUARDED_BY(mutex_);
  std::optional<Alarms::Id> pause_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Queued> queued_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_CALL_OPERATION_H_
