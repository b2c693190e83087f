#include "serialization/buffer.h"

#include <algorithm>
#include <cstring>

namespace grid {

Buffer Buffer::Unpooled(size_t size) {
  return size == 0 ? Empty() : Buffer(internal::AllocateBlock(nullptr, size), size);
}

Buffer Buffer::CopyOf(BytesView bytes) {
  if (IsNil(bytes)) return Buffer();
  Buffer copy = Unpooled(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

internal::BufferBlock* Buffer::MoveToLargerBlock(size_t capacity) {
  internal::BufferBlock* const old = block_;
  internal::BufferBlock* const larger =
      internal::AllocateBlock(old == nullptr ? nullptr : old->owner, capacity);
  if (old != nullptr) std::memcpy(larger->bytes(), old->bytes(), size_);
  block_ = larger;
  empty_ = false;
  return old;
}

void Buffer::Grow(size_t capacity) {
  internal::BufferBlock* const old = MoveToLargerBlock(capacity);
  if (old != nullptr) internal::ReleaseBlock(old);
}

void Buffer::Append(BytesView bytes) {
  if (IsNil(bytes)) return;
  internal::BufferBlock* old = nullptr;
  if (bytes.size() > capacity() - size_) {
    old = MoveToLargerBlock(std::max(size_ + bytes.size(), 2 * capacity()));
  }
  // The old block goes only after the copy: `bytes` may lie in it.
  if (!bytes.empty()) std::memcpy(data() + size_, bytes.data(), bytes.size());
  if (old != nullptr) internal::ReleaseBlock(old);
  size_ += bytes.size();
  empty_ = block_ == nullptr;
}

}  // namespace grid
