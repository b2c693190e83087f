// Clock: the time, injected. One per manager; every timer, deadline, ping and back-off goes through
// it.
//
// RealClock() is the default. Tests use testing::VirtualClock, on which nothing takes real time.
#ifndef GRID_GRID_BASE_CLOCK_H_
#define GRID_GRID_BASE_CLOCK_H_

#include <chrono>
#include <memory>

#include "absl/functional/any_invocable.h"

namespace grid {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

// A one-shot alarm of a clock that drives itself. Not thread-safe; belongs to one I/O thread.
class Alarm {
 public:
  virtual ~Alarm() = default;          // never fires afterwards
  virtual void Set(TimePoint at) = 0;  // replaces an earlier setting
  virtual void Clear() = 0;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;  // monotonic
  virtual WallTime WallNow() const = 0;
  // An alarm that calls `fire` from the clock's own driver; nullptr from clocks that run in real
  // time, where the I/O loop's timers do it.
  virtual std::unique_ptr<Alarm> NewAlarm(absl::AnyInvocable<void()> fire) {
    (void)fire;
    return nullptr;
  }
};

// The machine's clocks. Lives for ever.
std::shared_ptr<Clock> RealClock();

}  // namespace grid

#endif  // GRID_GRID_BASE_CLOCK_H_
