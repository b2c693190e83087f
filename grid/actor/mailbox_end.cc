#include "grid/actor/mailbox_end.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

namespace asio = boost::asio;

MailboxEnd::MailboxEnd(std::shared_ptr<ActorRuntime> runtime, Name name, MailboxOptions options,
                       Holding holding, uint64_t epoch, LeaseToken lease)
    : runtime_(std::move(runtime)),
      name_(std::move(name)),
      options_(options),
      holding_(holding),
      epoch_(epoch),
      lease_(std::move(lease)),
      answers_(std::make_shared<CellAnswers>(runtime_, name_)),
      queue_(options) {}

void MailboxEnd::LookAtLease() {
  if (holding_ == Holding::kExclusive && !lease_.valid()) LoseLease(lease_.why());
}

void MailboxEnd::Put(Letter letter) {
  // In a process that was suspended nobody may have told us, and somebody waits for a letter.
  LookAtLease();
  ReplyToken accepted;
  if (letter.acknowledge == Acknowledgement::kAccepted) accepted = std::move(letter.reply);
  const TimePoint deadline = letter.deadline;
  Effects effects;
  MailboxQueue::PutResult put = [&] {
    std::lock_guard lock(mutex_);
    MailboxQueue::PutResult result = queue_.Put(letter, runtime_->clock->Now());
    Match(effects);
    return result;
  }();
  // Only now: what its sender sends next comes behind it.
  if (accepted) accepted.Answer(Buffer());
  const bool waiting = put.outcome == MailboxQueue::Outcome::kWaiting;
  if (waiting && deadline != Letter::kNoDeadline) Alarm()->Ask(deadline);
  answers_->Settle(letter, put, options_);
  Do(std::move(effects));
}

void MailboxEnd::StartReceive(Completion<absl::StatusOr<Letter>> completion) {
  LookAtLease();
  const asio::cancellation_slot slot = completion.cancellation_slot();
  Effects effects;
  bool waits = false;
  {
    std::lock_guard lock(mutex_);
    const absl::Status refused =
        receiver_ ? absl::FailedPreconditionError("another Receive of this mailbox is under way")
                  : why_;
    if (!refused.ok()) {
      effects.receiver = std::move(completion);
      effects.result.emplace(refused);
    } else {
      if (slot.is_connected()) {
        // By number, as it may come when another one waits.
        asio::cancellation_slot(slot).assign(
            [weak = weak_from_this(), receive = receives_ + 1](asio::cancellation_type) {
              if (const auto self = weak.lock()) self->CancelReceive(receive);
            });
      }
      ++receives_;
      receiver_ = std::move(completion);
      Match(effects);
      waits = static_cast<bool>(receiver_);
    }
  }
  Do(std::move(effects));
  if (waits && on_waiting_) on_waiting_();
}

// A letter to whoever waits.
void MailboxEnd::Match(Effects& effects) {
  while (receiver_) {
    std::optional<Letter> letter = queue_.Take(effects.delivered);
    if (!letter.has_value()) return;
    if (answers_->IsLate(*letter, runtime_->clock->Now())) {
      effects.late.push_back(*std::move(letter));
      continue;
    }
    effects.receiver = std::move(receiver_);
    effects.result.emplace(*std::move(letter));
  }
}

void MailboxEnd::Do(Effects effects) {
  for (ReplyToken& token : effects.delivered) token.Answer(Buffer());
  for (Letter& letter : effects.late) answers_->RefuseLate(letter, runtime_->clock->Now());
  if (!effects.result.has_value()) return;
  if (effects.result->ok()) (*effects.result)->reply.Observe(answers_);
  Finish(std::move(effects.receiver), *std::move(effects.result));
}

// Never inside what starts it.
void MailboxEnd::Finish(Receiver receiver, absl::StatusOr<Letter> result) {
  asio::post(runtime_->threads, [runtime = runtime_, receiver = std::move(receiver),
                                 result = std::move(result)]() mutable {
    receiver.Complete(&runtime->threads, std::move(result));
  });
}

void MailboxEnd::CancelReceive(uint64_t receive) {
  Receiver receiver;
  {
    std::lock_guard lock(mutex_);
    if (receives_ != receive || !receiver_) return;
    receiver = std::move(receiver_);
  }
  Finish(std::move(receiver), absl::CancelledError("the Receive was cancelled"));
}

void MailboxEnd::LoseLease(const absl::Status& why) {
  if (holding_ != Holding::kExclusive) return;
  {
    std::lock_guard lock(mutex_);
    if (!why_.ok()) return;
  }
  Count(runtime_->counters.leases_lost);
  End(absl::AbortedError(absl::StrCat(name_.text(), ": the lease was lost: ", why.message())));
}

void MailboxEnd::End(absl::Status why) {
  if (why.ok()) why = absl::CancelledError("the mailbox was closed");
  std::vector<Letter> refused;
  Receiver receiver;
  std::vector<absl::AnyInvocable<void(const absl::Status&)>> callbacks;
  std::shared_ptr<ControlAlarm> alarm;
  {
    std::lock_guard lock(mutex_);
    if (!why_.ok()) return;
    why_ = why;
    refused = queue_.CloseAndTakeAll();
    receiver = std::move(receiver_);
    callbacks.swap(on_closed_);
    alarm.swap(alarm_);
  }
  answers_->RefuseClosed(std::move(refused));
  if (receiver) Finish(std::move(receiver), why);
  for (auto& callback : callbacks) callback(why);
}

void MailboxEnd::OnClosed(absl::AnyInvocable<void(const absl::Status&)> callback) {
  absl::Status why;
  {
    std::lock_guard lock(mutex_);
    if (why_.ok()) return on_closed_.push_back(std::move(callback));
    why = why_;
  }
  callback(why);
}

std::shared_ptr<ControlAlarm> MailboxEnd::Alarm() {
  std::lock_guard lock(mutex_);
  if (alarm_ == nullptr) {
    alarm_ = ControlAlarm::Make(runtime_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->OnAlarm();
    });
  }
  return alarm_;
}

// The control thread.
void MailboxEnd::OnAlarm() {
  Effects effects;
  std::vector<Letter> expired;
  TimePoint next = Letter::kNoDeadline;
  {
    std::lock_guard lock(mutex_);
    if (!why_.ok()) return;
    expired = queue_.TakeExpired(runtime_->clock->Now(), effects.delivered);
    next = queue_.NextExpiry();
    Match(effects);
  }
  if (next != Letter::kNoDeadline) Alarm()->Ask(next);
  for (Letter& letter : expired) answers_->RefuseExpired(letter);
  Do(std::move(effects));
}

}  // namespace grid::internal
