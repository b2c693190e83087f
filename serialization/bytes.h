// Views of bytes, and the difference between "no payload" and "an empty payload".
//
// The wire protocol tells nil and empty payloads apart (PROTOCOL.md, PayloadIsZero), so a BytesView
// does too: a view whose data() is null is nil; a view of length zero with any other data() is
// empty.
//
//   BytesView nil;                       // no payload
//   BytesView empty = AsBytes("");       // a payload of no bytes
#ifndef GRID_SERIALIZATION_BYTES_H_
#define GRID_SERIALIZATION_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace grid {

// Bytes owned by somebody else. Valid only as long as the owner keeps them.
using BytesView = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

namespace internal {
inline constexpr uint8_t kEmptyBytesAnchor = 0;
}

// A view that is empty but not nil. Its data() is never dereferenced.
inline BytesView EmptyBytes() { return {&internal::kEmptyBytesAnchor, size_t{0}}; }

// True for a view that stands for "no payload".
inline bool IsNil(BytesView bytes) { return bytes.data() == nullptr; }

// The bytes of `text`. A default-constructed string_view gives nil; "" gives empty.
inline BytesView AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The same bytes as text; no validation.
inline std::string_view AsText(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace grid

#endif  // GRID_SERIALIZATION_BYTES_H_
