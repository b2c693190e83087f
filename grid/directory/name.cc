#include "grid/directory/name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace grid {
namespace {

// How much of a refused text is shown.
constexpr size_t kShownBytes = 80;

bool IsSegmentByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

size_t CountSegments(std::string_view text) {
  if (text.empty()) return 0;
  return static_cast<size_t>(std::count(text.begin(), text.end(), '/')) + 1;
}

absl::Status Refused(const char* what, std::string_view text, size_t position,
                     const std::string& why) {
  std::string shown = absl::CHexEscape({text.data(), std::min(text.size(), kShownBytes)});
  if (text.size() > kShownBytes) shown += "...";
  return absl::InvalidArgumentError(
      absl::StrCat(what, " \"", shown, "\": at byte ", position, ": ", why));
}

// The segment [begin, end) of `text`.
absl::Status CheckSegment(const char* what, std::string_view text, size_t begin, size_t end) {
  if (begin == end) return Refused(what, text, begin, "a segment is empty");
  for (size_t i = begin; i < end; ++i) {
    if (i - begin == Path::kMaxSegmentBytes) {
      return Refused(what, text, i, absl::StrCat("a segment has more than 255 bytes"));
    }
    if (!IsSegmentByte(text[i])) {
      return Refused(what, text, i, "only A-Z a-z 0-9 . _ - may be in a segment");
    }
  }
  const std::string_view segment = text.substr(begin, end - begin);
  if (segment == "." || segment == "..") {
    return Refused(what, text, begin, absl::StrCat("\"", std::string(segment), "\" is no segment"));
  }
  return absl::OkStatus();
}

absl::Status Check(const char* what, std::string_view text, size_t min_segments) {
  size_t segments = 0;
  for (size_t begin = 0;; ++segments) {
    if (segments == Path::kMaxSegments) {
      return Refused(what, text, begin, absl::StrCat("more than ", segments, " segments"));
    }
    const size_t end = std::min(text.find('/', begin), text.size());
    if (absl::Status status = CheckSegment(what, text, begin, end); !status.ok()) return status;
    if (end > Path::kMaxBytes) {
      return Refused(what, text, Path::kMaxBytes, "more than 1023 bytes");
    }
    if (end == text.size()) break;
    begin = end + 1;
  }
  if (++segments < min_segments) {
    return Refused(what, text, text.size(),
                   "the text ends, but a name is realm/kind/key or longer");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Path> Path::Parse(std::string_view text) {
  if (absl::Status status = Check("path", text, 1); !status.ok()) return status;
  return Path(std::string(text));
}

size_t Path::size() const { return CountSegments(text_); }

bool Path::Contains(const Name& name) const {
  if (text_.empty()) return true;
  const std::string& other = name.text();
  return other.starts_with(text_) && (other.size() == text_.size() || other[text_.size()] == '/');
}

absl::StatusOr<Name> Name::Parse(std::string_view text) {
  if (absl::Status status = Check("name", text, kMinSegments); !status.ok()) return status;
  return Name(std::string(text));
}

size_t Name::size() const { return CountSegments(text_); }

std::string_view Name::Segment(size_t index) const {
  std::string_view rest = text_;
  for (; index > 0; --index) {
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
  return rest.substr(0, rest.find('/'));
}

}  // namespace grid
