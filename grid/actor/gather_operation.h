// GatherOperation: one message to several targets, and their results as they come.
//
// Targets are grouped by member: each group is one message, at most max_fan_out of them are under
// way at a time. What is to be tried again goes the same way after its pause, those of one group
// together.
//
//   queue_ --(fan-out)--> DeliverMany --> result
//     ^                        |
//     +--- pause, or asked the directory
//
// Any thread. It is held by itself while it is under way, and by who reads the results.
#ifndef GRID_GRID_ACTOR_GATHER_OPERATION_H_
#define GRID_GRID_ACTOR_GATHER_OPERATION_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/actor/attempts.h"
#include "grid/actor/outgoing.h"
#include "grid/actor/recipients_core.h"

namespace grid::internal {

class GatherOperation final : public Verb, public std::enable_shared_from_this<GatherOperation> {
 public:
  GatherOperation(std::shared_ptr<RecipientsCore> core, Outgoing message);

  // Checks are done: the verb fits the routing, the message was encoded.
  void Start();
  // Instead of Start: nobody is asked.
  void Refuse(absl::Status why);
  void End(absl::Status why) override;

  // One of them at a time, and only one of the two kinds.
  void Next(NextCompletion completion);
  void All(ResultsCompletion completion);
  // Nobody reads the results any more.
  void Drop();

 private:
  class Batch;
  // One message: of a member, and of the targets there that share a name the n-th, where the callee
  // remembers calls by names. Otherwise 0.
  using Group = std::pair<std::string, size_t>;
  struct Slot {
    CandidatePtr candidate;
    size_t twin = 0;
    std::vector<CandidatePtr> tried = {};  // of its group, for kOnePerNextSegment
    Attempts attempts = {};
    bool delivered = false;
    bool refreshed = false;
    bool over = false;
  };
  struct Pausing {
    std::vector<size_t> slots = {};
    Alarms::Id alarm = {};
  };

  void Ask();
  void OnAsked(const absl::Status& asked);
  void Begin();
  void Enqueue(const std::vector<size_t>& slots) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Pump();
  void Deliver(const Group& group, std::vector<size_t> slots);
  void OnOutcome(size_t slot, LetterOutcome outcome, bool last);
  void TryAgain(size_t slot, std::chrono::milliseconds pause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnPaused(const Group& group);
  // Who is to be asked instead of the slot's; null: nobody else.
  CandidatePtr Another(size_t slot);
  void OnRefreshed(size_t slot, const absl::Status& failure);
  void AddResult(size_t slot, absl::StatusOr<Buffer> answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Enough() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(absl::Status status, bool show_open);
  void Tell();
  void CancelNext(uint64_t number);

  const std::shared_ptr<RecipientsCore> core_;
  const Outgoing message_;
  std::shared_ptr<Post> post_;
  Cancellation cancellation_;

  std::mutex mutex_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<Name, uint64_t>> known_ ABSL_GUARDED_BY(mutex_);  // all that were in slots_
  std::vector<uint64_t> calls_ ABSL_GUARDED_BY(mutex_);                // Message::call, by twin
  std::deque<std::pair<Group, std::vector<size_t>>> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<Group, Pausing> pausing_ ABSL_GUARDED_BY(mutex_);
  size_t batches_ ABSL_GUARDED_BY(mutex_) = 0;  // under way
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;  // slots that are not over
  size_t succeeded_ ABSL_GUARDED_BY(mutex_) = 0;

  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  size_t cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<RawResult> results_ ABSL_GUARDED_BY(mutex_);  // that nobody has read
  NextCompletion next_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  ResultsCompletion all_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_GATHER_OPERATION_H_
