#include "serialization/extension_block.h"

#include "serialization/metadata.h"
#include "serialization/msgpack_cursor.h"
#include "serialization/trace_context.h"

namespace grid {
namespace {

using internal::MsgpackError;
using internal::MsgpackReader;

enum Key : uint8_t {
  kGrantMessages = 1,
  kGrantBytes,
  kWindowMessages,
  kWindowBytes,
  kOffset,
  kMore,
  kOriginalBytes,
  kDictionary,
  kTraceparent,
  kMetadata,
  kCode,
  kDelivery,
  kHandler,
  kPriority,
  kPieces,
};

template <typename T>
MsgpackError ReadField(MsgpackReader& in, T* field) {
  uint64_t value = 0;
  const MsgpackError error = in.ReadUint(static_cast<T>(~T{0}), &value);
  *field = static_cast<T>(value);
  return error;
}

MsgpackError ReadValue(MsgpackReader& in, uint64_t key, ExtensionFields* fields) {
  switch (key) {
    case kGrantMessages:
      return ReadField(in, &fields->grant_messages);
    case kGrantBytes:
      return ReadField(in, &fields->grant_bytes);
    case kWindowMessages:
      return ReadField(in, &fields->window_messages);
    case kWindowBytes:
      return ReadField(in, &fields->window_bytes);
    case kOffset:
      return ReadField(in, &fields->offset);
    case kMore:
      return in.ReadBool(&fields->more);
    case kOriginalBytes:
      return ReadField(in, &fields->original_bytes);
    case kDictionary:
      return ReadField(in, &fields->dictionary);
    case kTraceparent:
      return in.ReadStr(&fields->traceparent);
    case kMetadata:
      return in.ReadBin(&fields->metadata);
    case kCode:
      return ReadField(in, &fields->code);
    case kDelivery:
      return ReadField(in, &fields->delivery);
    case kHandler:
      return ReadField(in, &fields->handler);
    case kPriority:
      return ReadField(in, &fields->priority);
    case kPieces:
      return in.ReadBool(&fields->pieces);
    default:
      return in.Skip();
  }
}

// Writes entries behind the map's header, which it counts them for.
class Entries {
 public:
  explicit Entries(uint8_t* p) : p_(p) {}

  uint8_t* Add(Key key) {
    ++count_;
    return p_ = internal::WriteUint(key, p_);
  }
  void AddUint(Key key, uint64_t value) {
    if (value != 0) p_ = internal::WriteUint(value, Add(key));
  }
  void AddTrue(Key key, bool value) {
    if (value) p_ = internal::WriteBool(true, Add(key));
  }
  void AddStr(Key key, std::string_view text) {
    if (!text.empty()) p_ = internal::WriteStr(text, Add(key));
  }
  void AddBin(Key key, BytesView bytes) {
    if (!bytes.empty()) p_ = internal::WriteBin(bytes, Add(key));
  }
  unsigned count() const { return count_; }
  const uint8_t* end() const { return p_; }

 private:
  uint8_t* p_;
  unsigned count_ = 0;
};

}  // namespace

bool ExtensionBlock::Write(const ExtensionFields& fields) {
  size_ = 0;
  // A header, 15 keys, 4 integers of 64 bits, 3 of 32, 2 bools, one of 16, 3 of 8, and two headers.
  static_assert(1 + 15 + 4 * 9 + 3 * 5 + 2 + 3 + 3 * 2 + 2 * internal::kMaxStrHeader <=
                kMaxFixedPart);
  // A Request or ConnectMux has room for the largest metadata, whatever else it says: a header, 11
  // keys, 3 integers of 64 bits, 2 of 32, 2 bools, one of 16, one of 8, and two headers.
  static_assert(1 + 11 + 3 * 9 + 2 * 5 + 2 + 3 + 2 + 2 * 2 + std::tuple_size_v<TraceContext::Text> +
                    Metadata::kMaxBytes <=
                kMaxExtensionBytes);
  if (fields.traceparent.size() + fields.metadata.size() > kMaxExtensionBytes) return false;
  Entries out(bytes_.data() + 1);
  out.AddUint(kGrantMessages, fields.grant_messages);
  out.AddUint(kGrantBytes, fields.grant_bytes);
  out.AddUint(kWindowMessages, fields.window_messages);
  out.AddUint(kWindowBytes, fields.window_bytes);
  out.AddUint(kOffset, fields.offset);
  out.AddTrue(kMore, fields.more);
  out.AddUint(kOriginalBytes, fields.original_bytes);
  out.AddUint(kDictionary, fields.dictionary);
  out.AddStr(kTraceparent, fields.traceparent);
  out.AddBin(kMetadata, fields.metadata);
  out.AddUint(kCode, fields.code);
  out.AddUint(kDelivery, fields.delivery);
  out.AddUint(kHandler, fields.handler);
  out.AddUint(kPriority, fields.priority);
  out.AddTrue(kPieces, fields.pieces);
  internal::WriteFixMap(out.count(), bytes_.data());
  const auto size = static_cast<size_t>(out.end() - bytes_.data());
  if (size > kMaxExtensionBytes) return false;
  size_ = size;
  return true;
}

bool ReadExtension(BytesView block, ExtensionFields* fields) {
  *fields = {};
  MsgpackReader in(block);
  uint32_t count = 0;
  if (in.ReadMapHeader(&count) != MsgpackError::kOk) return false;
  for (; count > 0; --count) {
    uint64_t key = 0;
    if (in.ReadUint(UINT64_MAX, &key) != MsgpackError::kOk ||
        ReadValue(in, key, fields) != MsgpackError::kOk) {
      return false;
    }
  }
  return in.remaining() == 0;
}

}  // namespace grid
