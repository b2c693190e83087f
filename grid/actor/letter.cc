#include "grid/actor/letter.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

constexpr absl::string_view kClosedUrl = "grid/closed";

// Whether `status` says its delivery class: without one it counts as kMaybeExecuted, too.
bool IsClassified(const absl::Status& status) {
  return DeliveryOf(status) != Delivery::kMaybeExecuted ||
         status == WithDelivery(status, Delivery::kMaybeExecuted, IsRemote(status));
}

absl::string_view Text(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::Status Cancellation::why() const {
  std::lock_guard lock(mutex_);
  return why_;
}

void Cancellation::OnCancel(absl::AnyInvocable<void()> callback, const void* owner) {
  {
    std::lock_guard lock(mutex_);
    if (why_.ok()) return callbacks_.push_back({std::move(callback), owner});
  }
  callback();
}

void Cancellation::Forget(const void* owner) {
  std::vector<Callback> dropped;  // destroyed without the lock
  std::lock_guard lock(mutex_);
  const auto first =
      std::stable_partition(callbacks_.begin(), callbacks_.end(),
                            [owner](const Callback& callback) { return callback.owner != owner; });
  dropped.assign(std::make_move_iterator(first), std::make_move_iterator(callbacks_.end()));
  callbacks_.erase(first, callbacks_.end());
}

void Cancellation::Cancel(const absl::Status& why) {
  std::vector<Callback> callbacks;
  {
    std::lock_guard lock(mutex_);
    if (!why_.ok()) return;
    why_ = why;
    cancelled_.store(true, std::memory_order_release);
    callbacks.swap(callbacks_);
  }
  for (Callback& callback : callbacks) callback.run();
}

void ReplyToken::Drop() {
  if (observer_ != nullptr) observer_->OnNoReply();
  Answer(NoReplyError());
}

void ReplyToken::Answer(LetterOutcome outcome) {
  if (!outcome.ok() && !IsClassified(outcome.status())) {
    outcome = WithDelivery(outcome.status(), Delivery::kExecuted);
  }
  const std::unique_ptr<OutcomeSink> sink = std::move(sink_);
  const auto observer = std::move(observer_);
  if (observer != nullptr) observer->OnAnswer(outcome, sink != nullptr);
  if (sink != nullptr) sink->Complete(std::move(outcome));
}

void ReplyToken::Fail(const absl::Status& error) {
  Answer(WithDelivery(error, Delivery::kExecuted));
}

void ReplyToken::Refuse(const absl::Status& why) { Answer(WithDelivery(why, Delivery::kRejected)); }

void ReplyToken::FailEncoding(std::string_view type, const absl::Status& why) {
  const absl::Status error = absl::InternalError(
      absl::StrCat("the answer to \"", Text(type), "\" can't be encoded: ", why.message()));
  if (observer_ != nullptr) observer_->OnUnencodable(error);
  Fail(error);
}

absl::Status NoReplyError() {
  return WithDelivery(absl::InternalError("no reply"), Delivery::kExecuted);
}

absl::Status ClosedError(std::string_view name) {
  absl::Status status = absl::UnavailableError(absl::StrCat(Text(name), ": closed, not executed"));
  status.SetPayload(kClosedUrl, absl::Cord());
  return WithDelivery(std::move(status), Delivery::kRejected);
}

bool IsClosed(const absl::Status& status) { return status.GetPayload(kClosedUrl).has_value(); }

namespace internal {

absl::Status WrongTypeError(std::string_view type, std::string_view wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("message \"", Text(type), "\" is no \"", Text(wanted), "\""));
}

absl::Status UnreadableError(std::string_view type, const absl::Status& why) {
  return absl::InvalidArgumentError(absl::StrCat("message \"", Text(type), "\": ", why.message()));
}

}  // namespace internal
}  // namespace grid
