// ControlAlarm: fires on the control thread at a time that any thread may ask for.
//
// What actors and mailboxes have of timers: made when the first is needed, one for each.
#ifndef GRID_GRID_ACTOR_CONTROL_ALARM_H_
#define GRID_GRID_ACTOR_CONTROL_ALARM_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "grid/actor/actor_runtime.h"
#include "grid/base/clock.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class ControlAlarm : public std::enable_shared_from_this<ControlAlarm> {
 public:
  // Dropping it, on any thread, ends it: `fire` is then not begun any more, once the control thread
  // has heard of it.
  static std::shared_ptr<ControlAlarm> Make(std::shared_ptr<ActorRuntime> runtime,
                                            absl::AnyInvocable<void()> fire);

  // Any thread. Fires once at `at`, or at a sooner time that was asked for; whoever asked for the
  // later one asks again then.
  void Ask(TimePoint at);

 private:
  ControlAlarm(std::shared_ptr<ActorRuntime> runtime, absl::AnyInvocable<void()> fire);

  // The control thread.
  void Set(TimePoint at);
  void Fire();

  const std::shared_ptr<ActorRuntime> runtime_;
  absl::AnyInvocable<void()> fire_;
  TimePoint at_ = TimePoint::max();
  LoopTimer timer_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_CONTROL_ALARM_H_
