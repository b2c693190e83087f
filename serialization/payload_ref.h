// PayloadRef: bytes that are to be sent, and the Buffer they are in, if that may be taken instead
// of being copied.
//
// For parameters: valid during the call that it is given to, like a BytesView.
//
//   void Send(PayloadRef payload) { queue.push_back(payload.Take(pool)); }
//   Send(AsBytes("copied"));
//   Send(std::move(buffer));  // taken, if Send keeps the bytes; buffer is nil then
#ifndef GRID_SERIALIZATION_PAYLOAD_REF_H_
#define GRID_SERIALIZATION_PAYLOAD_REF_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/bytes.h"

namespace grid {

class PayloadRef {
 public:
  PayloadRef() = default;                                                      // nil
  PayloadRef(BytesView bytes) : at_(bytes.data()), size_(bytes.size()) {}      // NOLINT
  PayloadRef(const Buffer& buffer) : PayloadRef(buffer.view()) {}              // NOLINT
  PayloadRef(Buffer&& buffer) : at_(std::addressof(buffer)), size_(kOwned) {}  // NOLINT

  // Nil once they were taken.
  BytesView view() const {
    return is_owned() ? owner()->view() : BytesView(static_cast<const uint8_t*>(at_), size_);
  }
  size_t size() const { return is_owned() ? owner()->size() : size_; }
  // The bytes can be had without a copy.
  bool is_owned() const { return size_ == kOwned; }
  // The bytes as a Buffer: what it refers to, or a copy from `pool`. Once.
  Buffer Take(BufferPool& pool) const {
    return is_owned() ? std::move(*owner()) : pool.Copy(view());
  }

 private:
  static constexpr size_t kOwned = std::numeric_limits<size_t>::max();

  Buffer* owner() const { return static_cast<Buffer*>(const_cast<void*>(at_)); }

  // Two words, which go from function to function in registers. A third would go through memory,
  // written in words and read at once by wider instructions, which stall until it is there: that
  // was a tenth of all the work of a small request.
  const void* at_ = nullptr;  // the bytes, or the Buffer
  size_t size_ = 0;           // of the bytes
};
static_assert(sizeof(PayloadRef) == 2 * sizeof(void*));

}  // namespace grid

#endif  // GRID_SERIALIZATION_PAYLOAD_REF_H_
