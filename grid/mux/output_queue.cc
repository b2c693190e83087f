#include "grid/mux/output_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace grid {
namespace {

// Lanes that are kept for their memory.
constexpr size_t kIdleLanes = 64;

}  // namespace

OutputQueue::Ticket OutputQueue::PushToLane(const Message& message, Class of, MuxDirection from) {
  const auto found = lanes_.find(from);
  Lane* lane = found == lanes_.end() ? OpenLane(from, of) : found->second.get();
  Pushed(lane->batches.Push(message, pool_), kFirstLane + lane->of);
  largest_ = std::max(largest_, lane->batches.back().bytes());
  return {.position = lane->batches.pushed(), .lane = lane->serial, .of = lane->of};
}

OutputQueue::Lane* OutputQueue::OpenLane(MuxDirection from, Class of) {
  std::unique_ptr<Lane> made;
  if (idle_lanes_.empty()) {
    made = std::make_unique<Lane>();
  } else {
    made = std::move(idle_lanes_.back());
    idle_lanes_.pop_back();
  }
  Lane* lane = made.get();
  lane->from = from;
  lane->serial = ++lanes_opened_;
  lane->of = of;
  lane->after = classes_[of].pushed();
  lane->deficit = 0;
  lane->granted = false;
  Lane*& last = last_lane_[of];
  lane->next = last == nullptr ? lane : last->next;
  if (last != nullptr) last->next = lane;
  last = lane;
  lanes_.emplace(from, std::move(made));
  return lane;
}

void OutputQueue::CloseLane(Lane* lane) {
  Lane*& last = last_lane_[lane->of];
  Lane* before = lane;
  while (before->next != lane) before = before->next;
  before->next = lane->next;
  if (last == lane) last = before == lane ? nullptr : before;
  if (last == nullptr) waiting_ &= ~(1u << (kFirstLane + lane->of));
  const auto found = lanes_.find(lane->from);
  if (idle_lanes_.size() < kIdleLanes) idle_lanes_.push_back(std::move(found->second));
  lanes_.erase(found);
}

void OutputQueue::DropLane(MuxDirection from) {
  if (!has_lanes()) return;
  const auto found = lanes_.find(from);
  if (found == lanes_.end()) return;
  bytes_ -= found->second->batches.Clear();
  counters_.output_bytes.Set(bytes_);
  CloseLane(found->second.get());
}

int OutputQueue::NextLevel() {
  const int first = std::countr_zero(waiting_);
  if (std::has_single_bit(waiting_)) return first;
  for (int level = kLast - 1; level > first; --level) {
    if ((waiting_ >> level & 1) != 0 && passed_[level] >= kPatience) return level;
  }
  return first;
}

// Deficit round robin: in its turn a lane gets the size of the largest batch to spend, and keeps
// what it does not.
OutputQueue::Lane* OutputQueue::NextLane(Class of) {
  for (;;) {
    Lane* lane = last_lane_[of]->next;
    if (!lane->granted) {
      lane->granted = true;
      lane->deficit += largest_;
    }
    const size_t size = lane->batches.front().bytes();
    if (size <= lane->deficit) {
      lane->deficit -= size;
      return lane;
    }
    lane->granted = false;
    last_lane_[of] = lane;
  }
}

void OutputQueue::Passed(int level, size_t bytes) {
  passed_[level] = 0;
  for (unsigned others = waiting_ & ~(1u << level); others != 0; others &= others - 1) {
    passed_[std::countr_zero(others)] += bytes;
  }
}

MutableBytes OutputQueue::StartWrite() {
  int level = NextLevel();
  Lane* lane = nullptr;
  if (level >= kFirstLane && level < kLast) {
    const auto of = static_cast<Class>(level - kFirstLane);
    lane = NextLane(of);
    if (lane->after > classes_[of].popped()) {
      // What its mux sent before has not left: that goes first, in its place.
      lane->deficit += lane->batches.front().bytes();
      lane = nullptr;
      passed_[level] = 0;
      level = of;
    }
  }
  BatchQueue& queue = lane != nullptr ? lane->batches : level == kLast ? last_ : classes_[level];
  with_writer_ = queue.Pop();
  writing_ = true;
  Passed(level, with_writer_.bytes());
  if (queue.empty()) {
    if (lane != nullptr) {
      CloseLane(lane);
    } else {
      waiting_ &= ~(1u << level);
    }
  }

  const MutableBytes bytes = with_writer_.Seal();
  if (with_writer_.messages > 1) counters_.merged_out.Add(with_writer_.messages);
  counters_.writes.Add(1);
  counters_.bytes_out.Add(bytes.size());
  return bytes;
}

void OutputQueue::FinishWrite() {
  bytes_ -= with_writer_.bytes();
  counters_.output_bytes.Set(bytes_);
  with_writer_.block = Buffer();
  writing_ = false;
}

bool OutputQueue::HasLeft(Ticket ticket, MuxDirection from) const {
  if (ticket.lane == 0) return ticket.position <= classes_[ticket.of].popped();
  const auto found = lanes_.find(from);
  if (found == lanes_.end() || found->second->serial != ticket.lane) return true;
  return ticket.position <= found->second->batches.popped();
}

void OutputQueue::Clear() {
  for (BatchQueue& queue : classes_) bytes_ -= queue.Clear();
  bytes_ -= last_.Clear();
  for (auto& [from, lane] : lanes_) bytes_ -= lane->batches.Clear();
  lanes_.clear();
  last_lane_ = {};
  waiting_ = 0;
  counters_.output_bytes.Set(bytes_);
}

}  // namespace grid
