#include "serialization/messagepack_encoder.h"

#include <algorithm>

namespace grid::internal {

void BufferSink::Grow(size_t size) {
  constexpr size_t kFirst = 256;
  const size_t used = static_cast<size_t>(pos_ - out_.data());
  if (!out_.is_nil()) out_.Resize(used);  // what a larger block takes over
  out_.Reserve(std::max({kFirst, used + size, 2 * out_.capacity()}));
  pos_ = out_.data() + used;
  end_ = End(out_);
}

}  // namespace grid::internal
