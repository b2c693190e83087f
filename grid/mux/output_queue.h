// OutputQueue: what waits to be written on one connection, merged by group commit, and who is next.
//
// While a batch is being written the next one fills; when the write ends the whole batch goes out
// as one WebSocket message: a Merged if it holds several, the plain message if it holds one. So
// merging never waits.
//
// Messages of one class leave in their order, and higher classes first. A large payload waits in a
// lane of its mux, behind all classes, and is cut into fragments when it is its turn: one batch of
// them at a time is encoded. Lanes of one class share what they get evenly, by bytes (deficit round
// robin). Whatever waits is passed over by kPatience bytes at most. The order within a mux is kept:
// as long as it has a lane, the lane takes all that it sends, and a lane begins when what its mux
// sent before it has left.
//
// Belongs to one session; not thread-safe.
#ifndef GRID_GRID_MUX_OUTPUT_QUEUE_H_
#define GRID_GRID_MUX_OUTPUT_QUEUE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "grid/base/ring.h"
#include "grid/mux/batch_queue.h"
#include "grid/mux/counters.h"
#include "grid/mux/fragmenter.h"
#include "serialization/buffer_pool.h"
#include "serialization/message.h"

namespace grid {

// One direction of a mux. The two ends choose mux ids on their own, so an id alone is not enough.
struct MuxDirection {
  uint64_t mux_id = 0;
  bool from_opener = false;

  friend bool operator==(const MuxDirection&, const MuxDirection&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const MuxDirection& self) {
    return H::combine(std::move(hash), self.mux_id, self.from_opener);
  }
};

class OutputQueue {
 public:
  // The first leave first. Behind kControl those of Priority.
  enum Class : uint8_t { kControl, kUrgent, kNormal, kBulk };

  static constexpr size_t kBatchBytes = BatchQueue::kBatchBytes;
  // Most that leaves of others before it is the turn of what waits.
  static constexpr size_t kPatience = size_t{256} << 10;

  // `pool` and `counters` must outlive the queue.
  OutputQueue(BufferPool& pool, SessionCounters& counters) : pool_(pool), counters_(counters) {}

  // Tells later whether a message has left.
  struct Ticket {
    uint64_t position = 0;
    uint64_t lane : 56 = 0;  // its serial number; 0: the message is in a class
    Class of : 8 = kNormal;
  };
  static_assert(sizeof(Ticket) == 2 * sizeof(uint64_t), "it is returned in registers");

  // Encodes `message` behind what waits in its class already.
  Ticket Push(const Message& message, Class of = kNormal) {
    BatchQueue& queue = classes_[of];
    Pushed(queue.Push(message, pool_), of);
    return {.position = queue.pushed(), .of = of};
  }
  // The same, in the lane of `from`, which is opened in class `of` if there is none.
  Ticket PushToLane(const Message& message, Class of, MuxDirection from);
  // A large message, in the lane of `from` likewise. It has left with its last fragment.
  Ticket PushToLane(Fragmenter message, Class of, MuxDirection from);
  // As Push, behind all that waits and will wait until nothing does.
  void PushLast(const Message& message) { Pushed(last_.Push(message, pool_), kLast); }
  bool has_lanes() const { return !lanes_.empty(); }
  bool HasLane(MuxDirection from) const { return has_lanes() && lanes_.contains(from); }
  // Drops what waits in the lane, if there is one.
  void DropLane(MuxDirection from);

  // Something waits and nothing is being written.
  bool CanStartWrite() const { return !writing_ && waiting_ != 0; }
  // What waits is worth a write of its own, even while more is on its way: the peer would otherwise
  // stand idle while we work. Writing earlier would cost more system calls than it saves waiting.
  // `in_flight`: calls of ours. A third of them is enough, so that neither end ever has nothing to
  // do; more messages than there are calls must be answers, which say nothing of what is to come.
  bool IsRipe(size_t in_flight) const {
    if (!PaysForWrite()) return false;
    const Batch& last = classes_[kNormal].back();
    if (WorkOf(last) >= kMostWork) return true;
    return last.messages <= in_flight && 3 * size_t{last.messages} >= in_flight;
  }
  // What waits is worth the system call, if this is a good moment.
  bool PaysForWrite() const {
    return !classes_[kNormal].empty() && WorkOf(classes_[kNormal].back()) >= kLeastWork;
  }
  // Nothing but lanes waits.
  bool OnlyLanesWait() const { return (waiting_ & ((1u << kFirstLane) - 1)) == 0; }
  // Takes the next WebSocket message to write; its bytes stay valid, and may be changed by the
  // writer, until FinishWrite.
  MutableBytes StartWrite();
  void FinishWrite();

  // What is not yet written: encoded messages, the batch being written included, and payloads that
  // are to be cut.
  size_t bytes() const { return bytes_; }
  // Whether the writing of a message of `from` has begun.
  bool HasLeft(Ticket ticket, MuxDirection from) const;

  // Drops everything but the batch that is with the writer.
  void Clear();

 private:
  // The work behind a batch, in bytes: each message costs about as much as this many more of them.
  // Measured: with much in flight a write pays from 16 KiB on at 32 B, from 48 KiB at 512 B; with
  // 64 calls of 512 B in flight a third of them is worth half as much again as all at once.
  static constexpr size_t kMessageWork = 160;
  static constexpr size_t kLeastWork = size_t{12} << 10;
  static constexpr size_t kMostWork = size_t{56} << 10;
  static size_t WorkOf(const Batch& batch) {
    return batch.block.size() + batch.messages * kMessageWork;
  }

  // A level is a class, the lanes of one, or what is last; the first are served first.
  static constexpr int kClasses = 4;
  static constexpr int kFirstLane = kClasses;
  static constexpr int kLast = 2 * kClasses;
  static constexpr int kLevels = kLast + 1;

  struct Large {
    Fragmenter cut;
    uint64_t after = 0;  // of the lane's batches, what must have left before
  };
  struct Lane {
    // The next to leave is a part of the oldest large message.
    bool IsCutting() const { return !large.empty() && large.front().after <= batches.popped(); }
    bool empty() const { return large.empty() && batches.empty(); }
    size_t NextBytes() const;

    MuxDirection from;
    uint64_t serial = 0;
    Class of = kNormal;
    uint64_t after = 0;    // of its class, what must have left before
    uint64_t pushed = 0;   // messages so far
    uint64_t left = 0;     // of these, how many have left
    size_t deficit = 0;    // bytes that it may send in its turn
    bool granted = false;  // it is its turn, and its share was added
    BatchQueue batches;    // small messages, between the large ones
    Ring<Large> large;
    Lane* next = nullptr;  // of the same class, in a ring
  };

  void Pushed(size_t size, int level) {
    counters_.messages_out.Add(1);
    Waits(size, level);
  }
  void Waits(size_t size, int level) {
    bytes_ += size;
    waiting_ |= 1u << level;
    counters_.output_bytes.Set(bytes_);
  }
  int NextLevel();
  Lane* NextLane(Class of);
  Lane* LaneOf(MuxDirection from, Class of);
  Lane* OpenLane(MuxDirection from, Class of);
  size_t ClearLane(Lane* lane);
  Batch TakeFrom(Lane* lane);
  void CloseLane(Lane* lane);
  void Passed(int level, size_t bytes);

  BufferPool& pool_;
  SessionCounters& counters_;
  std::array<BatchQueue, kClasses> classes_;
  BatchQueue last_;
  BatchQueue cut_;  // the fragments of one write; otherwise empty
  absl::flat_hash_map<MuxDirection, std::unique_ptr<Lane>> lanes_;
  std::array<Lane*, kClasses> last_lane_{};  // of each class's ring; the next one is its first
  std::vector<std::unique_ptr<Lane>> idle_lanes_;
  uint64_t lanes_opened_ = 0;
  size_t largest_ = kBatchBytes;          // that a lane sends at once: what it gets in its turn
  unsigned waiting_ = 0;                  // levels where something waits, as bits
  std::array<size_t, kLevels> passed_{};  // what left since something waits there, of others

  Batch with_writer_;
  bool writing_ = false;
  size_t bytes_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_OUTPUT_QUEUE_H_
