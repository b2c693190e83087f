#include "grid/mux/reassembly.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace grid {
namespace {

// Those that are kept for their memory.
constexpr size_t kIdle = 64;

}  // namespace

Reassembly::Partial* Reassembly::Find(MuxDirection from) {
  if (partials_.empty()) return nullptr;
  const auto found = partials_.find(from);
  return found == partials_.end() ? nullptr : found->second.get();
}

Reassembly::Partial* Reassembly::Begin(MuxDirection from, const Message& message) {
  if (partials_.size() >= limits_.max_reassemblies) return nullptr;
  std::unique_ptr<Partial> partial;
  if (idle_.empty()) {
    partial = std::make_unique<Partial>();
  } else {
    partial = std::move(idle_.back());
    idle_.pop_back();
  }
  partial->from = from;
  partial->deadline = TimePoint::max();
  partial->op = message.op;
  partial->flags = message.flags;
  partial->seq = message.seq;
  return partials_.emplace(from, std::move(partial)).first->second.get();
}

// Twice what is there, or straight to what the last payloads needed once a sixteenth of it is
// there: each time what has come has to be moved.
size_t Reassembly::NextCapacity(size_t size) const {
  return size < usual_ ? std::min(usual_, 16 * size) : 2 * size;
}

Reassembly::Added Reassembly::Add(Partial* partial, const Message& fragment, uint64_t offset) {
  if (fragment.op != partial->op || fragment.flags != partial->flags ||
      fragment.seq != partial->seq || offset != partial->payload.size() ||
      fragment.payload.empty()) {
    return Added::kMisfit;
  }
  const size_t size = partial->payload.size() + fragment.payload.size();
  if (size > limits_.max_payload_bytes) return Added::kPayloadLimit;
  if (bytes_ + fragment.payload.size() > limits_.max_reassembly_bytes) return Added::kTotalLimit;
  if (size > partial->payload.capacity()) {
    Buffer larger = pool_.TryTake(NextCapacity(size));
    if (larger.is_nil()) return Added::kBufferedLimit;
    larger.Resize(0);
    larger.Append(partial->payload);
    partial->payload = std::move(larger);
  }
  partial->payload.Append(fragment.payload);
  bytes_ += fragment.payload.size();
  return Added::kYes;
}

Buffer Reassembly::Remove(Partial* partial) {
  Buffer payload = std::move(partial->payload);
  usual_ = std::max(payload.size(), usual_ - usual_ / 8);
  bytes_ -= payload.size();
  const auto found = partials_.find(partial->from);
  if (idle_.size() < kIdle) idle_.push_back(std::move(found->second));
  partials_.erase(found);
  return payload;
}

}  // namespace grid
