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

#include <utility>

#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/bytes.h"

namespace grid {

class PayloadRef {
 public:
  PayloadRef() = default;                               // nil
  PayloadRef(BytesView bytes) : bytes_(bytes) {}        // NOLINT(google-explicit-constructor)
  PayloadRef(const Buffer& buffer) : bytes_(buffer) {}  // NOLINT(google-explicit-constructor)
  PayloadRef(Buffer&& buffer) : bytes_(buffer), owner_(&buffer) {}  // NOLINT

  BytesView view() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  // The bytes can be had without a copy.
  bool is_owned() const { return owner_ != nullptr; }
  // The bytes as a Buffer: what it refers to, or a copy from `pool`. Once.
  Buffer Take(BufferPool& pool) const {
    return owner_ != nullptr ? std::move(*owner_) : pool.Copy(bytes_);
  }

 private:
  BytesView bytes_;
  Buffer* owner_ = nullptr;
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_PAYLOAD_REF_H_
