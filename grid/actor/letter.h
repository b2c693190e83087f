// Letter: one message on its way to one actor, and ReplyToken: the right to answer it, once.
//
// A letter holds its bytes and, where its sender waits, a ReplyToken. Whoever has the letter
// answers it or lets it go: that answers "no reply" at once, so that nobody waits in vain.
#ifndef GRID_GRID_ACTOR_LETTER_H_
#define GRID_GRID_ACTOR_LETTER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/name.h"
#include "handlers/context.h"
#include "serialization/buffer.h"

namespace grid {

// Who sent a letter.
struct Sender {
  // The process: as its connection says; of one in this process the host is its member's.
  Caller process = {};
  // The actor in it, where one sent it. The process says so: nobody has checked it.
  std::optional<Name> actor = {};
};

// What became of a letter: what its sender gets. Errors carry their delivery class.
using LetterOutcome = absl::StatusOr<Buffer>;

// Whether anybody still waits for the answer. Any thread.
class Cancellation {
 public:
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  // Why; OK while cancelled() is false.
  absl::Status why() const;
  // Runs `callback` once when it is cancelled, on the thread that cancels; at once when it already
  // is. It must not throw, and may still be running when Forget returns on another thread.
  void OnCancel(absl::AnyInvocable<void()> callback);
  // Drops the callbacks that have not run.
  void Forget();
  // For who waits. The first reason stays; `why` must not be OK.
  void Cancel(const absl::Status& why);

 private:
  std::atomic<bool> cancelled_{false};
  mutable std::mutex mutex_;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::AnyInvocable<void()>> callbacks_ ABSL_GUARDED_BY(mutex_);
};

// Who waits for a letter's outcome. Complete is called once, on any thread, perhaps inside the
// function that delivers the letter.
class OutcomeSink {
 public:
  virtual ~OutcomeSink() = default;
  virtual void Complete(LetterOutcome outcome) = 0;
  // Null where nobody can cancel.
  virtual std::shared_ptr<Cancellation> cancellation() { return nullptr; }
};

class ReplyToken {
 public:
  ReplyToken() = default;  // nobody waits
  explicit ReplyToken(std::unique_ptr<OutcomeSink> sink) : sink_(std::move(sink)) {}
  ReplyToken(ReplyToken&&) noexcept = default;
  ReplyToken& operator=(ReplyToken&& other) noexcept;
  ~ReplyToken();  // answers "no reply", unless it was answered

  // False: nobody waits, or the answer was given.
  explicit operator bool() const { return sink_ != nullptr; }

  // Answers; without effect where nobody waits. An error is the actor's own, kExecuted, unless it
  // carries a delivery class.
  void Answer(LetterOutcome outcome);

 private:
  friend struct Letter;
  std::unique_ptr<OutcomeSink> sink_;
};

// "no reply": kInternal, kExecuted: the letter was taken, and let go.
absl::Status NoReplyError();
// "closed, not executed": kUnavailable, kRejected.
absl::Status ClosedError(std::string_view name);

struct Letter {
  static constexpr TimePoint kNoDeadline = TimePoint::max();

  // From `offset` on the name of the letter's type, and behind it the body.
  Buffer message = {};
  uint32_t offset = 0;
  uint32_t type_bytes = 0;
  bool nil_body = false;  // there is no body, not even an empty one
  // When the sender wants to hear of it: once it is in the mailbox, or once it was processed.
  Acknowledgement acknowledge = Acknowledgement::kProcessed;
  TimePoint deadline = kNoDeadline;
  std::shared_ptr<const Sender> sender = {};        // never null once it is delivered
  std::shared_ptr<Cancellation> cancellation = {};  // may be null
  ReplyToken reply = {};

  std::string_view type() const {
    return {reinterpret_cast<const char*>(message.data()) + offset, type_bytes};
  }
  BytesView body() const {
    return nil_body ? BytesView() : message.view().subspan(offset + type_bytes);
  }
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_LETTER_H_
