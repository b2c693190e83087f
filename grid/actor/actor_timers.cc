#include "grid/actor/actor_timers.h"

namespace grid::internal {

ActorTimer ActorTimers::Add(TimePoint now, std::chrono::milliseconds step, Repeat repeat,
                            Function function) {
  const uint64_t id = ++last_id_;
  const TimePoint due = now + step;
  timers_.emplace(id, Timer{due, step, repeat, std::move(function)});
  order_.emplace(due, id);
  return {id};
}

bool ActorTimers::Cancel(ActorTimer timer) {
  const auto found = timers_.find(timer.id);
  if (found == timers_.end()) return false;
  order_.erase({found->second.due, timer.id});
  timers_.erase(found);
  return true;
}

std::optional<TimePoint> ActorTimers::NextDue() const {
  if (order_.empty()) return std::nullopt;
  return order_.begin()->first;
}

std::optional<ActorTimers::Due> ActorTimers::Take(TimePoint now) {
  if (order_.empty() || order_.begin()->first > now) return std::nullopt;
  const uint64_t id = order_.begin()->second;
  order_.erase(order_.begin());
  const auto found = timers_.find(id);
  Due due{id, std::move(found->second.function)};
  if (found->second.repeat == Repeat::kNever) timers_.erase(found);
  return due;
}

void ActorTimers::Done(Due due, TimePoint now) {
  const auto found = timers_.find(due.id);
  if (found == timers_.end()) return;  // it was the last time, or it was cancelled meanwhile
  Timer& timer = found->second;
  if (timer.repeat == Repeat::kPause) {
    timer.due = now + timer.step;
  } else {
    const auto missed = now < timer.due ? 0 : (now - timer.due) / timer.step;
    timer.due += timer.step * (missed + 1);
  }
  timer.function = std::move(due.function);
  order_.emplace(timer.due, due.id);
}

}  // namespace grid::internal
