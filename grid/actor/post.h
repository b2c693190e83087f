// Post: brings messages to targets, in this process or over grid. What Recipients stand on; and
// LetterBox: where letters arrive.
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_POST_H_
#define GRID_GRID_ACTOR_POST_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grid/actor/letter.h"
#include "grid/actor/publication.h"
#include "grid/actor/target.h"
#include "grid/base/clock.h"
#include "grid/directory/call_policy.h"
#include "serialization/bytes.h"

namespace grid::internal {

// One message, as its sender has it. The bytes are copied before the function that gets it returns.
struct Message {
  std::string_view type = {};
  BytesView body = {};  // may be nil
  // As CallPolicy's. kAccepted: the outcome is OK once the target's member has it.
  Acknowledgement acknowledge = Acknowledgement::kProcessed;
  TimePoint deadline = Letter::kNoDeadline;  // on the system's clock
  // The callee's member remembers the outcome under `call` for `deduplicate`, and gives it to
  // whoever sends the same call of the same process to the same name; 0: it doesn't.
  std::chrono::milliseconds deduplicate{0};
  uint64_t call = 0;
  const Name* from = nullptr;                   // the actor that sends, if one does
  std::optional<Publication> publication = {};  // where it is published
};

// The outcomes of a message to several targets. On any thread, perhaps inside DeliverMany.
class OutcomesSink {
 public:
  virtual ~OutcomesSink() = default;
  // Once for each target; `index` is that of DeliverMany.
  virtual void Complete(size_t index, LetterOutcome outcome) = 0;
};

class LetterBox;
class LocalLetters;

class Post {
 public:
  virtual ~Post() = default;

  // Of our own member; targets there are reached without a connection.
  virtual std::shared_ptr<const LocalLetters> letters() const = 0;

  // `sink` gets the outcome, in any case: the answer's bytes (nil where acknowledge is less than
  // kProcessed), or a status with its delivery class. Cancelling sink->cancellation() gives the
  // message up: kCancelled, kMaybeExecuted unless it was never sent.
  virtual void Deliver(const Target& target, const Message& message,
                       std::unique_ptr<OutcomeSink> sink) = 0;

  // Where the letters of a target of our own member arrive; null when it is not there. For letters
  // of our own process, which everybody trusts. Once the target is gone it takes none.
  virtual std::shared_ptr<LetterBox> BoxHere(const Target& /*target*/) { return nullptr; }

  // As Deliver, to several targets of one member, as one message. Cancelling `cancellation` (may be
  // null) gives up those that have no outcome yet.
  virtual void DeliverMany(const std::string& member, const std::vector<Target>& targets,
                           const Message& message, std::shared_ptr<OutcomesSink> sink,
                           std::shared_ptr<Cancellation> cancellation) = 0;

  // `done` gets OK once there is a connection to `member`, perhaps inside; or why there never will
  // be. Never under a lock of the Post's.
  virtual void WhenConnected(const std::string& member,
                             absl::AnyInvocable<void(absl::Status)> done) = 0;
};

// Where the letters for one target arrive: an actor or a mailbox.
class LetterBox {
 public:
  virtual ~LetterBox() = default;
  // Takes the letter, whose sender and deadline are set. Whatever becomes of it, its ReplyToken
  // says so. Where letter.acknowledge is kDelivered it is answered with nil once it is in the
  // mailbox, kAccepted at once; an error of the handler is then only logged and counted.
  virtual void Put(Letter letter) = 0;
  // Takes the letter, which nobody waits for, if there is room. False: it stays as it was, and Put
  // says what becomes of it.
  virtual bool PutAtOnce(Letter& /*letter*/) { return false; }
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_POST_H_
