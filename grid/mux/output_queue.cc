#include "grid/mux/output_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "serialization/merged.h"

namespace grid {
namespace {

constexpr size_t kHeadroom = kMaxMergedHeader;

}  // namespace

void OutputQueue::Push(const Message& message) {
  const size_t size = EncodedSize(message);
  const size_t header = BinHeaderSize(size);
  Batch& batch = BatchFor(header + size);
  const size_t at = batch.block.size();
  batch.block.Resize(at + header + size);
  uint8_t* out = batch.block.data() + at;
  EncodeMessage(message, WriteBinHeader(size, out));
  if (batch.messages++ == 0) batch.first_header = static_cast<uint32_t>(header);
  bytes_ += header + size;
  pushed_ += header + size;
  counters_.messages_out.Add(1);
  counters_.output_bytes.Set(bytes_);
}

OutputQueue::Batch& OutputQueue::BatchFor(size_t size) {
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
  batch.block = pool_.Take(alone ? kHeadroom + size : std::max(usual_, kHeadroom + size));
  batch.block.Resize(kHeadroom);
  batch.messages = 0;
  open_ = !alone;
  return batch;
}

MutableBytes OutputQueue::StartWrite() {
  Batch& batch = Front();
  writing_ = true;
  if (count_ == 1) open_ = false;
  started_ += batch.block.size() - kHeadroom;
  usual_ = std::clamp(std::bit_ceil(batch.block.size()), size_t{1024}, kBatchBytes);

  uint8_t* const body = batch.block.data() + kHeadroom;
  uint8_t* begin = body + batch.first_header;
  if (batch.messages > 1) {
    begin = WriteMergedHeaderBackward(batch.messages, body);
    counters_.merged_out.Add(batch.messages);
  }
  uint8_t* const end = batch.block.data() + batch.block.size();
  counters_.writes.Add(1);
  counters_.bytes_out.Add(static_cast<uint64_t>(end - begin));
  return {begin, end};
}

void OutputQueue::FinishWrite() {
  Batch& batch = Front();
  bytes_ -= batch.block.size() - kHeadroom;
  counters_.output_bytes.Set(bytes_);
  batch.block = Buffer();
  writing_ = false;
  head_ = (head_ + 1) & (ring_.size() - 1);
  --count_;
}

void OutputQueue::Clear() {
  const size_t keep = writing_ ? 1 : 0;
  while (count_ > keep) {
    bytes_ -= Back().block.size() - kHeadroom;
    Back().block = Buffer();
    --count_;
  }
  open_ = false;
  counters_.output_bytes.Set(bytes_);
}

void OutputQueue::Grow() {
  std::vector<Batch> larger(std::max<size_t>(4, ring_.size() * 2));
  for (size_t i = 0; i < count_; ++i) {
    larger[i] = std::move(ring_[(head_ + i) & (ring_.size() - 1)]);
  }
  ring_ = std::move(larger);
  head_ = 0;
}

}  // namespace grid
