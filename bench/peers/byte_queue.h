// ByteQueue: bytes that come in at one end and leave at the other, in one piece. Keeps its memory.
//
//   queue.Commit(Read(queue.Room(65536)));
//   queue.Consume(Use(queue.contents()));
//
// Where std::vector would zero every byte before it is written, and move the rest with every erase.
#ifndef GRID_BENCH_PEERS_BYTE_QUEUE_H_
#define GRID_BENCH_PEERS_BYTE_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace grid::bench {

class ByteQueue {
 public:
  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  std::span<const uint8_t> contents() const { return {bytes_.get() + begin_, size()}; }

  // At least `size` bytes to write to; all that there is behind the contents.
  std::span<uint8_t> Room(size_t size) {
    if (capacity_ - end_ < size) MakeRoom(size);
    return {bytes_.get() + end_, capacity_ - end_};
  }
  void Commit(size_t size) { end_ += size; }

  void Consume(size_t size) {
    begin_ += size;
    if (empty()) begin_ = end_ = 0;
  }

 private:
  void MakeRoom(size_t size) {
    const size_t used = this->size();
    // Moves only if that frees half, so that a byte is moved once on average.
    if (capacity_ / 2 >= used + size) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, used);
    } else {
      capacity_ = std::max(2 * capacity_, used + size);
      std::unique_ptr<uint8_t[]> larger(new uint8_t[capacity_]);
      if (used > 0) std::memcpy(larger.get(), bytes_.get() + begin_, used);
      bytes_ = std::move(larger);
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<uint8_t[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_BYTE_QUEUE_H_
