#include "grid/actor/cell_answers.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid::internal {

void CellAnswers::OnAnswer(LetterOutcome& outcome, bool heard) {
  const bool rejected = !outcome.ok() && DeliveryOf(outcome.status()) == Delivery::kRejected;
  if (rejected) return Count(runtime_->counters.unread);
  if (killed_.load(std::memory_order_acquire)) {
    outcome = WithDelivery(absl::AbortedError(absl::StrCat(name_.text(), ": was killed")),
                           Delivery::kMaybeExecuted);
    return;
  }
  if (outcome.ok()) return;
  Count(runtime_->counters.failed);
  if (heard) return;
  Count(runtime_->counters.unheard);
  Log(LogLevel::kWarning,
      absl::StrCat("an error that nobody waits for: ", outcome.status().ToString()));
}

void CellAnswers::OnNoReply() {
  if (!killed_.load(std::memory_order_acquire)) Count(runtime_->counters.no_reply);
}

void CellAnswers::OnUnencodable(const absl::Status& error) {
  Count(runtime_->counters.unencodable);
  Log(LogLevel::kError, std::string(error.message()));
}

void CellAnswers::Settle(Letter& letter, MailboxQueue::PutResult& put,
                         const MailboxOptions& options) const {
  using Outcome = MailboxQueue::Outcome;
  if (put.delivered) put.delivered.Answer(Buffer());
  for (Letter& dropped : put.dropped) {
    Count(runtime_->counters.dropped_oldest);
    RefuseFull(dropped, options);
  }
  if (put.outcome == Outcome::kWaiting) Count(runtime_->counters.waited);
  if (put.outcome == Outcome::kClosed) RefuseClosed(letter);
  if (put.outcome == Outcome::kFull) {
    Count(runtime_->counters.rejected_full);
    RefuseFull(letter, options);
  }
  if (put.outcome == Outcome::kNoCredit && !RefuseLate(letter, runtime_->clock->Now())) {
    Count(runtime_->counters.waiting_rejected);
    letter.reply.Refuse(absl::ResourceExhaustedError(
        absl::StrCat(name_.text(), ": the mailbox is full, and ", options.max_waiting,
                     " letters or ", options.max_bytes, " bytes wait for room")));
  }
}

void CellAnswers::RefuseFull(Letter& letter, const MailboxOptions& options) const {
  letter.reply.Refuse(absl::ResourceExhaustedError(
      absl::StrCat(name_.text(), ": the mailbox is full: ", options.capacity, " letters or ",
                   options.max_bytes, " bytes")));
}

void CellAnswers::RefuseClosed(std::vector<Letter> letters) const {
  for (Letter& letter : letters) RefuseClosed(letter);
}

void CellAnswers::RefuseClosed(Letter& letter) const {
  Count(runtime_->counters.closed);
  letter.reply.Refuse(ClosedError(name_.text()));
}

void CellAnswers::RefuseExpired(Letter& letter) const {
  Count(runtime_->counters.expired);
  letter.reply.Refuse(absl::DeadlineExceededError(
      absl::StrCat(name_.text(), ": the deadline passed in the mailbox")));
}

bool CellAnswers::IsLate(const Letter& letter, TimePoint now) const {
  if (letter.cancellation != nullptr && letter.cancellation->cancelled()) return true;
  return letter.deadline != Letter::kNoDeadline && letter.deadline <= now;
}

bool CellAnswers::RefuseLate(Letter& letter, TimePoint now) const {
  if (!IsLate(letter, now)) return false;
  if (letter.cancellation == nullptr || !letter.cancellation->cancelled()) {
    RefuseExpired(letter);
    return true;
  }
  Count(runtime_->counters.cancelled);
  letter.reply.Refuse(absl::CancelledError(absl::StrCat(
      name_.text(), ": given up in the mailbox: ", letter.cancellation->why().message())));
  return true;
}

void CellAnswers::Log(LogLevel level, std::string_view text) const {
  runtime_->log->Log(level, absl::StrCat("actor ", name_.text(), ": ",
                                         absl::string_view(text.data(), text.size())));
}

}  // namespace grid::internal
