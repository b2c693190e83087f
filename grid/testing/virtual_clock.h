// VirtualClock: a clock whose time moves only when its driver says so, so that whole clusters run
// in one test, from a seed, and nothing takes real time.
//
// The test owns it and drives it; managers, timers and the memory network share it. It belongs to
// one thread: the one that drives it and polls the io_context.
//
//   auto clock = std::make_shared<testing::VirtualClock>();
//   asio::io_context io;
//   bool held = testing::RunUntil(io, *clock, [&] { return done; }, 5s);
#ifndef GRID_GRID_TESTING_VIRTUAL_CLOCK_H_
#define GRID_GRID_TESTING_VIRTUAL_CLOCK_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "grid/base/clock.h"
#include "grid/testing/random.h"

namespace grid::testing {

namespace asio = boost::asio;

// Time starts at a fixed point (a thousand seconds after the epoch of the steady clock, noon of 1
// January 2026 on the wall), and stands still between calls of Advance. Alarms fire in the order of
// their times; those set for the same time, in the order in which they were set. Alarms may outlive
// the clock.
class VirtualClock final : public Clock {
 public:
  VirtualClock();
  ~VirtualClock() override;
  VirtualClock(const VirtualClock&) = delete;
  VirtualClock& operator=(const VirtualClock&) = delete;

  TimePoint Now() const override;
  WallTime WallNow() const override;
  std::unique_ptr<Alarm> NewAlarm(absl::AnyInvocable<void()> fire) override;

  // When the first alarm is due; nothing when none is set. May be in the past: an alarm that was
  // set for a time gone by is due at once.
  std::optional<TimePoint> NextAlarm() const;

  // Moves the time to the first alarm's and fires that one; false when there is none. Time never
  // goes back.
  bool AdvanceToNextAlarm();

  // Moves the time on by `by`, firing on the way what becomes due, each at its own time, and what
  // these alarms set in turn.
  void Advance(Duration by);

  // Moves the time to `at` without firing anything; never back, and never past an alarm.
  void MoveTo(TimePoint at);

  // Alarms that are set.
  size_t pending() const;

 private:
  struct State;
  class VirtualAlarm;
  const std::shared_ptr<State> state_;
};

// Shows the time of another clock with the wall time shifted: a host whose clock is wrong.
class SkewedClock final : public Clock {
 public:
  SkewedClock(std::shared_ptr<Clock> base, std::chrono::nanoseconds wall_skew)
      : base_(std::move(base)), wall_skew_(wall_skew) {}

  TimePoint Now() const override { return base_->Now(); }
  WallTime WallNow() const override { return base_->WallNow() + wall_skew_; }
  std::unique_ptr<Alarm> NewAlarm(absl::AnyInvocable<void()> fire) override {
    return base_->NewAlarm(std::move(fire));
  }

 private:
  const std::shared_ptr<Clock> base_;
  const std::chrono::nanoseconds wall_skew_;
};

// Runs handlers and alarms until `predicate` holds, or until `limit` of virtual time has gone by:
// runs everything that is ready, then jumps to the next alarm and fires it on `io`, and so on.
// Returns whether the predicate held, which is asked whenever nothing is ready. Never blocks.
// Throws std::runtime_error when handlers post each other without end at one instant.
//
// With `interleave`, alarms that are due within microseconds sometimes fire while handlers are
// still ready, as they do where handlers take time: what was posted to happen "at once" is then
// overtaken now and then.
bool RunUntil(asio::io_context& io, VirtualClock& clock, absl::FunctionRef<bool()> predicate,
              Duration limit, Random* interleave = nullptr);

// The same without a predicate: exactly `duration` later.
void RunFor(asio::io_context& io, VirtualClock& clock, Duration duration,
            Random* interleave = nullptr);

// Runs everything that is ready, without moving the time. Returns how many handlers ran.
size_t Drain(asio::io_context& io);

// Completes after `duration` on `clock`; early, and without an error, when the coroutine is
// cancelled.
asio::awaitable<void> Sleep(asio::io_context& io, Clock& clock, Duration duration);

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_VIRTUAL_CLOCK_H_
