// BufferPool hands out blocks of bytes in size classes, keeps freed blocks for reuse, and counts
// what is in use against a budget.
//
// One pool serves a Manager (or a whole process); any thread may take and return blocks. Each
// thread keeps a few free blocks per class to itself, and counts what it takes and returns to
// itself until the sum is worth telling, so the usual Take and return write no shared state. The
// pool must outlive nothing: blocks may be dropped after it, on any thread, and are then freed at
// once. What other threads hold in their caches when the pool goes is freed when they end, or use
// another pool first.
//
//   auto pool = BufferPool::Create({.budget_bytes = 256 << 20});
//   Buffer b = pool->Take(512);          // uninitialised, size() == 512
#ifndef GRID_SERIALIZATION_BUFFER_POOL_H_
#define GRID_SERIALIZATION_BUFFER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "serialization/buffer.h"

namespace grid {

struct BufferPoolOptions {
  // Most bytes that blocks in use may sum up to before TryTake refuses (Take never does). Counted
  // in block capacities. A thread sees what the others took or returned with a lag of at most 64
  // KiB (and 1/256 of this budget) per thread; what it did itself it sees at once.
  size_t budget_bytes = size_t{1} << 30;
  // Most bytes of free blocks the pool keeps for reuse, over all classes and threads; what is freed
  // beyond goes back to the system. Known with the same lag. One thread keeps at most 256 KiB of a
  // class (one block of the larger ones) to itself.
  size_t retained_bytes = size_t{64} << 20;
};

// Exact while no other thread takes or returns blocks; otherwise close.
struct BufferPoolStats {
  uint64_t bytes_in_use = 0;    // capacities of all live blocks
  uint64_t bytes_retained = 0;  // capacities of free blocks kept for reuse
  uint64_t taken = 0;           // blocks handed out since the start
  uint64_t allocated = 0;       // of these, how many came from the system's allocator
  uint64_t refused = 0;         // TryTake calls turned down by the budget
};

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  // Size classes are powers of two from kMinBlock to kMaxPooledBlock; larger blocks are allocated
  // exactly, freed at once, and counted all the same.
  static constexpr size_t kMinBlock = 64;
  static constexpr size_t kMaxPooledBlock = size_t{8} << 20;

  static std::shared_ptr<BufferPool> Create(BufferPoolOptions options = {});
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A Buffer of `size` uninitialised bytes whose capacity is the class's. Never fails (short of
  // std::bad_alloc), even over the budget: for what must go on, such as control messages.
  Buffer Take(size_t size);

  // As Take, but a nil Buffer when the budget would be exceeded.
  Buffer TryTake(size_t size);

  // A pooled copy of `bytes`; nil for nil, empty for empty.
  Buffer Copy(BytesView bytes);
  // The same within the budget: false, and nothing done, when it would be exceeded.
  bool TryCopy(BytesView bytes, Buffer* copy);

  // Capacity that a Take(size) gets.
  static size_t CapacityFor(size_t size);

  // Gives retained free blocks back to the system, except those that other threads hold in their
  // caches.
  void Trim();

  BufferPoolStats Stats() const;

 private:
  explicit BufferPool(const BufferPoolOptions& options);

  internal::PoolState* const state_;  // counts its references itself; see pool_state.h
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_BUFFER_POOL_H_
