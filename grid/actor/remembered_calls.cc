#include "grid/actor/remembered_calls.h"

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

LetterOutcome CopyOf(const LetterOutcome& outcome) {
  if (!outcome.ok()) return outcome.status();
  return Buffer::CopyOf(outcome->view());
}

}  // namespace

// Stands where the sender waits: what comes by is remembered, and passed on.
class RememberedCalls::Recorder final : public OutcomeSink {
 public:
  Recorder(std::shared_ptr<RememberedCalls> calls, CallKey key, ReplyToken sender)
      : calls_(std::move(calls)), key_(std::move(key)), sender_(std::move(sender)) {}

  void Complete(LetterOutcome outcome) override {
    calls_->Record(key_, outcome);
    sender_.Answer(std::move(outcome));
  }

 private:
  const std::shared_ptr<RememberedCalls> calls_;
  const CallKey key_;
  ReplyToken sender_;
};

bool RememberedCalls::Admit(CallKey key, Duration window, Letter& letter) {
  std::optional<LetterOutcome> known;
  {
    std::lock_guard lock(mutex_);
    Forget(clock_->Now());
    const auto found = calls_.find(key);
    const size_t taken = calls_.size() + waiting_;
    if (found == calls_.end() && taken < max_calls_ && bytes_ < max_bytes_) {
      calls_.emplace(key, Call{.window = window});
      letter.reply = ReplyToken(
          std::make_unique<Recorder>(shared_from_this(), std::move(key), std::move(letter.reply)));
      // Somebody who gives up must not end what others wait for.
      letter.cancellation = nullptr;
      return true;
    }
    if (found != calls_.end() && found->second.outcome.has_value()) {
      ++repeated_;
      known = CopyOf(*found->second.outcome);
    } else if (found != calls_.end() && taken < max_calls_) {
      ++repeated_;
      ++waiting_;
      found->second.waiting.push_back(std::move(letter.reply));
      return false;
    } else {
      ++refused_;
      known = WithDelivery(
          absl::ResourceExhaustedError(absl::StrCat(
              "no room to remember the call: ", calls_.size(), " of ", max_calls_, " calls, ",
              bytes_, " of ", max_bytes_, " bytes (ActorLimits::max_remembered)")),
          Delivery::kRejected);
    }
  }
  letter.reply.Answer(*std::move(known));
  return false;
}

void RememberedCalls::Record(const CallKey& key, const LetterOutcome& outcome) {
  std::vector<ReplyToken> waiting;
  {
    std::lock_guard lock(mutex_);
    const auto found = calls_.find(key);
    if (found == calls_.end()) return;
    Call& call = found->second;
    waiting = std::move(call.waiting);
    waiting_ -= waiting.size();
    if (!outcome.ok() && IsSafeToRetry(outcome.status())) {
      calls_.erase(found);
    } else {
      call.outcome = CopyOf(outcome);
      call.bytes = outcome.ok() ? outcome->size() : outcome.status().message().size();
      bytes_ += call.bytes;
      ends_.emplace(clock_->Now() + call.window, key);
    }
  }
  for (ReplyToken& reply : waiting) reply.Answer(CopyOf(outcome));
}

void RememberedCalls::Forget(TimePoint now) {
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const auto found = calls_.find(ends_.begin()->second);
    bytes_ -= found->second.bytes;
    calls_.erase(found);
    ends_.erase(ends_.begin());
  }
}

size_t RememberedCalls::size() const {
  std::lock_guard lock(mutex_);
  return calls_.size();
}

uint64_t RememberedCalls::repeated() const {
  std::lock_guard lock(mutex_);
  return repeated_;
}

uint64_t RememberedCalls::refused() const {
  std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace grid::internal
