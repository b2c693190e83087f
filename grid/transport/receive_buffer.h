// ReceiveBuffer: what has arrived and was not yet used, in one piece. Grows with the bytes that did
// arrive, never with what a frame header announces, and gives memory back when little comes.
//
// Belongs to one transport.
//
//   MutableBytes room = buffer.Room();   // read into it
//   buffer.Commit(n);
//   Use(buffer.contents());              // may be changed in place
//   buffer.Consume(m);
#ifndef GRID_GRID_TRANSPORT_RECEIVE_BUFFER_H_
#define GRID_GRID_TRANSPORT_RECEIVE_BUFFER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "serialization/bytes.h"

namespace grid::internal {

class ReceiveBuffer {
 public:
  static constexpr size_t kSmallBytes = size_t{16} << 10;
  // While reads fill the buffer it grows up to this, so that one system call brings several
  // messages; only a message that is larger makes it larger.
  static constexpr size_t kBusyBytes = size_t{256} << 10;
  // So many reads in a row of less than kSmallBytes make it small again.
  static constexpr int kQuietReads = 16;

  // Never empty. What contents() gave is moved. Throws std::bad_alloc.
  MutableBytes Room() {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      if (quiet_reads_ >= kQuietReads && capacity_ > kSmallBytes) Reallocate(kSmallBytes);
    }
    if (begin_ > 0 && capacity_ - end_ < std::max(kSmallBytes, capacity_ / 2)) Compact();
    if (end_ == capacity_ || (filled_ && capacity_ < kBusyBytes)) {
      Reallocate(std::max(kSmallBytes, capacity_ * 2));
    }
    return {bytes_.get() + end_, capacity_ - end_};
  }
  void Commit(size_t size) {
    filled_ = size == capacity_ - end_;
    quiet_reads_ = size < kSmallBytes && !filled_ ? quiet_reads_ + 1 : 0;
    end_ += size;
  }
  // Valid until Room or Free.
  MutableBytes contents() { return {bytes_.get() + begin_, end_ - begin_}; }
  void Consume(size_t size) { begin_ += size; }
  void Free() {
    bytes_.reset();
    begin_ = end_ = capacity_ = 0;
  }
  size_t capacity() const { return capacity_; }

 private:
  struct Deleter {
    void operator()(uint8_t* bytes) const { std::free(bytes); }
  };

  void Compact() {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }

  // realloc, because it moves large blocks by remapping their pages instead of copying them.
  void Reallocate(size_t capacity) {
    void* bytes = std::realloc(bytes_.get(), capacity);
    if (bytes == nullptr) throw std::bad_alloc();
    static_cast<void>(bytes_.release());
    bytes_.reset(static_cast<uint8_t*>(bytes));
    capacity_ = capacity;
  }

  std::unique_ptr<uint8_t, Deleter> bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
  bool filled_ = false;  // the last read took all the room there was
  int quiet_reads_ = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_RECEIVE_BUFFER_H_
