// OutputQueue: what waits to be written on one connection, merged by group commit.
//
// Each message is encoded once, straight into the batch being filled. While a batch is being
// written the next one fills; when the write ends the whole batch goes out as one WebSocket
// message: a Merged if it holds several, the plain message if it holds one. So merging never waits.
// A message of more than half a batch gets one of its own. Order is kept. Belongs to one session.
//
// A batch, in its block:
//
//   | headroom            | bin header | message | bin header | message | ... |
//   | room for the Merged |  ^ a lone message is sent from behind its bin header
//   | header, written     |
//   | backward            |
#ifndef GRID_GRID_MUX_OUTPUT_QUEUE_H_
#define GRID_GRID_MUX_OUTPUT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grid/mux/counters.h"
#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/message.h"

namespace grid {

class OutputQueue {
 public:
  // Largest batch of merged messages, in bytes. 64 KiB is where a loopback socket's cost per call
  // stops mattering (one copy into the kernel), and what a receiver must buffer before it sees the
  // first message. A little less, so that batch and WebSocket header fit into one call: Asio hands
  // the kernel 64 KiB at most.
  static constexpr size_t kBatchBytes = (size_t{64} << 10) - 64;

  // `pool` and `counters` must outlive the queue.
  OutputQueue(BufferPool& pool, SessionCounters& counters) : pool_(pool), counters_(counters) {}

  // Encodes `message` behind what waits already.
  void Push(const Message& message);

  // Something waits and nothing is being written.
  bool CanStartWrite() const { return !writing_ && count_ > 0; }
  // What waits is worth a write of its own, even while more is on its way: the peer would otherwise
  // stand idle while we work. Writing earlier would cost more system calls than it saves waiting.
  // `in_flight`: calls of ours. A third of them is enough, so that neither end ever has nothing to
  // do; more messages than there are calls must be answers, which say nothing of what is to come.
  bool IsRipe(size_t in_flight) const {
    if (!PaysForWrite()) return false;
    const Batch& last = Back();
    if (WorkOf(last) >= kMostWork) return true;
    return last.messages <= in_flight && 3 * size_t{last.messages} >= in_flight;
  }
  // What waits is worth the system call, if this is a good moment.
  bool PaysForWrite() const { return count_ > 0 && WorkOf(Back()) >= kLeastWork; }
  // Takes the next WebSocket message to write; its bytes stay valid, and may be changed by the
  // writer, until FinishWrite.
  MutableBytes StartWrite();
  void FinishWrite();

  // Encoded and not yet written, the batch being written included.
  size_t bytes() const { return bytes_; }
  // Position behind the last message pushed, and the position up to which writing has begun: a
  // message with a position above `started()` has not left.
  uint64_t position() const { return pushed_; }
  uint64_t started() const { return started_; }

  // Drops everything but the batch that is with the writer.
  void Clear();

 private:
  // The work behind a batch, in bytes: each message costs about as much as this many more of them.
  // Measured: with much in flight a write pays from 16 KiB on at 32 B, from 48 KiB at 512 B; with
  // 64 calls of 512 B in flight a third of them is worth half as much again as all at once.
  static constexpr size_t kMessageWork = 160;
  static constexpr size_t kLeastWork = size_t{12} << 10;
  static constexpr size_t kMostWork = size_t{56} << 10;

  struct Batch {
    Buffer block;
    uint32_t messages = 0;
    uint32_t first_header = 0;  // size of the first message's bin header
  };

  static size_t WorkOf(const Batch& batch) {
    return batch.block.size() + batch.messages * kMessageWork;
  }
  Batch& BatchFor(size_t size);
  Batch& Front() { return ring_[head_]; }
  Batch& Back() { return ring_[(head_ + count_ - 1) & (ring_.size() - 1)]; }
  const Batch& Back() const { return ring_[(head_ + count_ - 1) & (ring_.size() - 1)]; }
  void Grow();

  BufferPool& pool_;
  SessionCounters& counters_;
  std::vector<Batch> ring_;  // a ring of batches; its size is a power of two
  size_t head_ = 0;
  size_t count_ = 0;
  bool open_ = false;     // the last batch may take more
  bool writing_ = false;  // the first batch is with the writer
  size_t bytes_ = 0;
  uint64_t pushed_ = 0;
  uint64_t started_ = 0;
  size_t usual_ = 1024;  // capacity to begin a batch with: what the last ones needed
};

}  // namespace grid

#endif  // GRID_GRID_MUX_OUTPUT_QUEUE_H_
