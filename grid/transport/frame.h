// Frames of RFC 6455, section 5.2: their headers and their masking. Pure functions, any thread.
#ifndef GRID_GRID_TRANSPORT_FRAME_H_
#define GRID_GRID_TRANSPORT_FRAME_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "serialization/bytes.h"

namespace grid::internal {

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};
inline bool IsControl(Opcode opcode) { return (static_cast<uint8_t>(opcode) & 8) != 0; }

// Longest header, and longest payload of a control frame.
inline constexpr size_t kMaxFrameHeader = 14;
inline constexpr size_t kMaxControlPayload = 125;

// As it stands on the wire.
using MaskingKey = std::array<uint8_t, 4>;

struct FrameHeader {
  bool fin = true;
  uint8_t reserved = 0;  // the three reserved bits
  Opcode opcode = Opcode::kBinary;
  bool masked = false;
  MaskingKey key{};        // when masked
  uint64_t length = 0;     // of the payload
  bool minimal = true;     // the length has its shortest form, and 63 bits
  size_t header_size = 0;  // for ReadFrameHeader: of the header itself
};

// Reads the header that `bytes` begin with. False: more bytes are needed.
bool ReadFrameHeader(BytesView bytes, FrameHeader* header);
// Writes the header at `out` (kMaxFrameHeader bytes); returns its size. Reserved bits are 0.
size_t WriteFrameHeader(const FrameHeader& header, uint8_t* out);

// Masks, or unmasks, in place.
void ApplyMask(MaskingKey key, MutableBytes payload);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_FRAME_H_
