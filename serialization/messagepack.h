// MessagePack, the default codec: for every type that msgpack-c packs, which are the numbers,
// strings and containers of the standard library, and classes that name their fields:
//
//   struct DiskInfo {
//     uint64_t total = 0, free = 0;
//     std::vector<std::string> drives;
//     MSGPACK_DEFINE_MAP(total, free, drives);     // a map, by name: fields may come and go
//   };                                             // MSGPACK_DEFINE: an array, by position
//
// Decoding follows the rules of the wire (serialization/README.md): entries of unknown name are
// skipped, fields that are missing keep their default, of an entry that comes twice the last stays,
// bytes behind the value are ignored. Nil is a value of std::optional only. An error names the
// field, as in: field "drives[3]" has the wrong type.
//
// Fields of a class that was defined by these macros are read straight from the bytes, without
// msgpack-c's tree of objects; only what has a conversion of its own (a member msgpack_unpack
// written by hand, msgpack::adaptor::convert) goes through the tree.
#ifndef GRID_SERIALIZATION_MESSAGEPACK_H_
#define GRID_SERIALIZATION_MESSAGEPACK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/codec.h"
#include "serialization/messagepack_decoder.h"
#include "serialization/messagepack_encoder.h"
#include "serialization/messagepack_fields.h"

namespace grid {

// Payloads that version 1 knows. Each is MessagePack; inside std::optional nil is told from empty.
using StringMap = std::map<std::string, std::string>;
using Bytes = std::vector<uint8_t>;                                 // bin
using UrlValues = std::map<std::string, std::vector<std::string>>;  // map of str to arrays of str
template <typename T>
using Array = std::vector<T>;

// MessagePack for T. To be named where the default does not see that msgpack-c knows the type, for
// a structure with a msgpack::adaptor of its own: template <> struct grid::Codec<T> :
// grid::MessagePackCodec<T> {};
template <typename T>
struct MessagePackCodec {
  static absl::Status Encode(const T& value, Buffer& out) {
    internal::BufferSink sink(out);
    try {
      internal::WriteValue(sink, value);
    } catch (const std::exception& error) {  // a length beyond 32 bits, or T's own
      return absl::InvalidArgumentError(std::string("can't be packed: ") + error.what());
    } catch (...) {
      return absl::InvalidArgumentError("can't be packed: an exception");
    }
    sink.Finish();
    return absl::OkStatus();
  }

  static absl::Status Decode(BytesView bytes, T& value, const DecodeLimits& limits) {
    internal::MessagePackDecoder decoder(bytes, limits);
    const internal::MsgpackError error = internal::ReadValue(decoder, value);
    return error == internal::MsgpackError::kOk ? absl::OkStatus() : decoder.Describe(error);
  }
};

template <typename T>
struct Codec : MessagePackCodec<T> {
  static_assert(!std::is_pointer_v<T> && !std::is_reference_v<T>,
                "a payload is a value: neither a pointer nor a reference can be sent");
  static_assert(internal::kPacksItself<T> || !std::is_aggregate_v<T> || internal::kIsStdArray<T>,
                "this structure can't be sent: name its fields with MSGPACK_DEFINE_MAP(field, ...) "
                "inside it, or specialise grid::Codec for it");
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_MESSAGEPACK_H_
