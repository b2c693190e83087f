#include "grid/testing/event_queue.h"

#include <boost/asio/dispatch.hpp>

namespace grid::testing::internal {

EventQueue::EventQueue(std::shared_ptr<Clock> clock)
    : clock_(std::move(clock)), alarm_(clock_->NewAlarm([this] { RunFirst(); })) {}

EventQueue::Id EventQueue::At(TimePoint at, boost::asio::io_context& io, Event event) {
  const Id id{at, ++scheduled_};
  if (shut_down_) return id;
  const auto [position, inserted] = events_.emplace(id, Entry{&io, std::move(event)});
  if (position == events_.begin()) SetAlarm();
  return id;
}

void EventQueue::Cancel(const Id& id) {
  const auto found = events_.find(id);
  if (found == events_.end()) return;
  const bool first = found == events_.begin();
  // What it owns may call back in here when it goes.
  const Entry entry = std::move(found->second);
  events_.erase(found);
  if (first) SetAlarm();
}

void EventQueue::Shutdown() {
  shut_down_ = true;
  alarm_->Clear();
  const std::map<Id, Entry> dropped = std::move(events_);
  events_.clear();
}

void EventQueue::RunFirst() {
  const auto first = events_.begin();
  Entry entry = std::move(first->second);
  events_.erase(first);
  SetAlarm();
  boost::asio::dispatch(*entry.io, std::move(entry.event));
}

void EventQueue::SetAlarm() {
  if (events_.empty()) return alarm_->Clear();
  alarm_->Set(events_.begin()->first.first);
}

}  // namespace grid::testing::internal
