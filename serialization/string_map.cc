#include "serialization/string_map.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "serialization/msgpack_cursor.h"

namespace grid {
namespace {

using internal::MsgpackError;
using internal::MsgpackReader;

constexpr size_t kMaxMapHeader = 5;

uint8_t* WriteMapHeader(size_t count, uint8_t* p) {
  if (count <= 15) return internal::WriteFixMap(static_cast<unsigned>(count), p);
  if (count <= 0xffff) {
    *p = 0xde;
    return internal::StoreBig16(static_cast<uint16_t>(count), p + 1);
  }
  *p = 0xdf;
  return internal::StoreBig32(static_cast<uint32_t>(count), p + 1);
}

absl::Status Bad(std::string_view what, uint32_t entry, MsgpackError error) {
  const std::string_view why = internal::DescribeMsgpackError(error);
  return absl::InvalidArgumentError(
      absl::StrCat("string map: ", absl::string_view(what.data(), what.size()), " ", entry, " ",
                   std::string(why)));
}

}  // namespace

Buffer EncodeStringMap(const std::optional<StringMap>& map) {
  size_t bound = kMaxMapHeader;
  if (map.has_value()) {
    for (const auto& [key, value] : *map) {
      bound += 2 * internal::kMaxStrHeader + key.size() + value.size();
    }
  }
  Buffer out = Buffer::Unpooled(bound);
  uint8_t* p = out.data();
  if (!map.has_value()) {
    p = internal::WriteNil(p);
  } else {
    p = WriteMapHeader(map->size(), p);
    for (const auto& [key, value] : *map) {
      p = internal::WriteStr(key, p);
      p = internal::WriteStr(value, p);
    }
  }
  out.Resize(static_cast<size_t>(p - out.data()));
  return out;
}

absl::StatusOr<std::optional<StringMap>> DecodeStringMap(BytesView bytes) {
  MsgpackReader in(bytes);
  if (in.ReadNil()) return std::optional<StringMap>();
  uint32_t count = 0;
  if (const MsgpackError error = in.ReadMapHeader(&count); error != MsgpackError::kOk) {
    return absl::InvalidArgumentError(absl::StrCat(
        "string map: the header ", std::string(internal::DescribeMsgpackError(error))));
  }
  // Every entry takes two bytes at least: refuse before reading the first.
  if (count > in.remaining() / 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("string map: ", count, " entries declared, ", in.remaining(), " bytes there"));
  }
  StringMap map;
  for (uint32_t i = 0; i < count; ++i) {
    std::string_view key, value;
    if (const MsgpackError error = in.ReadStr(&key); error != MsgpackError::kOk) {
      return Bad("key", i, error);
    }
    if (const MsgpackError error = in.ReadStr(&value); error != MsgpackError::kOk) {
      return Bad("value", i, error);
    }
    map.insert_or_assign(std::string(key), std::string(value));
  }
  return std::optional<StringMap>(std::move(map));
}

}  // namespace grid
