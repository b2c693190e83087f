#include "grid/mux/batch_queue.h"

#include <algorithm>
#include <bit>

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

bool BatchQueue::HasRoomFor(size_t payload) const {
  const size_t size = payload + kMaxMessageOverhead + kMaxExtensionOverhead;
  return open_ && kHeadroom + size <= kBatchBytes / 2 && back().block.size() + size <= kBatchBytes;
}

Batch& BatchQueue::BatchFor(size_t size, BufferPool& pool) {
  // A message that would fill most of a batch travels alone: nothing small waits behind its copy.
  const bool alone = kHeadroom + size > kBatchBytes / 2;
  if (open_ && !alone) {
    Batch& last = batches_.back();
    const size_t needed = last.block.size() + size;
    if (needed <= kBatchBytes) {
      if (needed > last.block.capacity()) {
        last.block.Reserve(std::min(kBatchBytes, std::bit_ceil(needed)));
      }
      return last;
    }
  }
  Batch& batch = batches_.PushBack(Batch());
  batch.block = pool.Take(alone ? kHeadroom + size : std::max(usual_, kHeadroom + size));
  batch.block.Resize(kHeadroom);
  open_ = !alone;
  return batch;
}

Batch BatchQueue::Pop() {
  Batch batch = batches_.PopFront();
  if (batches_.empty()) open_ = false;
  popped_ += batch.bytes();
  usual_ = std::clamp(std::bit_ceil(batch.block.size()), size_t{1024}, kBatchBytes);
  return batch;
}

size_t BatchQueue::Clear() {
  size_t dropped = 0;
  batches_.ForEach([&](const Batch& batch) { dropped += batch.bytes(); });
  batches_.Clear();
  open_ = false;
  popped_ = pushed_;
  return dropped;
}

}  // namespace grid
