// MailboxEnd: what a Mailbox stands on: the queue, and whoever waits for a letter.
//
// Any thread. Completions run on their associated executor, otherwise on the system's threads.
#ifndef GRID_GRID_ACTOR_MAILBOX_END_H_
#define GRID_GRID_ACTOR_MAILBOX_END_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/actor_runtime.h"
#include "grid/actor/cell_answers.h"
#include "grid/actor/control_alarm.h"
#include "grid/actor/mailbox_queue.h"
#include "grid/actor/post.h"
#include "grid/directory/entry.h"
#include "grid/directory/lease_token.h"
#include "grid/directory/name.h"
#include "handlers/completion.h"

namespace grid::internal {

class MailboxEnd final : public LetterBox, public std::enable_shared_from_this<MailboxEnd> {
 public:
  // `options` were checked. `holding`: only of an exclusive one the lease is looked at.
  MailboxEnd(std::shared_ptr<ActorRuntime> runtime, Name name, MailboxOptions options,
             Holding holding, uint64_t epoch, LeaseToken lease);

  const Name& name() const { return name_; }
  uint64_t epoch() const { return epoch_; }
  const LeaseToken& lease() const { return lease_; }

  void Put(Letter letter) override;
  // As Mailbox::Receive.
  void StartReceive(Completion<absl::StatusOr<Letter>> completion);
  // `callback` runs whenever a receiver begins to wait, on its thread. Before the first of them.
  void OnWaiting(absl::AnyInvocable<void()> callback) { on_waiting_ = std::move(callback); }

  // Ends it; the first reason counts. Letters that wait are answered "closed, not executed".
  void Close() { End(absl::OkStatus()); }
  // The name is not ours any more: Receive fails with kAborted, if it is held exclusively.
  void LoseLease(const absl::Status& why);
  // What Receive fails with is `why`, or kCancelled if that is OK.
  void End(absl::Status why);
  // `callback` runs once when it has ended, inside what ends it; at once when it has. `why`: as
  // Receive fails.
  void OnClosed(absl::AnyInvocable<void(const absl::Status& why)> callback);

 private:
  using Receiver = Completion<absl::StatusOr<Letter>>;
  // What comes of a change, to be done without the lock.
  struct Effects {
    std::vector<Letter> late = {};
    std::vector<ReplyToken> delivered = {};
    Receiver receiver = {};
    std::optional<absl::StatusOr<Letter>> result = {};
  };

  // An exclusive holder's lease may have ended with nobody telling us.
  void LookAtLease();
  void Match(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(Effects effects);
  void Finish(Receiver receiver, absl::StatusOr<Letter> result);
  void CancelReceive(uint64_t receive);
  std::shared_ptr<ControlAlarm> Alarm();
  void OnAlarm();

  const std::shared_ptr<ActorRuntime> runtime_;
  const Name name_;
  const MailboxOptions options_;
  const Holding holding_;
  const uint64_t epoch_;
  const LeaseToken lease_;
  const std::shared_ptr<CellAnswers> answers_;
  absl::AnyInvocable<void()> on_waiting_;

  std::mutex mutex_;
  MailboxQueue queue_ ABSL_GUARDED_BY(mutex_);
  absl::Status why_ ABSL_GUARDED_BY(mutex_);  // not OK: it has ended
  Receiver receiver_ ABSL_GUARDED_BY(mutex_);
  uint64_t receives_ ABSL_GUARDED_BY(mutex_) = 0;  // the last one's number
  std::vector<absl::AnyInvocable<void(const absl::Status&)>> on_closed_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ControlAlarm> alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_MAILBOX_END_H_
