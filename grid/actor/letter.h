// Letter: one message on its way to one actor, and ReplyToken: the right to answer it, once.
//
// A letter holds its bytes and, where its sender waits, a ReplyToken. Whoever has the letter
// answers it or lets it go: that answers "no reply" at once, so that nobody waits in vain.
//
//   if (letter.Is(kAdd)) {
//     absl::StatusOr<Add> add = letter.Read(kAdd);
//     if (!add.ok()) return letter.reply.Refuse(add.status());
//     letter.Answer(kAdd, total += add->by);
//   }
//
// Values, each used by one thread at a time, but for what says otherwise.
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
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/message_type.h"
#include "grid/actor/publication.h"
#include "grid/base/clock.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/name.h"
#include "handlers/context.h"
#include "serialization/buffer.h"
#include "serialization/codec.h"

namespace grid {

// Who sent a letter.
struct Sender {
  // The process: as its connection says; of one in this process the host is its member's.
  Caller process = {};
  // The actor in it, where one sent it. The process says so: nobody has checked it.
  std::optional<Name> actor = {};
  // Where it was published: which of its publisher's messages it is. The process says so.
  std::optional<Publication> publication = {};
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
  // is. It must not throw, and may still be running when Forget returns on another thread. `owner`
  // is any address that says whose it is, for Forget.
  void OnCancel(absl::AnyInvocable<void()> callback, const void* owner = nullptr);
  // Drops the callbacks of `owner` that have not run.
  void Forget(const void* owner = nullptr);
  // For who waits. The first reason stays; `why` must not be OK.
  void Cancel(const absl::Status& why);

 private:
  struct Callback {
    absl::AnyInvocable<void()> run;
    const void* owner;
  };

  std::atomic<bool> cancelled_{false};
  mutable std::mutex mutex_;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
  std::vector<Callback> callbacks_ ABSL_GUARDED_BY(mutex_);
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

namespace internal {

// The actor that has a letter, as its ReplyToken knows it. Any thread.
class AnswerObserver {
 public:
  virtual ~AnswerObserver() = default;
  // Before an answer is given; may put another one in its place. `heard`: somebody waits for it.
  virtual void OnAnswer(LetterOutcome& outcome, bool heard) = 0;
  // Somebody waits, and the letter was let go. OnAnswer comes next.
  virtual void OnNoReply() = 0;
  // There was an answer that can't be encoded. OnAnswer comes next, with `error`.
  virtual void OnUnencodable(const absl::Status& error) = 0;
};

}  // namespace internal

class ReplyToken {
 public:
  ReplyToken() = default;  // nobody waits
  explicit ReplyToken(std::unique_ptr<OutcomeSink> sink) : sink_(std::move(sink)) {}
  ReplyToken(ReplyToken&&) noexcept = default;
  ReplyToken& operator=(ReplyToken&& other) noexcept {
    if (sink_ != nullptr) Drop();
    sink_ = std::move(other.sink_);
    observer_ = std::move(other.observer_);
    return *this;
  }
  // Answers "no reply", unless it was answered.
  ~ReplyToken() {
    if (sink_ != nullptr) Drop();
  }

  // False: nobody waits, or the answer was given.
  explicit operator bool() const { return sink_ != nullptr; }

  // Answers; without effect where nobody waits, but that an error is logged. An error is the
  // actor's own, kExecuted, unless it carries a delivery class: one that comes from another call
  // goes through Fail.
  void Answer(LetterOutcome outcome);
  // Answers with an error of the actor's own: kExecuted, whatever class it carries.
  void Fail(const absl::Status& error);
  // Answers that nothing was done: kRejected.
  void Refuse(const absl::Status& why);
  // Answers that the answer to a `type` can't be encoded: kInternal, kExecuted, and logged.
  void FailEncoding(std::string_view type, const absl::Status& why);

  // For the actor that begins with the letter: hears of the answer, once. The first one stays.
  void Observe(std::shared_ptr<internal::AnswerObserver> observer) {
    if (observer_ == nullptr) observer_ = std::move(observer);
  }

 private:
  void Drop();

  std::unique_ptr<OutcomeSink> sink_;
  std::shared_ptr<internal::AnswerObserver> observer_;
};

// "no reply": kInternal, kExecuted: the letter was taken, and let go.
absl::Status NoReplyError();
// "closed, not executed": kUnavailable, kRejected.
absl::Status ClosedError(std::string_view name);
// Whether it is that, so that this target takes nothing any more.
bool IsClosed(const absl::Status& status);

struct Letter {
  static constexpr TimePoint kNoDeadline = TimePoint::max();

  // From `offset` on the name of the letter's type, and behind it the body.
  Buffer message = {};
  uint32_t offset = 0;
  uint32_t type_bytes = 0;
  bool nil_body = false;  // there is no body, not even an empty one
  // When the sender wants to hear of it: at once, once it is in the mailbox, or once it was
  // processed.
  Acknowledgement acknowledge = Acknowledgement::kProcessed;
  TimePoint deadline = kNoDeadline;
  std::shared_ptr<const Sender> sender = {};        // never null once it is delivered
  std::shared_ptr<Cancellation> cancellation = {};  // may be null
  ReplyToken reply = {};

  // Valid as long as the letter is neither changed nor moved.
  std::string_view type() const { return AsText(message.view().subspan(offset, type_bytes)); }
  BytesView body() const {
    return nil_body ? BytesView() : message.view().subspan(offset + type_bytes);
  }

  template <typename Req, typename Resp>
  bool Is(const MessageType<Req, Resp>& type) const {
    return this->type() == type.name();
  }
  // The message. kInvalidArgument names the field that can't be read, or the type that it is
  // instead.
  template <typename Req, typename Resp>
  absl::StatusOr<Req> Read(const MessageType<Req, Resp>& type) const;
  // Answers with a value of the type's, or with an error of the actor's own (kExecuted). A value
  // that can't be encoded is answered with kInternal, kExecuted.
  template <typename Req, typename Resp>
  void Answer(const MessageType<Req, Resp>& type, const absl::StatusOr<Resp>& answer);
};

namespace internal {

absl::Status WrongTypeError(std::string_view type, std::string_view wanted);
absl::Status UnreadableError(std::string_view type, const absl::Status& why);

template <typename Resp>
void AnswerWith(ReplyToken& token, std::string_view type, const absl::StatusOr<Resp>& answer) {
  if (!answer.ok()) return token.Fail(answer.status());
  if (!token) return;
  if constexpr (std::is_same_v<Resp, NoPayload>) {
    token.Answer(Buffer());
  } else {
    Buffer bytes = Buffer::Empty();
    const absl::Status encoded = Encode(*answer, bytes);
    if (!encoded.ok()) return token.FailEncoding(type, encoded);
    token.Answer(std::move(bytes));
  }
}

}  // namespace internal

template <typename Req, typename Resp>
absl::StatusOr<Req> Letter::Read(const MessageType<Req, Resp>& type) const {
  if (!Is(type)) return internal::WrongTypeError(this->type(), type.name());
  absl::StatusOr<Req> request{Req{}};
  const absl::Status read = Decode(body(), *request, type.limits());
  if (!read.ok()) request = internal::UnreadableError(type.name(), read);
  return request;
}

template <typename Req, typename Resp>
void Letter::Answer(const MessageType<Req, Resp>& type, const absl::StatusOr<Resp>& answer) {
  internal::AnswerWith(reply, type.name(), answer);
}

}  // namespace grid

#endif  // GRID_GRID_ACTOR_LETTER_H_
