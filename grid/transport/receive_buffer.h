// ReceiveBuffer: where one message is put together while it arrives. Grows with the bytes that did
// arrive, never with what a frame header announces, and shrinks after a large message.
//
// Belongs to one transport.
//
//   MutableBytes room = buffer.Room();   // read into it
//   buffer.Commit(n);
//   Use(buffer.contents());
//   buffer.Clear();
#ifndef GRID_GRID_TRANSPORT_RECEIVE_BUFFER_H_
#define GRID_GRID_TRANSPORT_RECEIVE_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "serialization/bytes.h"

namespace grid::internal {

class ReceiveBuffer {
 public:
  // Holds a full batch of merged messages (64 KiB and its headers) without growing, once it has.
  static constexpr size_t kInitialBytes = size_t{16} << 10;
  // What is kept between messages at most.
  static constexpr size_t kKeptBytes = size_t{256} << 10;

  // Never empty: doubles when full. Throws std::bad_alloc.
  MutableBytes Room() {
    if (size_ == capacity_) Reallocate(std::max(kInitialBytes, capacity_ * 2));
    return {bytes_.get() + size_, capacity_ - size_};
  }
  void Commit(size_t size) { size_ += size; }
  // Not nil, even when empty.
  BytesView contents() const { return size_ == 0 ? EmptyBytes() : BytesView(bytes_.get(), size_); }
  void Clear() {
    size_ = 0;
    if (capacity_ > kKeptBytes) Reallocate(kKeptBytes);
  }
  void Free() {
    bytes_.reset();
    size_ = capacity_ = 0;
  }
  size_t capacity() const { return capacity_; }

 private:
  struct Deleter {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };

  // realloc, because it moves large blocks by remapping their pages instead of copying them.
  void Reallocate(size_t capacity) {
    void* bytes = std::realloc(bytes_.get(), capacity);
    if (bytes == nullptr) throw std::bad_alloc();
    static_cast<void>(bytes_.release());
    bytes_.reset(static_cast<uint8_t*>(bytes));
    capacity_ = capacity;
  }

  std::unique_ptr<uint8_t, Deleter> bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_RECEIVE_BUFFER_H_
