#include "serialization/control_payloads.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/escaping.h"
#include "serialization/msgpack_cursor.h"

namespace grid {
namespace {

using internal::MsgpackError;
using internal::MsgpackReader;

constexpr int8_t kGoTimeExt = 5;
constexpr int8_t kOfficialTimeExt = -1;
constexpr size_t kGoTimeSize = 12;
constexpr int64_t kNanosPerSecond = 1'000'000'000;
// Most bytes that any of these payloads takes besides its strings: the keys, headers, id and time
// of the largest, ConnectRequest, are 1 + 3+18 + 5+5 + 5+15 + 6+5.
constexpr size_t kMaxFixedPart = 64;

uint8_t* WriteTime(const WireTime& time, uint8_t* p) {
  *p++ = 0xc7;  // ext with a one-byte length
  *p++ = kGoTimeSize;
  *p++ = static_cast<uint8_t>(kGoTimeExt);
  p = internal::StoreBig64(static_cast<uint64_t>(time.seconds), p);
  return internal::StoreBig32(static_cast<uint32_t>(time.nanoseconds), p);
}

// Brings nanoseconds outside [0, 1s) into it, as Go's time.Unix does.
MsgpackError MakeTime(int64_t seconds, int64_t nanoseconds, WireTime* time) {
  int64_t carry = nanoseconds / kNanosPerSecond;
  nanoseconds %= kNanosPerSecond;
  if (nanoseconds < 0) {
    nanoseconds += kNanosPerSecond;
    --carry;
  }
  if (__builtin_add_overflow(seconds, carry, &time->seconds)) return MsgpackError::kOutOfRange;
  time->nanoseconds = static_cast<int32_t>(nanoseconds);
  return MsgpackError::kOk;
}

MsgpackError ReadTime(MsgpackReader& in, WireTime* time) {
  int8_t type = 0;
  BytesView data;
  const MsgpackError error = in.ReadExt(&type, &data);
  if (error != MsgpackError::kOk) return error;
  const uint8_t* p = data.data();
  if (type == kGoTimeExt) {
    if (data.size() != kGoTimeSize) return MsgpackError::kWrongLength;
    return MakeTime(static_cast<int64_t>(internal::LoadBig64(p)),
                    static_cast<int32_t>(internal::LoadBig32(p + 8)), time);
  }
  if (type != kOfficialTimeExt) return MsgpackError::kWrongType;
  switch (data.size()) {
    case 4:
      return MakeTime(internal::LoadBig32(p), 0, time);
    case 8: {  // 30 bits of nanoseconds, 34 of seconds
      const uint64_t packed = internal::LoadBig64(p);
      return MakeTime(static_cast<int64_t>(packed & 0x3ffffffff),
                      static_cast<int64_t>(packed >> 34), time);
    }
    case 12:
      return MakeTime(static_cast<int64_t>(internal::LoadBig64(p + 4)), internal::LoadBig32(p),
                      time);
    default:
      return MsgpackError::kWrongLength;
  }
}

MsgpackError ReadId(MsgpackReader& in, InstanceId* id) {
  BytesView bytes;
  const MsgpackError error = in.ReadBin(&bytes);
  if (error != MsgpackError::kOk) return error;
  if (bytes.size() != id->size()) return MsgpackError::kWrongLength;
  std::memcpy(id->data(), bytes.data(), id->size());
  return MsgpackError::kOk;
}

MsgpackError ReadString(MsgpackReader& in, std::string* value) {
  std::string_view text;
  const MsgpackError error = in.ReadStr(&text);
  if (error == MsgpackError::kOk) value->assign(text);
  return error;
}

// Go's decoder takes map keys as str or bin.
MsgpackError ReadKey(MsgpackReader& in, std::string_view* key) {
  const MsgpackReader start = in;
  const MsgpackError error = in.ReadStr(key);
  if (error != MsgpackError::kWrongType) return error;
  in = start;
  BytesView bytes;
  const MsgpackError bin_error = in.ReadBin(&bytes);
  *key = AsText(bytes);
  return bin_error;
}

// "ConnectRequest.Host has the wrong type". A key comes from the peer: no more of it is repeated
// than a log line bears.
absl::Status FieldError(std::string_view type, std::string_view key, MsgpackError error) {
  constexpr size_t kMaxShown = 32;
  std::string text(type);
  text += '.';
  text += absl::CHexEscape(std::string(key.substr(0, kMaxShown)));
  text += ' ';
  text += internal::DescribeMsgpackError(error);
  return absl::InvalidArgumentError(text);
}

// Walks a map; `read` reads the value of a key that it knows, and skips that of any other.
absl::Status DecodeMap(
    BytesView bytes, std::string_view type,
    absl::FunctionRef<MsgpackError(std::string_view key, MsgpackReader& in)> read) {
  MsgpackReader in(bytes);
  uint32_t count = 0;
  MsgpackError error = in.ReadMapHeader(&count);
  if (error != MsgpackError::kOk) {
    return FieldError(type, "(map)", error);
  }
  for (; count != 0; --count) {
    std::string_view key;
    error = ReadKey(in, &key);
    if (error != MsgpackError::kOk) return FieldError(type, "(key)", error);
    error = read(key, in);
    if (error != MsgpackError::kOk) return FieldError(type, key, error);
  }
  return absl::OkStatus();
}

// The key Ext of the Connect exchange: feature name -> value. What version 1 sends has no such key.
constexpr size_t kMaxExtensionsPart = 160 + 16 + 5 * DictionaryIds::kMax;

unsigned FeaturesIn(const Extensions& extensions) {
  unsigned count = 0;
  for (const ExtensionName& feature : kExtensionNames) count += extensions.*feature.value != 0;
  return count + (extensions.dictionaries.empty() ? 0 : 1);
}

uint8_t* WriteExtensions(const Extensions& extensions, uint8_t* p) {
  const unsigned count = FeaturesIn(extensions);
  if (count == 0) return p;
  p = internal::WriteFixMap(count, internal::WriteStr("Ext", p));
  for (const ExtensionName& feature : kExtensionNames) {
    const uint32_t value = extensions.*feature.value;
    if (value != 0) p = internal::WriteUint(value, internal::WriteStr(feature.name, p));
  }
  if (extensions.dictionaries.empty()) return p;
  p = internal::WriteFixArray(static_cast<unsigned>(extensions.dictionaries.size()),
                              internal::WriteStr(kDictionariesName, p));
  for (const uint32_t id : extensions.dictionaries) p = internal::WriteUint(id, p);
  return p;
}

// Beyond DictionaryIds::kMax they are read and forgotten: those are not used then.
MsgpackError ReadDictionaries(MsgpackReader& in, DictionaryIds* dictionaries) {
  uint32_t count = 0;
  MsgpackError error = in.ReadArrayHeader(&count);
  for (; error == MsgpackError::kOk && count > 0; --count) {
    uint64_t id = 0;
    error = in.ReadUint(UINT32_MAX, &id);
    if (error == MsgpackError::kOk) dictionaries->Add(static_cast<uint32_t>(id));
  }
  return error;
}

MsgpackError ReadExtensions(MsgpackReader& in, Extensions* extensions) {
  uint32_t count = 0;
  MsgpackError error = in.ReadMapHeader(&count);
  for (; error == MsgpackError::kOk && count > 0; --count) {
    std::string_view key;
    error = ReadKey(in, &key);
    if (error != MsgpackError::kOk) break;
    if (key == kDictionariesName) {
      error = ReadDictionaries(in, &extensions->dictionaries);
      continue;
    }
    const auto* const feature =
        std::find_if(std::begin(kExtensionNames), std::end(kExtensionNames),
                     [&](const ExtensionName& known) { return known.name == key; });
    if (feature == std::end(kExtensionNames)) {
      error = in.Skip();  // of a newer peer
      continue;
    }
    uint64_t value = 0;
    error = in.ReadUint(UINT32_MAX, &value);
    extensions->*feature->value = static_cast<uint32_t>(value);
  }
  return error;
}

// Appends what `write` writes, which is at most kMaxFixedPart + `strings` bytes.
void AppendEncoded(Buffer* out, size_t strings, absl::FunctionRef<uint8_t*(uint8_t* p)> write) {
  const size_t start = out->size();
  out->Resize(start + kMaxFixedPart + strings);
  const uint8_t* const end = write(out->data() + start);
  out->Resize(static_cast<size_t>(end - out->data()));
}

using internal::WriteBin;
using internal::WriteBool;
using internal::WriteFixMap;
using internal::WriteNil;
using internal::WriteStr;

}  // namespace

void Encode(const ConnectRequest& value, Buffer* out) {
  const bool extended = value.extensions != Extensions();
  const size_t strings = value.host.size() + value.token.size();
  AppendEncoded(out, strings + kMaxExtensionsPart, [&](uint8_t* p) {
    p = WriteFixMap(extended ? 5 : 4, p);
    p = WriteBin(value.id, WriteStr("ID", p));
    p = WriteStr(value.host, WriteStr("Host", p));
    p = WriteTime(value.time, WriteStr("Time", p));
    p = WriteStr(value.token, WriteStr("Token", p));
    return WriteExtensions(value.extensions, p);
  });
}

void Encode(const ConnectResponse& value, Buffer* out) {
  const bool extended = value.extensions != Extensions();
  AppendEncoded(out, value.rejected_reason.size() + kMaxExtensionsPart, [&](uint8_t* p) {
    p = WriteFixMap(extended ? 4 : 3, p);
    p = WriteBin(value.id, WriteStr("ID", p));
    p = WriteBool(value.accepted, WriteStr("Accepted", p));
    p = WriteStr(value.rejected_reason, WriteStr("RejectedReason", p));
    return WriteExtensions(value.extensions, p);
  });
}

void Encode(const PingMessage& value, Buffer* out) {
  AppendEncoded(out, 0, [&](uint8_t* p) {
    p = WriteFixMap(1, p);
    return WriteTime(value.time, WriteStr("t", p));
  });
}

void Encode(const PongMessage& value, Buffer* out) {
  AppendEncoded(out, value.error ? value.error->size() : 0, [&](uint8_t* p) {
    p = WriteFixMap(3, p);
    p = WriteBool(value.not_found, WriteStr("nf", p));
    p = WriteStr("e", p);
    p = value.error ? WriteStr(*value.error, p) : WriteNil(p);
    return WriteTime(value.time, WriteStr("t", p));
  });
}

void Encode(const MuxConnectError& value, Buffer* out) {
  AppendEncoded(out, value.error.size(), [&](uint8_t* p) {
    p = WriteFixMap(1, p);
    return WriteStr(value.error, WriteStr("Error", p));
  });
}

absl::Status Decode(BytesView bytes, ConnectRequest* value) {
  *value = {};
  return DecodeMap(bytes, "ConnectRequest", [&](std::string_view key, MsgpackReader& in) {
    if (key == "ID") return ReadId(in, &value->id);
    if (key == "Host") return ReadString(in, &value->host);
    if (key == "Time") return ReadTime(in, &value->time);
    if (key == "Token") return ReadString(in, &value->token);
    if (key == "Ext") return ReadExtensions(in, &value->extensions);
    return in.Skip();
  });
}

absl::Status Decode(BytesView bytes, ConnectResponse* value) {
  *value = {};
  return DecodeMap(bytes, "ConnectResponse", [&](std::string_view key, MsgpackReader& in) {
    if (key == "ID") return ReadId(in, &value->id);
    if (key == "Accepted") return in.ReadBool(&value->accepted);
    if (key == "RejectedReason") return ReadString(in, &value->rejected_reason);
    if (key == "Ext") return ReadExtensions(in, &value->extensions);
    return in.Skip();
  });
}

absl::Status Decode(BytesView bytes, PingMessage* value) {
  *value = {};
  return DecodeMap(bytes, "PingMessage", [&](std::string_view key, MsgpackReader& in) {
    return key == "t" ? ReadTime(in, &value->time) : in.Skip();
  });
}

absl::Status Decode(BytesView bytes, PongMessage* value) {
  *value = {};
  return DecodeMap(bytes, "PongMessage", [&](std::string_view key, MsgpackReader& in) {
    if (key == "nf") return in.ReadBool(&value->not_found);
    if (key == "t") return ReadTime(in, &value->time);
    if (key != "e") return in.Skip();
    value->error.reset();
    if (in.ReadNil()) return MsgpackError::kOk;
    return ReadString(in, &value->error.emplace());
  });
}

absl::Status Decode(BytesView bytes, MuxConnectError* value) {
  *value = {};
  return DecodeMap(bytes, "MuxConnectError", [&](std::string_view key, MsgpackReader& in) {
    return key == "Error" ? ReadString(in, &value->error) : in.Skip();
  });
}

}  // namespace grid
