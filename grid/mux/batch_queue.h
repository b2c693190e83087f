// BatchQueue: messages in the order in which they are to leave, merged into batches.
//
// Each message is encoded once, straight into the batch being filled. A message of more than half a
// batch gets one of its own. Belongs to one OutputQueue.
//
// A batch, in its block:
//
//   | headroom            | bin header | message | bin header | message | ... |
//   | room for the Merged |  ^ a lone message is sent from behind its bin header
//   | header, written     |
//   | backward            |
#ifndef GRID_GRID_MUX_BATCH_QUEUE_H_
#define GRID_GRID_MUX_BATCH_QUEUE_H_

#include <cstddef>
#include <cstdint>

#include "grid/base/ring.h"
#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/bytes.h"
#include "serialization/message.h"

namespace grid {

// One WebSocket message, to be.
struct Batch {
  Buffer block;
  uint32_t messages = 0;
  uint32_t first_header = 0;  // size of the first message's bin header

  // Encoded messages with their bin headers.
  size_t bytes() const;
  // What to write: a Merged, or the lone message as it is.
  MutableBytes Seal();
};

class BatchQueue {
 public:
  // Largest batch of merged messages, in bytes. 64 KiB is where a loopback socket's cost per call
  // stops mattering (one copy into the kernel), and what a receiver must buffer before it sees the
  // first message. A little less, so that batch and WebSocket header fit into one call: Asio hands
  // the kernel 64 KiB at most.
  static constexpr size_t kBatchBytes = (size_t{64} << 10) - 64;

  // Encodes `message` behind what waits already; returns the bytes that this takes.
  size_t Push(const Message& message, BufferPool& pool);
  // The next message begins a batch of its own.
  void Close() { open_ = false; }
  // A message with `payload` bytes of payload would join the last batch.
  bool HasRoomFor(size_t payload) const;
  // Takes out the oldest batch; there must be one.
  Batch Pop();
  // Drops everything; returns the bytes that it took.
  size_t Clear();

  bool empty() const { return batches_.empty(); }
  const Batch& front() const { return batches_.front(); }
  const Batch& back() const { return batches_.back(); }

  // Position behind the last message pushed, and behind the last batch taken out: a message with a
  // position above `popped()` is still here.
  uint64_t pushed() const { return pushed_; }
  uint64_t popped() const { return popped_; }

 private:
  Batch& BatchFor(size_t size, BufferPool& pool);

  Ring<Batch> batches_;
  bool open_ = false;  // the last batch may take more
  uint64_t pushed_ = 0;
  uint64_t popped_ = 0;
  size_t usual_ = 1024;  // capacity to begin a batch with: what the last ones needed
};

}  // namespace grid

#endif  // GRID_GRID_MUX_BATCH_QUEUE_H_
