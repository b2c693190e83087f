// Codec: how values of a type become the bytes of a payload and back. Typed handlers use Codec<T>
// for whatever T they are given.
//
// By default (serialization/messagepack.h) that is MessagePack, for every type that msgpack-c can
// pack. Another format is a specialisation; for a whole family of types at once:
//
//   template <std::derived_from<google::protobuf::Message> T>
//   struct grid::Codec<T> {
//     static absl::Status Encode(const T& value, Buffer& out);
//     static absl::Status Decode(BytesView bytes, T& value, const DecodeLimits& limits);
//   };
//
// It must be seen by both ends, before the first use of T in a typed handler.
#ifndef GRID_SERIALIZATION_CODEC_H_
#define GRID_SERIALIZATION_CODEC_H_

#include <concepts>
#include <cstddef>

#include "absl/status/status.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"

namespace grid {

// What a decoder accepts from a peer; each is checked before anything is allocated for it. What
// exceeds one is kInvalidArgument, with the limit and the field in the message.
struct DecodeLimits {
  // Containers inside containers.
  int max_depth = 32;
  // Bytes of one string or byte array.
  size_t max_length = size_t{32} << 20;
  // Elements of one array, entries of one map.
  size_t max_elements = size_t{1} << 20;
  // Bytes of memory that all strings and elements of one value take together.
  size_t max_total = size_t{128} << 20;
};

// A type without a codec of its own is packed by msgpack-c; see serialization/messagepack.h.
template <typename T>
struct Codec;

// What typed handlers demand of the types that they carry.
//   Encode  appends the value to `out` (which keeps what it held). An error names what can't be
//           encoded; what was appended is then unspecified.
//   Decode  sets `value`, which is as default-constructed before, from the whole of `bytes` (nil
//   for
//           no payload), and keeps no view of them. kInvalidArgument names the field.
// Both are called from any thread, several at once.
template <typename T>
concept Encodable = std::default_initializable<T> &&
    requires(const T& value, T& result, Buffer& out, BytesView bytes, const DecodeLimits& limits) {
  { Codec<T>::Encode(value, out) } -> std::same_as<absl::Status>;
  { Codec<T>::Decode(bytes, result, limits) } -> std::same_as<absl::Status>;
};

// Codecs that know how large a value becomes say so, and it is allocated once:
//   static size_t SizeBound(const T& value);   // exact, or an upper bound, in bytes
template <typename T>
concept HasSizeBound = requires(const T& value) {
  { Codec<T>::SizeBound(value) } -> std::convertible_to<size_t>;
};

// Stands for "nothing to carry" in the types of a typed handler: sent as nil (no payload);
// whatever arrives is accepted.
struct NoPayload {};

template <>
struct Codec<NoPayload> {
  static size_t SizeBound(const NoPayload&) { return 0; }
  static absl::Status Encode(const NoPayload&, Buffer&) { return absl::OkStatus(); }
  static absl::Status Decode(BytesView, NoPayload&, const DecodeLimits&) {
    return absl::OkStatus();
  }
};

namespace internal {
// What a value of this type took the last time, on this thread.
template <typename T>
inline thread_local size_t last_encoded_size = 0;
}  // namespace internal

// How many bytes to have ready for `value`: what its codec says, or a guess.
template <Encodable T>
size_t SizeHint(const T& value) {
  if constexpr (HasSizeBound<T>) {
    return Codec<T>::SizeBound(value);
  } else {
    return internal::last_encoded_size<T>;
  }
}

// Appends `value` to `out`, which is grown once where the size is known.
template <Encodable T>
absl::Status Encode(const T& value, Buffer& out) {
  const size_t before = out.size();
  if (const size_t hint = SizeHint(value); hint > 0) out.Reserve(before + hint);
  absl::Status status = Codec<T>::Encode(value, out);
  if constexpr (!HasSizeBound<T>) internal::last_encoded_size<T> = out.size() - before;
  return status;
}

// Sets `value`, which must be as default-constructed.
template <Encodable T>
absl::Status Decode(BytesView bytes, T& value, const DecodeLimits& limits = {}) {
  return Codec<T>::Decode(bytes, value, limits);
}

}  // namespace grid

#endif  // GRID_SERIALIZATION_CODEC_H_
