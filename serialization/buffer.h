// Buffer: a move-only handle to a block of bytes that carries its share of a pool's memory budget.
// Dropping it gives the block and the budget back.
//
// A Buffer belongs to whoever holds it; it may be moved between threads, not used by two at once.
// Views taken from it (view(), data()) are valid until it is destroyed, moved from or grown.
//
// Like BytesView it tells nil (default-constructed: no payload) from empty.
//
//   Buffer b = Buffer::CopyOf("hello");      // from the heap, no pool
//   Buffer c = pool->Copy(AsBytes("hello")); // pooled
#ifndef GRID_SERIALIZATION_BUFFER_H_
#define GRID_SERIALIZATION_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "serialization/bytes.h"

namespace grid {

class BufferPool;

namespace internal {

class PoolState;

// What stands in front of the bytes of every block:
//
//   | owner or next (8) | capacity (8) | bytes ... capacity |
//
// Allocated and freed only in pool_state.cc.
struct alignas(16) BufferBlock {
  union {
    PoolState* owner;   // while a Buffer holds it; null when it belongs to no pool
    BufferBlock* next;  // while it is in a free list
  };
  size_t capacity;

  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
};

// A block of at least `capacity` bytes from the pool, or of exactly that from the system for null.
BufferBlock* AllocateBlock(PoolState* owner, size_t capacity);
// Gives a block back to its pool, or to the system.
void ReleaseBlock(BufferBlock* block);

}  // namespace internal

class Buffer {
 public:
  Buffer() = default;  // nil
  // The moved-from Buffer is nil.
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        empty_(std::exchange(other.empty_, false)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    std::swap(block_, taken.block_);
    std::swap(size_, taken.size_);
    std::swap(empty_, taken.empty_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (block_ != nullptr) internal::ReleaseBlock(block_);
  }

  // A Buffer outside any pool. CopyOf keeps nil nil and empty empty.
  static Buffer Unpooled(size_t size);
  static Buffer CopyOf(BytesView bytes);
  static Buffer CopyOf(std::string_view text) { return CopyOf(AsBytes(text)); }
  // Not nil, no bytes, no allocation.
  static Buffer Empty() {
    Buffer buffer;
    buffer.empty_ = true;
    return buffer;
  }

// g++ 12 takes the Buffer inside an absl::StatusOr or std::optional for uninitialised when the
// check that it is there happens elsewhere.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
  bool is_nil() const { return block_ == nullptr && !empty_; }
  size_t size() const { return size_; }
  size_t capacity() const { return block_ == nullptr ? 0 : block_->capacity; }
  // Null only when nil. With capacity() == 0 never to be dereferenced.
  uint8_t* data() { return const_cast<uint8_t*>(std::as_const(*this).data()); }
  const uint8_t* data() const {
    if (block_ != nullptr) return block_->bytes();
    return empty_ ? EmptyBytes().data() : nullptr;
  }
  BytesView view() const { return {data(), size_}; }
  operator BytesView() const { return view(); }  // NOLINT(google-explicit-constructor)
  std::string_view text() const { return AsText(view()); }
  MutableBytes mutable_view() { return {data(), size_}; }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

  // Sets the size; growing past the capacity moves the bytes to a larger block of the same pool (or
  // the heap, for a Buffer that has no block yet). Bytes beyond the old size are uninitialised. A
  // nil Buffer is no longer nil afterwards. Throws std::bad_alloc like operator new.
  void Resize(size_t size) {
    Reserve(size);
    size_ = size;
    empty_ = block_ == nullptr;
  }
  // Makes capacity() at least `capacity`, keeping the contents and the size. A nil Buffer that gets
  // a block by it is then empty.
  void Reserve(size_t capacity) {
    if (capacity > this->capacity()) Grow(capacity);
  }
  // Adds a copy of `bytes` at the end; amortised constant per byte. `bytes` may be part of this
  // Buffer. Appending nil changes nothing; appending empty makes a nil Buffer empty.
  void Append(BytesView bytes);

 private:
  friend class BufferPool;
  Buffer(internal::BufferBlock* block, size_t size) : block_(block), size_(size) {}

  void Grow(size_t capacity);
  // A new block of at least `capacity` bytes from where this one's came, and the contents in it.
  // Returns the old block (may be null), which the caller releases.
  internal::BufferBlock* MoveToLargerBlock(size_t capacity);

  internal::BufferBlock* block_ = nullptr;
  size_t size_ = 0;
  bool empty_ = false;  // distinguishes "empty" from "nil" when there is no block
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_BUFFER_H_
