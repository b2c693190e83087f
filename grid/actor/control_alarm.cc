#include "grid/actor/control_alarm.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace grid::internal {

std::shared_ptr<ControlAlarm> ControlAlarm::Make(std::shared_ptr<ActorRuntime> runtime,
                                                 absl::AnyInvocable<void()> fire) {
  boost::asio::io_context& control = runtime->control;
  // The timer belongs to the control thread, to its very end; and it may be what drops this.
  const auto destroy = [&control](ControlAlarm* alarm) {
    boost::asio::post(control, [owned = std::unique_ptr<ControlAlarm>(alarm)] {});
  };
  return {new ControlAlarm(std::move(runtime), std::move(fire)), destroy};
}

ControlAlarm::ControlAlarm(std::shared_ptr<ActorRuntime> runtime, absl::AnyInvocable<void()> fire)
    : runtime_(std::move(runtime)),
      fire_(std::move(fire)),
      timer_(runtime_->control, *runtime_->clock, [this] { Fire(); }) {}

void ControlAlarm::Ask(TimePoint at) {
  boost::asio::dispatch(runtime_->control, [weak = weak_from_this(), at] {
    if (const auto self = weak.lock()) self->Set(at);
  });
}

void ControlAlarm::Set(TimePoint at) {
  if (at >= at_) return;
  at_ = at;
  timer_.Set(at);
}

void ControlAlarm::Fire() {
  at_ = TimePoint::max();
  fire_();
}

}  // namespace grid::internal
