#include "grid/mux/batch_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "serialization/merged.h"

namespace grid {
namespace {

constexpr size_t kHeadroom = kMaxMergedHeader;

}  // namespace

size_t Batch::bytes() const { return block.size() - kHeadroom; }

MutableBytes Batch::Seal() {
  uint8_t* const body = block.data() + kHeadroom;
  uint8_t* const begin =
      messages > 1 ? WriteMergedHeaderBackward(messages, body) : body + first_header;
  return {begin, block.data() + block.size()};
}

size_t BatchQueue::Push(const Message& message, BufferPool& pool) {
  const size_t size = EncodedSize(message);
  const size_t header = BinHeaderSize(size);
  Batch& batch = BatchFor(header + size, pool);
  const size_t at = batch.block.size();
  batch.block.Resize(at + header + size);
  uint8_t* out = batch.block.data() + at;
  EncodeMessage(message, WriteBinHeader(size, out));
  if (batch.messages++ == 0) batch.first_header = static_cast<uint32_t>(header);
  pushed_ += header + size;
  return header + size;
}

Batch& BatchQueue::BatchFor(size_t size, BufferPool& pool) {
  // A message that would fill most of a batch travels alone: nothing small waits behind its copy.
  const bool alone = kHeadroom + size > kBatchBytes / 2;
  if (open_ && !alone) {
    Batch& last = Back();
    const size_t needed = last.block.size() + size;
    if (needed <= kBatchBytes) {
      if (needed > last.block.capacity()) {
        last.block.Reserve(std::min(kBatchBytes, std::bit_ceil(needed)));
      }
      return last;
    }
  }
  if (count_ == ring_.size()) Grow();
  ++count_;
  Batch& batch = Back();
  batch.block = pool.Take(alone ? kHeadroom + size : std::max(usual_, kHeadroom + size));
  batch.block.Resize(kHeadroom);
  batch.messages = 0;
  open_ = !alone;
  return batch;
}

Batch BatchQueue::Pop() {
  Batch batch = std::move(ring_[head_]);
  head_ = (head_ + 1) & (ring_.size() - 1);
  if (--count_ == 0) open_ = false;
  popped_ += batch.bytes();
  usual_ = std::clamp(std::bit_ceil(batch.block.size()), size_t{1024}, kBatchBytes);
  return batch;
}

size_t BatchQueue::Clear() {
  size_t dropped = 0;
  for (; count_ > 0; --count_) {
    dropped += Back().bytes();
    Back().block = Buffer();
  }
  open_ = false;
  popped_ = pushed_;
  return dropped;
}

void BatchQueue::Grow() {
  std::vector<Batch> larger(std::max<size_t>(4, ring_.size() * 2));
  for (size_t i = 0; i < count_; ++i) {
    larger[i] = std::move(ring_[(head_ + i) & (ring_.size() - 1)]);
  }
  ring_ = std::move(larger);
  head_ = 0;
}

}  // namespace grid
