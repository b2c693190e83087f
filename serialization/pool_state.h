// The inside of BufferPool: what threads share, and what each keeps to itself. Internal to
// serialization/; any thread.
//
//   thread A             PoolState                thread B
//   ThreadCache  <-----  shared list per class  ----->  ThreadCache
//   free list per class  (mutex, whole batches)         free list per class
//
// A Take pops from the thread's own list and a return pushes onto it, whichever thread took the
// block; only when a list runs empty or full a batch moves from or to the shared list.
//
// PoolState is shared by the BufferPool, by every ThreadCache that works for it, and by every block
// that the system's allocator gave it, in use or free: one reference each. Nothing is counted per
// Take. When the BufferPool goes, the retained limit falls below zero, so that returned blocks are
// freed instead of kept, and the last reference frees the state.
//
// What is in use is `in_use_` plus what each ThreadCache has not told yet; what is retained is what
// was allocated less what is in use.
#ifndef GRID_SERIALIZATION_POOL_STATE_H_
#define GRID_SERIALIZATION_POOL_STATE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"

namespace grid::internal {

// Size classes: powers of two from kMinBlock to kMaxPooledBlock.
inline constexpr int kPoolClasses = 18;
static_assert(BufferPool::kMinBlock << (kPoolClasses - 1) == BufferPool::kMaxPooledBlock);

// A stack of free blocks of one class, linked through their headers. Under AddressSanitizer the
// bytes of the blocks in it are poisoned, so that a view kept too long is reported like a use after
// free.
struct FreeList {
  BufferBlock* head = nullptr;
  size_t count = 0;

  void Push(BufferBlock* block);
  // The list is not empty.
  BufferBlock* Pop();
  // Moves up to `n` blocks.
  void MoveTo(FreeList* other, size_t n);
};

// One thread's free blocks of one pool. Only its thread touches the lists; the counters are read by
// others for the statistics.
struct ThreadCache {
  explicit ThreadCache(PoolState* state) : state(state) {}

  PoolState* const state;
  std::atomic<int64_t> untold_in_use{0};  // may be negative: blocks taken by others, returned here
  std::atomic<uint64_t> taken{0};
  FreeList lists[kPoolClasses];
};

class PoolState {
 public:
  explicit PoolState(const BufferPoolOptions& options);

  BufferBlock* Take(size_t size);
  void Return(BufferBlock* block);
  // Whether a block for `size` bytes keeps what is in use within the budget.
  bool Fits(size_t size);
  void CountRefused();
  void Trim();
  // For the BufferPool's destructor; gives up its reference.
  void Shutdown();
  bool IsGone() const;
  BufferPoolStats Stats();

  // For the thread's table of caches. Detach takes the cache back from a thread that ends, or from
  // one that drops it because the pool is gone.
  ThreadCache* Attach();
  void Detach(ThreadCache* cache);

 private:
  struct alignas(64) SharedList {
    std::mutex mutex;
    FreeList list;
  };

  BufferBlock* TakeSlow(ThreadCache* cache, int size_class);
  BufferBlock* Allocate(ThreadCache* cache, size_t capacity);
  void Free(BufferBlock* block);
  void FreeAll(FreeList* list);
  // Moves `n` blocks to the shared list, or frees them when the pool is gone.
  void Share(int size_class, FreeList* from, size_t n);
  void Unref();

  // With no cache (the thread is ending) the counts go straight to the shared counters.
  void CountTaken(ThreadCache* cache, size_t capacity);
  void CountInUse(ThreadCache* cache, int64_t bytes);
  int64_t InUseSeenBy(const ThreadCache* cache) const;

  // Read on every Take and return, hardly ever written.
  const int64_t budget_;
  const int64_t max_untold_;
  std::atomic<int64_t> retained_limit_;

  // Written now and then.
  alignas(64) std::atomic<int64_t> in_use_{0};
  std::atomic<int64_t> allocated_bytes_{0};
  std::atomic<int64_t> references_{1};
  std::atomic<uint64_t> taken_{0};
  std::atomic<uint64_t> allocated_{0};
  std::atomic<uint64_t> refused_{0};

  SharedList shared_[kPoolClasses];

  std::mutex caches_mutex_;
  std::vector<ThreadCache*> caches_;  // guarded by caches_mutex_
};

}  // namespace grid::internal

#endif  // GRID_SERIALIZATION_POOL_STATE_H_
