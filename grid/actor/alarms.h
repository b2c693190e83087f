// Alarms: functions that run at a time, all of them with one timer of the control thread.
//
//   Alarms::Id pause = alarms->At(now + 50ms, [weak] { ... });
//   alarms->Cancel(pause);
//
// Any thread; the functions run on the thread of `io`, under no lock.
#ifndef GRID_GRID_ACTOR_ALARMS_H_
#define GRID_GRID_ACTOR_ALARMS_H_

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "grid/base/clock.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class Alarms final : public std::enable_shared_from_this<Alarms> {
 public:
  using Id = std::pair<TimePoint, uint64_t>;

  // `io` must outlive Close.
  Alarms(boost::asio::io_context& io, std::shared_ptr<Clock> clock)
      : io_(io), clock_(std::move(clock)) {}

  // Once closed, `fire` is dropped.
  Id At(TimePoint at, absl::AnyInvocable<void()> fire);
  // It may be running still. Without effect when it has run.
  void Cancel(const Id& id);
  // Drops all of them.
  void Close();

 private:
  void Arm();
  void Fire();

  boost::asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;

  std::mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  // What the timer is set to, or is about to be.
  TimePoint armed_ ABSL_GUARDED_BY(mutex_) = TimePoint::max();
  std::map<Id, absl::AnyInvocable<void()>> waiting_ ABSL_GUARDED_BY(mutex_);

  std::optional<LoopTimer> timer_;  // of the control thread
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ALARMS_H_
