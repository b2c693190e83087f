#include "grid/membership/member.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grid {

std::string_view MemberStateName(MemberState state) {
  switch (state) {
    case MemberState::kJoining:
      return "joining";
    case MemberState::kUp:
      return "up";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kLeaving:
      return "leaving";
    case MemberState::kDown:
      return "down";
  }
  return "?";
}

std::string_view Member::Attribute(std::string_view key) const {
  const auto found = attributes.find(std::string(key));
  return found == attributes.end() ? std::string_view() : found->second;
}

std::optional<double> Member::Metric(std::string_view key) const {
  const std::string_view text = Attribute(key);
  double value = 0;
  if (!absl::SimpleAtod({text.data(), text.size()}, &value)) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::vector<std::string_view> Member::Kinds() const {
  std::vector<std::string_view> kinds;
  std::string_view rest = Attribute(kKinds);
  while (!rest.empty()) {
    const std::string_view kind = rest.substr(0, rest.find(','));
    if (!kind.empty()) kinds.push_back(kind);
    rest.remove_prefix(std::min(rest.size(), kind.size() + 1));
  }
  return kinds;
}

absl::StatusOr<std::string> SegmentOf(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (text.empty()) return absl::InvalidArgumentError("an empty text is no segment");
  const bool dots = text == "." || text == "..";
  std::string segment;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || (c == '.' && !dots)) {
      segment += c;
    } else {
      segment += {'_', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  if (segment.size() > Path::kMaxSegmentBytes) {
    return absl::InvalidArgumentError(absl::StrCat("as a segment the text has ", segment.size(),
                                                   " bytes, more than ", Path::kMaxSegmentBytes));
  }
  return segment;
}

}  // namespace grid
