#include "grid/mux/output_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace grid {
namespace {

// Lanes that are kept for their memory.
constexpr size_t kIdleLanes = 64;

}  // namespace

// What TakeFrom will take, without the headers of fragments.
size_t OutputQueue::Lane::NextBytes() const {
  if (!IsCutting()) return batches.front().bytes();
  const Fragmenter& cut = large.front().cut;
  return std::min(cut.left(), std::max(cut.most(), kBatchBytes));
}

OutputQueue::Ticket OutputQueue::PushToLane(const Message& message, Class of, MuxDirection from) {
  Lane* lane = LaneOf(from, of);
  Pushed(lane->batches.Push(message, pool_), kFirstLane + lane->of);
  largest_ = std::max(largest_, lane->batches.back().bytes());
  return {.position = ++lane->pushed, .lane = lane->serial, .of = lane->of};
}

OutputQueue::Ticket OutputQueue::PushToLane(Fragmenter message, Class of, MuxDirection from) {
  Lane* lane = LaneOf(from, of);
  Waits(message.left(), kFirstLane + lane->of);
  largest_ = std::max(largest_, message.most());
  lane->batches.Close();
  lane->large.PushBack({std::move(message), lane->batches.pushed()});
  return {.position = ++lane->pushed, .lane = lane->serial, .of = lane->of};
}

OutputQueue::Lane* OutputQueue::LaneOf(MuxDirection from, Class of) {
  const auto found = lanes_.find(from);
  return found == lanes_.end() ? OpenLane(from, of) : found->second.get();
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
  lane->pushed = lane->left = 0;
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
  bytes_ -= ClearLane(found->second.get());
  counters_.output_bytes.Set(bytes_);
  CloseLane(found->second.get());
}

// Returns the bytes that waited there.
size_t OutputQueue::ClearLane(Lane* lane) {
  size_t dropped = lane->batches.Clear();
  lane->large.ForEach([&](const Large& large) { dropped += large.cut.left(); });
  lane->large.Clear();
  return dropped;
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
    const size_t size = lane->NextBytes();
    if (size <= lane->deficit) {
      lane->deficit -= size;
      return lane;
    }
    lane->granted = false;
    last_lane_[of] = lane;
  }
}

// Encodes as many fragments as one write takes: one, unless they are small.
Batch OutputQueue::TakeFrom(Lane* lane) {
  if (!lane->IsCutting()) {
    Batch batch = lane->batches.Pop();
    lane->left += batch.messages;
    return batch;
  }
  Fragmenter& cut = lane->large.front().cut;
  bytes_ -= cut.left();
  ExtensionBlock block;
  do {
    cut_.Push(cut.Next(&block), pool_);
    counters_.messages_out.Add(1);
  } while (cut.left() > 0 && cut_.HasRoomFor(std::min(cut.left(), cut.most())));
  Batch batch = cut_.Pop();
  bytes_ += cut.left() + batch.bytes();
  if (cut.left() == 0) {
    lane->large.PopFront();
    ++lane->left;
  }
  return batch;
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
      lane->deficit += lane->NextBytes();
      lane = nullptr;
      passed_[level] = 0;
      level = of;
    }
  }
  writing_ = true;
  if (lane != nullptr) {
    with_writer_ = TakeFrom(lane);
    if (lane->empty()) CloseLane(lane);
  } else {
    BatchQueue& queue = level == kLast ? last_ : classes_[level];
    with_writer_ = queue.Pop();
    if (queue.empty()) waiting_ &= ~(1u << level);
  }
  Passed(level, with_writer_.bytes());

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
  return ticket.position <= found->second->left;
}

void OutputQueue::Clear() {
  for (BatchQueue& queue : classes_) bytes_ -= queue.Clear();
  bytes_ -= last_.Clear();
  for (auto& [from, lane] : lanes_) bytes_ -= ClearLane(lane.get());
  lanes_.clear();
  last_lane_ = {};
  waiting_ = 0;
  counters_.output_bytes.Set(bytes_);
}

}  // namespace grid
