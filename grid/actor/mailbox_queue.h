// MailboxQueue: the letters that wait for one actor or mailbox: bounded in number and bytes, with
// the three rules for what finds it full (Overflow), and closing.
//
//             room             Take, TakeAll
//   Put ---> queued ---------------------------> the actor
//    | none     ^
//    |          | room again
//    +---> waiting (kWaitForCredit only) ---> its deadline passed: TakeExpired
//
// A state machine without threads and clocks: the time is an argument, and what has to be answered
// is given back, to be answered without a lock.
#ifndef GRID_GRID_ACTOR_MAILBOX_QUEUE_H_
#define GRID_GRID_ACTOR_MAILBOX_QUEUE_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "grid/actor/actor_options.h"
#include "grid/actor/letter.h"
#include "grid/base/ring.h"

namespace grid::internal {

// Letters that were taken and have not begun yet: they count as if they were still in the queue.
struct HeldLetters {
  size_t letters = 0;
  size_t bytes = 0;
};

class MailboxQueue {
 public:
  explicit MailboxQueue(const MailboxOptions& options) : options_(options) {}

  enum class Outcome { kQueued, kWaiting, kFull, kNoCredit, kClosed };
  struct PutResult {
    Outcome outcome;
    ReplyToken delivered;         // to be answered with nil: the letter is in the mailbox
    std::vector<Letter> dropped;  // made room (kDropOldest)
  };
  // Whether Put would queue it, and drop nothing.
  bool HasRoomFor(const Letter& letter, HeldLetters held = {}) const {
    return !closed_ && waiting_.empty() && HasRoom(letter.message.size(), held);
  }
  // Unless it is kQueued or kWaiting, `letter` stays as it was.
  PutResult Put(Letter& letter, TimePoint now, HeldLetters held = {});

  // The oldest letter, in the place of which the first that waits comes in: its acknowledgement is
  // added to `delivered`. Nothing when there is none.
  std::optional<Letter> Take(std::vector<ReplyToken>& delivered);
  // All that is queued, into `letters`, which must be empty; not with kWaitForCredit. Returns what
  // they are.
  HeldLetters TakeAll(Ring<Letter>& letters);
  // `spare` is memory to go on with, when this has less.
  void Reuse(Ring<Letter>& spare);

  // Letters that wait for room beyond their deadline. `delivered` as in Take.
  std::vector<Letter> TakeExpired(TimePoint now, std::vector<ReplyToken>& delivered);
  // When the next one will; kNoDeadline for never.
  TimePoint NextExpiry() const;

  // Nothing comes in any more; what waits for room still does.
  void Close() { closed_ = true; }
  bool closed() const { return closed_; }
  // Closes, and gives back all there is, the oldest first.
  std::vector<Letter> CloseAndTakeAll();

  bool empty() const { return letters_.empty(); }
  size_t size() const { return letters_.size(); }
  size_t bytes() const { return bytes_; }
  size_t waiting() const { return waiting_.size(); }
  size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  bool HasRoom(size_t bytes, HeldLetters held) const;
  void Admit(std::vector<ReplyToken>& delivered);

  const MailboxOptions options_;
  bool closed_ = false;
  Ring<Letter> letters_;
  size_t bytes_ = 0;
  Ring<Letter> waiting_;
  size_t waiting_bytes_ = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_MAILBOX_QUEUE_H_
