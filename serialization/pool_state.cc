#include "serialization/pool_state.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define GRID_POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRID_POOL_ASAN 1
#endif
#endif
#ifdef GRID_POOL_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace grid::internal {
namespace {

constexpr size_t kCacheBytesPerClass = size_t{256} << 10;
constexpr int64_t kMaxUntold = int64_t{64} << 10;
constexpr int64_t kPoolIsGone = std::numeric_limits<int64_t>::min();
constexpr auto kRelaxed = std::memory_order_relaxed;

// `capacity` is at least kMinBlock and at most kMaxPooledBlock.
int ClassOf(size_t capacity) {
  return std::bit_width(capacity - 1) - std::bit_width(BufferPool::kMinBlock - 1);
}

constexpr size_t ClassCapacity(int size_class) { return BufferPool::kMinBlock << size_class; }

// Blocks of the class that a thread keeps before it gives some to the others.
constexpr size_t CacheLimit(int size_class) {
  return std::clamp<size_t>(kCacheBytesPerClass / ClassCapacity(size_class), 1, 64);
}

int64_t ToSigned(size_t bytes) {
  return static_cast<int64_t>(
      std::min<size_t>(bytes, static_cast<size_t>(std::numeric_limits<int64_t>::max()) / 2));
}

void Poison([[maybe_unused]] BufferBlock* block) {
#ifdef GRID_POOL_ASAN
  ASAN_POISON_MEMORY_REGION(block->bytes(), block->capacity);
#endif
}

void Unpoison([[maybe_unused]] BufferBlock* block) {
#ifdef GRID_POOL_ASAN
  ASAN_UNPOISON_MEMORY_REGION(block->bytes(), block->capacity);
#endif
}

BufferBlock* NewBlock(size_t capacity) {
  if (capacity > static_cast<size_t>(std::numeric_limits<ptrdiff_t>::max()) - sizeof(BufferBlock)) {
    throw std::bad_alloc();
  }
  auto* block = static_cast<BufferBlock*>(::operator new(sizeof(BufferBlock) + capacity));
  block->capacity = capacity;
  return block;
}

}  // namespace

inline void FreeList::Push(BufferBlock* block) {
  Poison(block);
  block->next = head;
  head = block;
  ++count;
}

inline BufferBlock* FreeList::Pop() {
  BufferBlock* const block = head;
  head = block->next;
  --count;
  Unpoison(block);
  return block;
}

void FreeList::MoveTo(FreeList* other, size_t n) {
  for (n = std::min(n, count); n != 0; --n) {
    BufferBlock* const block = head;
    head = block->next;
    --count;
    block->next = other->head;
    other->head = block;
    ++other->count;
  }
}

namespace {

// The thread's caches, one per pool that it used.
struct ThreadCaches {
  std::vector<ThreadCache*> caches;
  ~ThreadCaches();
};

// The cache used last, and whether ThreadCaches was destroyed already: other thread-local objects
// may drop Buffers after it. Both have no destructor, so they stay readable to the end.
constinit thread_local ThreadCache* last_cache = nullptr;
constinit thread_local bool thread_is_ending = false;
thread_local ThreadCaches thread_caches;

ThreadCaches::~ThreadCaches() {
  thread_is_ending = true;
  last_cache = nullptr;
  for (ThreadCache* cache : caches) cache->state->Detach(cache);
}

ThreadCache* FindCache(PoolState* state) {
  if (thread_is_ending) return nullptr;
  std::vector<ThreadCache*>& caches = thread_caches.caches;
  for (ThreadCache* cache : caches) {
    if (cache->state == state) return last_cache = cache;
  }
  if (state->IsGone()) return nullptr;
  // A new pool is a good moment to let go of what is kept for those that went.
  last_cache = nullptr;
  std::erase_if(caches, [](ThreadCache* cache) {
    if (!cache->state->IsGone()) return false;
    cache->state->Detach(cache);
    return true;
  });
  caches.reserve(caches.size() + 1);
  caches.push_back(state->Attach());
  return last_cache = caches.back();
}

ThreadCache* LocalCache(PoolState* state) {
  ThreadCache* const cache = last_cache;
  if (cache != nullptr && cache->state == state) [[likely]] {
    return cache;
  }
  return FindCache(state);
}

// Gives up this thread's cache of a pool that is gone.
void DropCache(PoolState* state) {
  if (thread_is_ending) return;
  last_cache = nullptr;
  std::erase_if(thread_caches.caches, [state](ThreadCache* cache) {
    if (cache->state != state) return false;
    state->Detach(cache);
    return true;
  });
}

}  // namespace

PoolState::PoolState(const BufferPoolOptions& options)
    : budget_(ToSigned(options.budget_bytes)),
      max_untold_(std::min({kMaxUntold, budget_ / 256, ToSigned(options.retained_bytes) / 16})),
      retained_limit_(ToSigned(options.retained_bytes)) {}

bool PoolState::IsGone() const { return retained_limit_.load(kRelaxed) == kPoolIsGone; }

void PoolState::CountRefused() { refused_.fetch_add(1, kRelaxed); }

inline void PoolState::CountTaken(ThreadCache* cache, size_t capacity) {
  if (cache != nullptr) [[likely]] {
    cache->taken.store(cache->taken.load(kRelaxed) + 1, kRelaxed);
  } else {
    taken_.fetch_add(1, kRelaxed);
  }
  CountInUse(cache, static_cast<int64_t>(capacity));
}

inline void PoolState::CountInUse(ThreadCache* cache, int64_t bytes) {
  if (cache != nullptr) [[likely]] {
    const int64_t untold = cache->untold_in_use.load(kRelaxed) + bytes;
    if (untold <= max_untold_ && untold >= -max_untold_) [[likely]] {
      cache->untold_in_use.store(untold, kRelaxed);
      return;
    }
    cache->untold_in_use.store(0, kRelaxed);
    bytes = untold;
  }
  in_use_.fetch_add(bytes, kRelaxed);
}

inline int64_t PoolState::InUseSeenBy(const ThreadCache* cache) const {
  return in_use_.load(kRelaxed) + (cache == nullptr ? 0 : cache->untold_in_use.load(kRelaxed));
}

BufferBlock* PoolState::Take(size_t size) {
  ThreadCache* const cache = LocalCache(this);
  if (size > BufferPool::kMaxPooledBlock) [[unlikely]] {
    return Allocate(cache, size);
  }
  const int size_class = ClassOf(std::max(size, BufferPool::kMinBlock));
  if (cache == nullptr || cache->lists[size_class].head == nullptr) [[unlikely]] {
    return TakeSlow(cache, size_class);
  }
  BufferBlock* const block = cache->lists[size_class].Pop();
  block->owner = this;
  CountTaken(cache, ClassCapacity(size_class));
  return block;
}

BufferBlock* PoolState::TakeSlow(ThreadCache* cache, int size_class) {
  FreeList batch;
  {
    SharedList& shared = shared_[size_class];
    std::lock_guard lock(shared.mutex);
    const size_t wanted = cache == nullptr ? 1 : std::max<size_t>(1, CacheLimit(size_class) / 2);
    shared.list.MoveTo(&batch, wanted);
  }
  if (batch.head == nullptr) return Allocate(cache, ClassCapacity(size_class));
  BufferBlock* const block = batch.Pop();
  block->owner = this;
  if (cache != nullptr) batch.MoveTo(&cache->lists[size_class], batch.count);
  CountTaken(cache, ClassCapacity(size_class));
  return block;
}

BufferBlock* PoolState::Allocate(ThreadCache* cache, size_t capacity) {
  BufferBlock* const block = NewBlock(capacity);
  block->owner = this;
  references_.fetch_add(1, kRelaxed);
  allocated_bytes_.fetch_add(static_cast<int64_t>(capacity), kRelaxed);
  allocated_.fetch_add(1, kRelaxed);
  CountTaken(cache, capacity);
  return block;
}

void PoolState::Return(BufferBlock* block) {
  const size_t capacity = block->capacity;
  ThreadCache* const cache = LocalCache(this);
  CountInUse(cache, -static_cast<int64_t>(capacity));
  const int64_t retained = allocated_bytes_.load(kRelaxed) - InUseSeenBy(cache);
  if (capacity > BufferPool::kMaxPooledBlock || retained > retained_limit_.load(kRelaxed))
      [[unlikely]] {
    if (IsGone()) DropCache(this);
    Free(block);  // may have been the last reference
    return;
  }
  const int size_class = ClassOf(capacity);
  if (cache == nullptr) {
    FreeList one;
    one.Push(block);
    Share(size_class, &one, 1);
    return;
  }
  FreeList& list = cache->lists[size_class];
  list.Push(block);
  const size_t limit = CacheLimit(size_class);
  if (list.count > limit) [[unlikely]] {
    Share(size_class, &list, list.count - limit / 2);
  }
}

void PoolState::Share(int size_class, FreeList* from, size_t n) {
  FreeList batch;
  from->MoveTo(&batch, n);
  {
    SharedList& shared = shared_[size_class];
    std::lock_guard lock(shared.mutex);
    // Shutdown sets the limit before it empties this list, so a block put here after that would
    // stay.
    if (!IsGone()) {
      batch.MoveTo(&shared.list, batch.count);
      return;  // nothing may be touched from here on: the blocks kept the state alive
    }
  }
  FreeAll(&batch);
}

void PoolState::Free(BufferBlock* block) {
  allocated_bytes_.fetch_sub(static_cast<int64_t>(block->capacity), kRelaxed);
  ::operator delete(block);
  Unref();
}

void PoolState::FreeAll(FreeList* list) {
  while (list->head != nullptr) Free(list->Pop());
}

void PoolState::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool PoolState::Fits(size_t size) {
  const int64_t capacity = ToSigned(BufferPool::CapacityFor(size));
  return capacity <= budget_ && InUseSeenBy(LocalCache(this)) <= budget_ - capacity;
}

void PoolState::Trim() {
  if (ThreadCache* const cache = LocalCache(this); cache != nullptr) {
    for (FreeList& list : cache->lists) FreeAll(&list);
  }
  for (SharedList& shared : shared_) {
    FreeList batch;
    {
      std::lock_guard lock(shared.mutex);
      std::swap(batch, shared.list);
    }
    FreeAll(&batch);
  }
}

void PoolState::Shutdown() {
  Trim();
  retained_limit_.store(kPoolIsGone, kRelaxed);
  DropCache(this);
  Trim();  // what was shared before the limit fell
  Unref();
}

BufferPoolStats PoolState::Stats() {
  BufferPoolStats stats;
  std::lock_guard lock(caches_mutex_);
  int64_t in_use = in_use_.load(kRelaxed);
  stats.taken = taken_.load(kRelaxed);
  for (const ThreadCache* cache : caches_) {
    in_use += cache->untold_in_use.load(kRelaxed);
    stats.taken += cache->taken.load(kRelaxed);
  }
  const int64_t retained = allocated_bytes_.load(kRelaxed) - in_use;
  stats.bytes_in_use = static_cast<uint64_t>(std::max<int64_t>(0, in_use));
  stats.bytes_retained = static_cast<uint64_t>(std::max<int64_t>(0, retained));
  stats.allocated = allocated_.load(kRelaxed);
  stats.refused = refused_.load(kRelaxed);
  return stats;
}

ThreadCache* PoolState::Attach() {
  auto cache = std::make_unique<ThreadCache>(this);
  std::lock_guard lock(caches_mutex_);
  caches_.push_back(cache.get());
  references_.fetch_add(1, kRelaxed);
  return cache.release();
}

void PoolState::Detach(ThreadCache* cache) {
  {
    std::lock_guard lock(caches_mutex_);
    in_use_.fetch_add(cache->untold_in_use.load(kRelaxed), kRelaxed);
    taken_.fetch_add(cache->taken.load(kRelaxed), kRelaxed);
    std::erase(caches_, cache);
  }
  for (int i = 0; i < kPoolClasses; ++i) {
    if (cache->lists[i].head != nullptr) Share(i, &cache->lists[i], cache->lists[i].count);
  }
  delete cache;
  Unref();
}

BufferBlock* AllocateBlock(PoolState* owner, size_t capacity) {
  if (owner != nullptr) return owner->Take(capacity);
  BufferBlock* const block = NewBlock(capacity);
  block->owner = nullptr;
  return block;
}

void ReleaseBlock(BufferBlock* block) {
  if (block->owner != nullptr) {
    block->owner->Return(block);
  } else {
    ::operator delete(block);
  }
}

}  // namespace grid::internal
