// SendWindow and ReceiveWindow: the two ends of flow control in one direction of a stream, in
// messages and in bytes of payload (PROTOCOL.md, "Credits").
//
//   sender                                  receiver
//   SendWindow                              ReceiveWindow
//   open()? -> Use(bytes)  -- message -->   Receive(bytes)
//                                           ... the application reads: Consume(1, bytes)
//   Grant(credits)         <-- credits --   GrantDue()? -> TakeGrant()
//
// Without the extension `credits` bytes do not count: both ends begin with kUnlimitedBytes, which
// no stream uses up.
#ifndef GRID_GRID_MUX_FLOW_CONTROL_H_
#define GRID_GRID_MUX_FLOW_CONTROL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "grid/base/clock.h"

namespace grid {

// Two of them can be added.
inline constexpr int64_t kUnlimitedBytes = INT64_MAX / 2;

struct Credits {
  uint32_t messages = 0;
  uint64_t bytes = 0;
};

class SendWindow {
 public:
  // One message may be sent, of whatever size.
  bool open() const { return messages_ > 0 && bytes_ > 0; }
  // More of a message that has been begun may be sent.
  bool open_for_more() const { return bytes_ > 0; }
  // For a message that is sent.
  void Use(size_t bytes) {
    --messages_;
    UseMore(bytes);
  }
  // For more of one.
  void UseMore(size_t bytes) { bytes_ -= static_cast<int64_t>(bytes); }
  // Saturates: a peer that grants for ever must not wrap it.
  void Grant(Credits more) {
    messages_ += std::min(more.messages, UINT32_MAX - messages_);
    const auto bytes = static_cast<int64_t>(std::min<uint64_t>(more.bytes, kUnlimitedBytes));
    bytes_ = std::min(bytes_ + bytes, kUnlimitedBytes);
  }

 private:
  uint32_t messages_ = 0;
  int64_t bytes_ = 0;  // below 0 after a message larger than what was left
};

class ReceiveWindow {
 public:
  // Once, at first. `size.bytes` at most kUnlimitedBytes.
  void Open(Credits size, uint64_t max_bytes) {
    size_messages_ = left_messages_ = size.messages;
    size_bytes_ = left_bytes_ = static_cast<int64_t>(size.bytes);
    max_bytes_ = max_bytes;
  }
  Credits size() const { return {size_messages_, static_cast<uint64_t>(size_bytes_)}; }

  // Another message may come.
  bool open() const { return left_messages_ > 0 && left_bytes_ > 0; }
  // For a message that has come. False: the sender had no credit for it.
  bool Receive(size_t bytes) {
    if (!open()) return false;
    --left_messages_;
    ReceiveMore(bytes);
    return true;
  }
  // The same for more of a message that has begun.
  bool open_for_more() const { return left_bytes_ > 0; }
  void ReceiveMore(size_t bytes) { left_bytes_ -= static_cast<int64_t>(bytes); }
  // The application has read messages; never more than were received.
  void Consume(uint32_t messages, size_t bytes) {
    messages = std::min(messages, size_messages_ - left_messages_ - due_messages_);
    bytes = std::min(bytes, static_cast<size_t>(size_bytes_ - left_bytes_ - due_bytes_));
    due_messages_ += messages;
    due_bytes_ += static_cast<int64_t>(bytes);
    round_messages_ += messages;
    round_bytes_ += bytes;
  }

  // Worth a message of its own: half of the window has been read. A sender that waits gets its
  // credit in any case once everything is read.
  bool GrantDue() const { return DueIsOneIn(2); }
  // Worth being told with a message that leaves anyway.
  bool GrantRides() const { return DueIsOneIn(4); }
  // What was read and is not granted again yet.
  Credits TakeGrant() {
    const Credits grant{due_messages_, static_cast<uint64_t>(due_bytes_)};
    left_messages_ += due_messages_;
    left_bytes_ += due_bytes_;
    due_messages_ = 0;
    due_bytes_ = 0;
    return grant;
  }

  // Asked at each grant. By how many bytes the window should grow: it doubles when, since the last
  // look at it, at least `round_trip` ago, more than a third of it was read per round trip. A
  // sender that the window limits may get as little as half of it at a time, and that takes a
  // little longer than a round trip to come.
  uint64_t WantedGrowth(TimePoint now, Duration round_trip) {
    const Duration passed = now - round_start_;
    if (passed < round_trip) return 0;
    const double rounds =
        static_cast<double>(passed.count()) / static_cast<double>(round_trip.count());
    const bool limits =
        3.0 * static_cast<double>(round_bytes_) > rounds * static_cast<double>(size_bytes_) ||
        3.0 * round_messages_ > rounds * size_messages_;
    round_start_ = now;
    round_bytes_ = 0;
    round_messages_ = 0;
    const auto size = static_cast<uint64_t>(size_bytes_);
    return limits && max_bytes_ > size ? std::min(size, max_bytes_ - size) : 0;
  }
  // The messages grow in proportion. The next grant tells the sender.
  void Grow(uint64_t bytes) {
    const double share = static_cast<double>(bytes) / static_cast<double>(size_bytes_);
    const auto messages = static_cast<uint32_t>(
        std::min(share * size_messages_, static_cast<double>(UINT32_MAX - size_messages_)));
    size_bytes_ += static_cast<int64_t>(bytes);
    due_bytes_ += static_cast<int64_t>(bytes);
    size_messages_ += messages;
    due_messages_ += messages;
  }

 private:
  // size = left + unread + due.
  bool DueIsOneIn(int parts) const {
    return (due_messages_ > 0 || due_bytes_ > 0) &&
           (uint64_t{due_messages_} * parts >= size_messages_ || due_bytes_ * parts >= size_bytes_);
  }

  int64_t size_bytes_ = 0;
  int64_t left_bytes_ = 0;  // the sender may use; below 0 after a large message
  int64_t due_bytes_ = 0;   // read, not granted again yet
  uint64_t max_bytes_ = 0;
  uint64_t round_bytes_ = 0;  // read since round_start_
  TimePoint round_start_{};
  uint32_t size_messages_ = 0;
  uint32_t left_messages_ = 0;
  uint32_t due_messages_ = 0;
  uint32_t round_messages_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_FLOW_CONTROL_H_
