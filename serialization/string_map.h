// A map of strings as a payload: MessagePack map str -> str, byte-compatible with version 1.
//
// Nil and empty differ, as everywhere on the wire: nil is the MessagePack nil (c0), empty a map of
// no entries (80). Pure functions, any thread.
//
//   Buffer bytes = EncodeStringMap(StringMap{{"key", "value"}});   // 81 a3 6b6579 a5 76616c7565
//   absl::StatusOr<std::optional<StringMap>> map = DecodeStringMap(bytes);
#ifndef GRID_SERIALIZATION_STRING_MAP_H_
#define GRID_SERIALIZATION_STRING_MAP_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"

namespace grid {

using StringMap = std::map<std::string, std::string>;

// nullopt is nil. Keys are written in their byte order (version 1 defines none). A string must be
// shorter than 4 GiB.
Buffer EncodeStringMap(const std::optional<StringMap>& map);

// Reads one map; of a key that comes twice the last value stays; bytes behind the map are ignored.
// kInvalidArgument names the entry for anything else than a map of str to str. What is allocated is
// proportional to the bytes that are there, whatever they declare.
absl::StatusOr<std::optional<StringMap>> DecodeStringMap(BytesView bytes);

}  // namespace grid

#endif  // GRID_SERIALIZATION_STRING_MAP_H_
