#include "grid/actor/mailbox_queue.h"

#include <algorithm>
#include <utility>

namespace grid::internal {
namespace {

// How many places a queue keeps while it is empty.
constexpr size_t kIdlePlaces = 64;

// The sender hears now that it is in the mailbox, if that is all it waits for.
ReplyToken TakeDelivered(Letter& letter) {
  if (letter.acknowledge != Acknowledgement::kDelivered) return {};
  return std::move(letter.reply);
}

}  // namespace

bool MailboxQueue::HasRoom(size_t bytes, HeldLetters held) const {
  const size_t letters = letters_.size() + held.letters;
  if (letters == 0) return true;
  return letters < options_.capacity && bytes_ + held.bytes + bytes <= options_.max_bytes;
}

MailboxQueue::PutResult MailboxQueue::Put(Letter& letter, TimePoint now, HeldLetters held) {
  PutResult result{Outcome::kQueued, {}, {}};
  const size_t bytes = letter.message.size();
  if (closed_) {
    result.outcome = Outcome::kClosed;
    return result;
  }
  // Whoever waits comes first.
  if (!HasRoom(bytes, held) || !waiting_.empty()) {
    if (options_.overflow == Overflow::kReject) {
      result.outcome = Outcome::kFull;
      return result;
    }
    if (options_.overflow == Overflow::kWaitForCredit) {
      const bool credit = waiting_.size() < options_.max_waiting &&
                          (waiting_.empty() || waiting_bytes_ + bytes <= options_.max_bytes);
      const bool expired = letter.deadline <= now;
      result.outcome = credit && !expired ? Outcome::kWaiting : Outcome::kNoCredit;
      if (result.outcome == Outcome::kNoCredit) return result;
      waiting_bytes_ += bytes;
      waiting_.PushBack(std::move(letter));
      return result;
    }
    while (!letters_.empty() && !HasRoom(bytes, held)) {
      bytes_ -= letters_.front().message.size();
      result.dropped.push_back(letters_.PopFront());
    }
  }
  result.delivered = TakeDelivered(letter);
  bytes_ += bytes;
  letters_.PushBack(std::move(letter));
  return result;
}

std::optional<Letter> MailboxQueue::Take(std::vector<ReplyToken>& delivered) {
  if (letters_.empty()) return std::nullopt;
  std::optional<Letter> taken(letters_.PopFront());
  bytes_ -= taken->message.size();
  Admit(delivered);
  return taken;
}

void MailboxQueue::Admit(std::vector<ReplyToken>& delivered) {
  while (!waiting_.empty() && HasRoom(waiting_.front().message.size(), {})) {
    const size_t bytes = waiting_.front().message.size();
    waiting_bytes_ -= bytes;
    bytes_ += bytes;
    Letter& letter = letters_.PushBack(waiting_.PopFront());
    if (ReplyToken token = TakeDelivered(letter)) delivered.push_back(std::move(token));
  }
}

HeldLetters MailboxQueue::TakeAll(Ring<Letter>& letters) {
  std::swap(letters, letters_);
  return {letters.size(), std::exchange(bytes_, 0)};
}

void MailboxQueue::Reuse(Ring<Letter>& spare) {
  if (letters_.empty() && letters_.places() < spare.places()) std::swap(letters_, spare);
  spare = {};
  if (letters_.empty() && letters_.places() > kIdlePlaces) letters_ = {};
}

std::vector<Letter> MailboxQueue::TakeExpired(TimePoint now, std::vector<ReplyToken>& delivered) {
  std::vector<Letter> expired;
  for (size_t left = waiting_.size(); left > 0; --left) {
    Letter letter = waiting_.PopFront();
    if (letter.deadline > now) {
      waiting_.PushBack(std::move(letter));
    } else {
      waiting_bytes_ -= letter.message.size();
      expired.push_back(std::move(letter));
    }
  }
  Admit(delivered);  // there may be room for smaller ones
  return expired;
}

TimePoint MailboxQueue::NextExpiry() const {
  TimePoint next = Letter::kNoDeadline;
  waiting_.ForEach([&](const Letter& letter) { next = std::min(next, letter.deadline); });
  return next;
}

std::vector<Letter> MailboxQueue::CloseAndTakeAll() {
  closed_ = true;
  std::vector<Letter> all;
  all.reserve(letters_.size() + waiting_.size());
  for (Ring<Letter>* ring : {&letters_, &waiting_}) {
    while (!ring->empty()) all.push_back(ring->PopFront());
    *ring = {};
  }
  bytes_ = waiting_bytes_ = 0;
  return all;
}

}  // namespace grid::internal
