// Input: the fuzzer's bytes; zeros once they are used up.
#ifndef GRID_FUZZ_INPUT_H_
#define GRID_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "serialization/bytes.h"

namespace grid::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : left_(data, size) {}

  bool empty() const { return left_.empty(); }
  uint8_t Byte() {
    if (left_.empty()) return 0;
    const uint8_t byte = left_[0];
    left_ = left_.subspan(1);
    return byte;
  }
  uint32_t Short() { return Byte() << 8 | Byte(); }
  BytesView Bytes(size_t size) {
    const BytesView bytes = left_.first(std::min(size, left_.size()));
    left_ = left_.subspan(bytes.size());
    return bytes;
  }

 private:
  BytesView left_;
};

}  // namespace grid::fuzz

#endif  // GRID_FUZZ_INPUT_H_
