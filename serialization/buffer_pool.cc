#include "serialization/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "serialization/pool_state.h"

namespace grid {

std::shared_ptr<BufferPool> BufferPool::Create(BufferPoolOptions options) {
  return std::shared_ptr<BufferPool>(new BufferPool(options));
}

BufferPool::BufferPool(const BufferPoolOptions& options)
    : state_(new internal::PoolState(options)) {}

BufferPool::~BufferPool() { state_->Shutdown(); }

Buffer BufferPool::Take(size_t size) { return Buffer(state_->Take(size), size); }

Buffer BufferPool::TryTake(size_t size) {
  if (state_->Fits(size)) return Take(size);
  state_->CountRefused();
  return Buffer();
}

Buffer BufferPool::Copy(BytesView bytes) {
  if (IsNil(bytes)) return Buffer();
  if (bytes.empty()) return Buffer::Empty();
  Buffer copy = Take(bytes.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

bool BufferPool::TryCopy(BytesView bytes, Buffer* copy) {
  if (!bytes.empty() && !state_->Fits(bytes.size())) {
    state_->CountRefused();
    return false;
  }
  *copy = Copy(bytes);
  return true;
}

size_t BufferPool::CapacityFor(size_t size) {
  if (size > kMaxPooledBlock) return size;
  return std::bit_ceil(std::max(size, kMinBlock));
}

void BufferPool::Trim() { state_->Trim(); }

BufferPoolStats BufferPool::Stats() const { return state_->Stats(); }

}  // namespace grid
