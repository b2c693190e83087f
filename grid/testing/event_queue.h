// EventQueue: what is going to happen in a MemoryNetwork, in order of time, on the clock's one
// alarm.
//
// Shared by the network and everything that hangs on it. Events run on the io_context they name,
// never from inside a call that schedules them. One thread.
#ifndef GRID_GRID_TESTING_EVENT_QUEUE_H_
#define GRID_GRID_TESTING_EVENT_QUEUE_H_

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "grid/base/clock.h"

namespace grid::testing::internal {

class EventQueue {
 public:
  using Event = absl::AnyInvocable<void()>;
  using Id = std::pair<TimePoint, uint64_t>;

  // The clock must drive itself (Clock::NewAlarm).
  explicit EventQueue(std::shared_ptr<Clock> clock);

  TimePoint Now() const { return clock_->Now(); }
  // Events at the same time run in the order in which they were scheduled.
  Id At(TimePoint at, boost::asio::io_context& io, Event event);
  void Cancel(const Id& id);
  // Drops what is scheduled, and from now on everything: events own what they act on, which owns
  // this.
  void Shutdown();

 private:
  struct Entry {
    boost::asio::io_context* io;
    Event event;
  };
  void RunFirst();
  void SetAlarm();

  const std::shared_ptr<Clock> clock_;
  uint64_t scheduled_ = 0;
  bool shut_down_ = false;
  std::map<Id, Entry> events_;
  std::unique_ptr<Alarm> alarm_;
};

}  // namespace grid::testing::internal

#endif  // GRID_GRID_TESTING_EVENT_QUEUE_H_
