#include "grid/actor/actor_context.h"

#include <utility>

#include "grid/actor/actor_cell.h"

namespace grid {

using Repeat = internal::ActorTimers::Repeat;

ActorContext::~ActorContext() {
  if (watches_) letter_->cancellation->Forget(this);
}

const Name& ActorContext::name() const { return cell_.name(); }
uint64_t ActorContext::epoch() const { return cell_.epoch(); }
const LeaseToken& ActorContext::lease() const { return cell_.lease(); }
ActorSystem& ActorContext::system() const { return *cell_.runtime()->system; }
boost::asio::any_io_executor ActorContext::executor() const { return cell_.executor(); }

const Sender& ActorContext::sender() const {
  static const auto* const nobody = new Sender;
  return letter_ == nullptr || letter_->sender == nullptr ? *nobody : *letter_->sender;
}

TimePoint ActorContext::deadline() const {
  return letter_ == nullptr ? Letter::kNoDeadline : letter_->deadline;
}

bool ActorContext::cancelled() const {
  return letter_ != nullptr && letter_->cancellation != nullptr &&
         letter_->cancellation->cancelled();
}

void ActorContext::OnCancel(absl::AnyInvocable<void()> callback) {
  if (letter_ == nullptr || letter_->cancellation == nullptr) return;
  watches_ = true;
  letter_->cancellation->OnCancel(std::move(callback), this);
}

absl::StatusOr<ActorTimer> ActorContext::Once(std::chrono::milliseconds delay,
                                              TimerFunction function) {
  return cell_.AddTimer(delay, Repeat::kNever, std::move(function));
}
absl::StatusOr<ActorTimer> ActorContext::Every(std::chrono::milliseconds period,
                                               TimerFunction function) {
  return cell_.AddTimer(period, Repeat::kPeriod, std::move(function));
}
absl::StatusOr<ActorTimer> ActorContext::AfterEach(std::chrono::milliseconds pause,
                                                   TimerFunction function) {
  return cell_.AddTimer(pause, Repeat::kPause, std::move(function));
}
bool ActorContext::CancelTimer(ActorTimer timer) { return cell_.CancelTimer(timer); }

void ActorContext::Stop(StopMode mode) { cell_.Stop(mode); }

}  // namespace grid
