#include "serialization/trace_context.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace grid {
namespace {

// Where the fields are: "vv-" trace id "-" parent id "-" "ff".
constexpr size_t kTraceId = 3;
constexpr size_t kParentId = 36;
constexpr size_t kFlags = 53;
constexpr size_t kSize = std::tuple_size_v<TraceContext::Text>;
static_assert(kFlags + 2 == kSize);

// -1 for what is no lower-case hex digit.
int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool ReadHex(std::string_view text, uint8_t* bytes) {
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = Digit(text[i]);
    const int low = Digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i / 2] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

void WriteHex(const uint8_t* bytes, size_t size, char* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; ++i) {
    *out++ = kDigits[bytes[i] >> 4];
    *out++ = kDigits[bytes[i] & 15];
  }
}

absl::Status Wrong(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("traceparent: ", absl::string_view(what.data(), what.size())));
}

}  // namespace

absl::StatusOr<TraceContext> TraceContext::Parse(std::string_view text) {
  if (text.size() < kSize) {
    return Wrong(absl::StrCat(text.size(), " characters, fewer than ", kSize));
  }
  if (text[kTraceId - 1] != '-' || text[kParentId - 1] != '-' || text[kFlags - 1] != '-') {
    return Wrong("is not version-traceid-parentid-flags");
  }
  uint8_t version = 0;
  if (!ReadHex(text.substr(0, 2), &version) || version == 0xff) {
    return Wrong("the version is not 00 to fe in lower-case hex");
  }
  if (text.size() > kSize && (version == 0 || text[kSize] != '-')) {
    return Wrong(absl::StrCat(text.size(), " characters, more than ", kSize));
  }
  TraceContext trace;
  if (!ReadHex(text.substr(kTraceId, 32), trace.trace_id_.data()) || trace.trace_id_ == TraceId{}) {
    return Wrong("the trace id is not 32 digits of lower-case hex, not all 0");
  }
  uint8_t parent[8] = {};
  const bool is_hex = ReadHex(text.substr(kParentId, 16), parent);
  for (const uint8_t byte : parent) trace.parent_id_ = trace.parent_id_ << 8 | byte;
  if (!is_hex || trace.parent_id_ == 0) {
    return Wrong("the parent id is not 16 digits of lower-case hex, not all 0");
  }
  if (!ReadHex(text.substr(kFlags, 2), &trace.flags_)) {
    return Wrong("the flags are not 2 digits of lower-case hex");
  }
  if (version > 0) trace.flags_ &= 1;  // what the other bits mean there is not known
  return trace;
}

TraceContext TraceContext::Child(uint64_t span) const {
  TraceContext child = *this;
  if (*this && span != 0) child.parent_id_ = span;
  return child;
}

TraceContext::Text TraceContext::ToText() const {
  Text text;
  text[0] = text[1] = '0';
  text[kTraceId - 1] = text[kParentId - 1] = text[kFlags - 1] = '-';
  WriteHex(trace_id_.data(), trace_id_.size(), &text[kTraceId]);
  uint8_t parent[8];
  for (int i = 0; i < 8; ++i) parent[i] = static_cast<uint8_t>(parent_id_ >> (56 - 8 * i));
  WriteHex(parent, sizeof(parent), &text[kParentId]);
  WriteHex(&flags_, 1, &text[kFlags]);
  return text;
}

std::string TraceContext::ToString() const {
  if (!*this) return {};
  const Text text = ToText();
  return {text.data(), text.size()};
}

}  // namespace grid
