// ActorTimers: what one actor wants to do later, and again and again.
//
//   Add ---> waiting --- due: Take ---> runs --- Done, if it repeats ---> waiting
//               |                         |
//               +-------- Cancel ---------+---> never again
//
// A state machine without threads and clocks: the time is an argument. Those that are due at the
// same time run in the order in which they were set.
#ifndef GRID_GRID_ACTOR_ACTOR_TIMERS_H_
#define GRID_GRID_ACTOR_ACTOR_TIMERS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "grid/actor/actor_context.h"
#include "grid/base/clock.h"

namespace grid::internal {

class ActorTimers {
 public:
  using Function = ActorContext::TimerFunction;
  enum class Repeat { kNever, kPeriod, kPause };

  // The first time `step` from now; for kPeriod counted on from when it was due, a time that has
  // already passed being left out; for kPause from the end of the last time.
  ActorTimer Add(TimePoint now, std::chrono::milliseconds step, Repeat repeat, Function function);
  // False: it has ended.
  bool Cancel(ActorTimer timer);

  size_t size() const { return timers_.size(); }
  std::optional<TimePoint> NextDue() const;

  struct Due {
    uint64_t id = 0;
    Function function = nullptr;
  };
  // The next one that is due at `now`. One at a time: Done comes before the next Take.
  std::optional<Due> Take(TimePoint now);
  void Done(Due due, TimePoint now);

 private:
  struct Timer {
    TimePoint due;
    std::chrono::milliseconds step;
    Repeat repeat;
    Function function;  // not while it runs
  };

  uint64_t last_id_ = 0;
  std::map<uint64_t, Timer> timers_;
  std::set<std::pair<TimePoint, uint64_t>> order_;  // those that wait
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ACTOR_TIMERS_H_
