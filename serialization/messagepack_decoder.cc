#include "serialization/messagepack_decoder.h"

#include <bit>

#include "absl/strings/str_cat.h"

namespace grid::internal {

// Names come from the peer: they are cut, and what would forge a log line is dropped.
void MessagePackDecoder::InField(std::string_view name) {
  constexpr size_t kMaxName = 64;
  constexpr size_t kMaxPath = 256;
  if (path_.size() > kMaxPath) return;
  std::string field(name.substr(0, kMaxName));
  for (char& c : field) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (!path_.empty() && path_.front() != '[') field += '.';
  path_.insert(0, field);
}

void MessagePackDecoder::InElement(size_t index) {
  constexpr size_t kMaxPath = 256;
  if (path_.size() > kMaxPath) return;
  const bool joined = path_.empty() || path_.front() == '[';
  path_.insert(0, absl::StrCat("[", index, joined ? "]" : "]."));
}

absl::Status MessagePackDecoder::Describe(MsgpackError error) const {
  std::string where = path_.empty() ? "the value" : absl::StrCat("field \"", path_, "\"");
  std::string why(DescribeMsgpackError(error));
  switch (error) {
    case MsgpackError::kTooLong:
      absl::StrAppend(&why, " (", limits_.max_length, " bytes)");
      break;
    case MsgpackError::kTooMany:
      absl::StrAppend(&why, " (", limits_.max_elements, ")");
      break;
    case MsgpackError::kTooLarge:
      absl::StrAppend(&why, " (", limits_.max_total, " bytes)");
      break;
    case MsgpackError::kTooDeep:
      absl::StrAppend(&why, " (", limits_.max_depth, ")");
      break;
    case MsgpackError::kRefused:
      absl::StrAppend(&why, ": ", detail_);
      break;
    default:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat(where, " ", why));
}

MsgpackError MessagePackDecoder::SkipForTree() {
  const uint8_t* begin = in_.position();
  MsgpackReader::Skipped skipped{.objects = 1};
  const MsgpackError error = in_.Skip(limits_.max_depth - depth_, &skipped);
  if (error != MsgpackError::kOk) return error;
  const auto size = static_cast<size_t>(in_.position() - begin);
  if (size > limits_.max_length) return MsgpackError::kTooLong;
  if (skipped.largest > limits_.max_elements) return MsgpackError::kTooMany;
  // The tree, and as much as its strings again for what they are copied to.
  return Charge(skipped.objects * sizeof(msgpack::object) + size);
}

MsgpackError ReadFloat(MessagePackDecoder& decoder, double* value) {
  MsgpackReader& in = decoder.in();
  if (in.remaining() == 0) return MsgpackError::kTruncated;
  const uint8_t* p = in.position();
  if (*p == 0xca) {
    if (in.remaining() < 5) return MsgpackError::kTruncated;
    *value = std::bit_cast<float>(LoadBig32(p + 1));
    return in.Skip();
  }
  if (*p == 0xcb) {
    if (in.remaining() < 9) return MsgpackError::kTruncated;
    *value = std::bit_cast<double>(LoadBig64(p + 1));
    return in.Skip();
  }
  // An integer, as other implementations write whole numbers.
  if (uint64_t large = 0; *p == 0xcf) {
    const MsgpackError error = in.ReadUint(std::numeric_limits<uint64_t>::max(), &large);
    *value = static_cast<double>(large);
    return error;
  }
  int64_t whole = 0;
  const MsgpackError error =
      in.ReadInt(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), &whole);
  *value = static_cast<double>(whole);
  return error;
}

}  // namespace grid::internal
