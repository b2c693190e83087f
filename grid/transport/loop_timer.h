// LoopTimer: a one-shot timer on an I/O thread and on the injected clock.
//
// Belongs to one I/O thread. On a real clock it is an Asio timer; on a clock that drives itself it
// is that clock's alarm.
#ifndef GRID_GRID_TRANSPORT_LOOP_TIMER_H_
#define GRID_GRID_TRANSPORT_LOOP_TIMER_H_

#include <boost/asio/io_context.hpp>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "grid/base/clock.h"

namespace grid {

class LoopTimer {
 public:
  // `fire` runs on the I/O thread of `io`.
  LoopTimer(boost::asio::io_context& io, Clock& clock, absl::AnyInvocable<void()> fire);
  // Never fires afterwards, even when it was already due.
  ~LoopTimer();
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  // Fires once at `at`; replaces an earlier setting.
  void Set(TimePoint at);
  void Clear();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace grid

#endif  // GRID_GRID_TRANSPORT_LOOP_TIMER_H_
