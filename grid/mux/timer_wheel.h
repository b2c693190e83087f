// TimerWheel: many timers of one session, set and cleared in constant time, without allocation.
//
// A hierarchical wheel with a resolution of 1 ms: level k has 64 slots of 64^k ms each. A timer
// sits in the lowest level whose current turn contains it and moves down as time passes. Timers
// never fire early. Belongs to one session; not thread-safe; reads no clock.
//
//   TimerNode timer{.owner = call};
//   wheel.Set(&timer, now + 2s);
//   wheel.Advance(now, [](TimerNode* due) { static_cast<Call*>(due->owner)->Expire(); });
#ifndef GRID_GRID_MUX_TIMER_WHEEL_H_
#define GRID_GRID_MUX_TIMER_WHEEL_H_

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

#include "grid/base/clock.h"

namespace grid {

struct TimerLink {
  TimerLink* prev = nullptr;
  TimerLink* next = nullptr;
};

// Embedded in what has a timer. Must not be destroyed while set.
struct TimerNode : TimerLink {
  uint64_t due = 0;   // in ticks since the wheel's epoch
  uint8_t level = 0;  // where it is linked, while set() is true
  uint8_t slot = 0;
  uint8_t kind = 0;       // for the session: what to do when it fires,
  void* owner = nullptr;  // and with what

  bool set() const { return next != nullptr; }
};

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint epoch) : epoch_(epoch) {
    for (auto& level : slots_) {
      for (TimerLink& head : level) head.prev = head.next = &head;
    }
  }
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires `node` in the first Advance at or after `at`. Replaces an earlier setting.
  void Set(TimerNode* node, TimePoint at) {
    if (node->set()) Clear(node);
    node->due = Ticks(at);
    Link(node);
  }

  void Clear(TimerNode* node) {
    if (!node->set()) return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = nullptr;
    TimerLink& head = slots_[node->level][node->slot];
    if (head.next == &head) occupied_[node->level] &= ~(uint64_t{1} << node->slot);
  }

  // When Advance has something to do next; TimePoint::max() for never. May be earlier than the next
  // timer (a slot that has to be spread over lower levels), never later.
  TimePoint Next() const {
    const uint64_t tick = NextTick(nullptr);
    if (tick == kNever) return TimePoint::max();
    return epoch_ + std::chrono::milliseconds(tick);
  }

  // Moves the time on and calls `fire(node)` for each due timer; it is no longer set then. `fire`
  // may set and clear any timer.
  template <typename Fire>
  void Advance(TimePoint now, Fire&& fire) {
    const uint64_t target = now <= epoch_ ? 0 : FloorTicks(now);
    for (;;) {
      int level = 0;
      const uint64_t tick = NextTick(&level);
      if (tick > target) break;
      // A timer that was set in the past is linked at the present tick: time never goes back.
      if (tick > now_) now_ = tick;
      TimerLink& head = slots_[level][(tick >> (kBits * level)) & kMask];
      if (level == 0) {
        auto* node = static_cast<TimerNode*>(head.next);
        Clear(node);
        fire(node);
      } else {
        // The present has entered this slot's span, so each of its timers belongs further down.
        while (head.next != &head) {
          auto* node = static_cast<TimerNode*>(head.next);
          Clear(node);
          Link(node);
        }
      }
    }
    if (target > now_) now_ = target;
  }

 private:
  static constexpr int kBits = 6;
  static constexpr int kLevels = 7;  // 64^7 ms: 139 years
  static constexpr uint64_t kMask = 63;
  static constexpr uint64_t kNever = ~uint64_t{0};
  static constexpr uint64_t kLongest = (uint64_t{1} << (kBits * kLevels)) - 1;

  uint64_t FloorTicks(TimePoint at) const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(at - epoch_).count());
  }
  uint64_t Ticks(TimePoint at) const {  // rounded up: never early
    if (at <= epoch_) return 0;
    // ceil(at - epoch) could overflow for TimePoint::max(); the clamp makes that harmless.
    const uint64_t floor = FloorTicks(at);
    const uint64_t tick = epoch_ + std::chrono::milliseconds(floor) < at ? floor + 1 : floor;
    return tick < kLongest ? tick : kLongest;
  }

  void Link(TimerNode* node) {
    const uint64_t due = node->due > now_ ? node->due : now_;
    const int level = (63 - std::countl_zero((due ^ now_) | kMask)) / kBits;
    node->level = static_cast<uint8_t>(level);
    node->slot = static_cast<uint8_t>((due >> (kBits * level)) & kMask);
    TimerLink& head = slots_[node->level][node->slot];
    node->prev = head.prev;
    node->next = &head;
    head.prev->next = node;
    head.prev = node;
    occupied_[node->level] |= uint64_t{1} << node->slot;
  }

  // The earliest occupied slot's start. Lower levels come first: whatever is linked on a level lies
  // within the present turn of it, so before everything on the levels above.
  uint64_t NextTick(int* level_out) const {
    for (int level = 0; level < kLevels; ++level) {
      if (occupied_[level] == 0) continue;
      const int slot = std::countr_zero(occupied_[level]);
      const int shift = kBits * level;
      const uint64_t turn = now_ >> (shift + kBits) << (shift + kBits);
      if (level_out != nullptr) *level_out = level;
      return turn + (static_cast<uint64_t>(slot) << shift);
    }
    return kNever;
  }

  const TimePoint epoch_;
  uint64_t now_ = 0;
  std::array<uint64_t, kLevels> occupied_{};
  std::array<std::array<TimerLink, 64>, kLevels> slots_;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_TIMER_WHEEL_H_
