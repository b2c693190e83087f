#include "grid/transport/loop_timer.h"

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <optional>
#include <utility>

namespace grid {

// Shared with the pending wait, so that a wait that completes after the LoopTimer is gone, or after
// it was set anew, finds that out instead of firing.
struct LoopTimer::State {
  absl::AnyInvocable<void()> fire;
  std::optional<boost::asio::steady_timer> timer;  // real clocks
  std::unique_ptr<Alarm> alarm;                    // clocks that drive themselves
  uint64_t setting = 0;
};

LoopTimer::LoopTimer(boost::asio::io_context& io, Clock& clock, absl::AnyInvocable<void()> fire)
    : state_(std::make_shared<State>()) {
  state_->fire = std::move(fire);
  // Kept alive while it fires, because the callback may destroy the timer.
  state_->alarm = clock.NewAlarm([weak = std::weak_ptr<State>(state_)] {
    if (const std::shared_ptr<State> state = weak.lock()) state->fire();
  });
  if (state_->alarm == nullptr) state_->timer.emplace(io);
}

LoopTimer::~LoopTimer() { Clear(); }

void LoopTimer::Set(TimePoint at) {
  if (state_->alarm != nullptr) return state_->alarm->Set(at);
  const uint64_t setting = ++state_->setting;
  state_->timer->expires_at(at);
  state_->timer->async_wait([state = state_, setting](boost::system::error_code) {
    if (state->setting == setting) state->fire();
  });
}

void LoopTimer::Clear() {
  if (state_->alarm != nullptr) return state_->alarm->Clear();
  ++state_->setting;
  state_->timer->cancel();
}

}  // namespace grid
