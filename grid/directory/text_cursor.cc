#include "grid/directory/text_cursor.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace grid::internal {
namespace {

// How much of a refused text is shown, before and behind the place.
constexpr size_t kShownBytes = 40;
constexpr std::string_view kHex = "0123456789abcdef";

bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("._-/:+").find(c) != std::string_view::npos;
}

}  // namespace

bool TextCursor::Skip(std::string_view piece) {
  if (!text_.substr(at_).starts_with(piece)) return false;
  at_ += piece.size();
  return true;
}

absl::Status TextCursor::Expect(std::string_view piece) {
  if (Skip(piece)) return absl::OkStatus();
  return Refuse(absl::StrCat("expected \"", std::string(piece), "\""));
}

std::string_view TextCursor::Word() {
  const size_t begin = at_;
  while (!done() && IsWordByte(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

absl::StatusOr<std::string> TextCursor::Value() {
  const size_t begin = at_;
  if (!Skip("\"")) {
    const std::string_view word = Word();
    if (word.empty()) return Refuse("expected a value");
    return std::string(word);
  }
  std::string value;
  while (!Skip("\"")) {
    if (done()) return RefuseAt(begin, "the quotation mark is never closed");
    char c = text_[at_];
    if (c == '\\') {
      const std::string_view escape = text_.substr(at_ + 1, 3);
      if (escape.starts_with('"') || escape.starts_with('\\')) {
        c = escape[0];
        ++at_;
      } else {
        const size_t high = escape.size() == 3 ? kHex.find(escape[1]) : kHex.npos;
        const size_t low = escape.size() == 3 ? kHex.find(escape[2]) : kHex.npos;
        if (high == kHex.npos || low == kHex.npos || escape[0] != 'x') {
          return Refuse("expected \\\", \\\\ or \\x and two digits of 0-9 a-f");
        }
        c = static_cast<char>(high * 16 + low);
        at_ += 3;
      }
    }
    value.push_back(c);
    ++at_;
  }
  if (Quoted(value) != text_.substr(begin, at_ - begin)) {
    return RefuseAt(begin, absl::StrCat("this is written ", Quoted(value)));
  }
  return value;
}

absl::StatusOr<uint64_t> TextCursor::Number(uint64_t max) {
  uint64_t number = 0;
  const char* const begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
  if (end == begin || error != std::errc() || number > max || (*begin == '0' && end - begin > 1)) {
    return Refuse(absl::StrCat("expected a number of at most ", max, " without leading zeros"));
  }
  at_ += static_cast<size_t>(end - begin);
  return number;
}

absl::StatusOr<std::chrono::milliseconds> TextCursor::Millis() {
  constexpr uint64_t kMost = UINT32_MAX;  // ms: 49 days
  const size_t begin = at_;
  const absl::StatusOr<uint64_t> number = Number(kMost);
  if (!number.ok()) return number.status();
  const uint64_t unit = Skip("ms") ? 1 : Skip("s") ? 1000 : 0;
  if (unit == 0) return Refuse("expected ms or s");
  if (*number * unit > kMost) return RefuseAt(begin, "more than 49 days");
  const std::chrono::milliseconds duration(*number * unit);
  if (DurationText(duration) != text_.substr(begin, at_ - begin)) {
    return RefuseAt(begin, absl::StrCat("this is written ", DurationText(duration)));
  }
  return duration;
}

absl::Status TextCursor::RefuseAt(size_t position, const std::string& why) const {
  const size_t begin = position > kShownBytes ? position - kShownBytes : 0;
  const size_t end = std::min(text_.size(), position + kShownBytes);
  return absl::InvalidArgumentError(absl::StrCat(
      what_, " \"", begin > 0 ? "..." : "", absl::CHexEscape({text_.data() + begin, end - begin}),
      end < text_.size() ? "..." : "", "\": at byte ", position, ": ", why));
}

std::string Quoted(std::string_view value) {
  if (!value.empty() && std::all_of(value.begin(), value.end(), IsWordByte)) {
    return std::string(value);
  }
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (absl::ascii_isprint(byte)) {
      text += c;
    } else {
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return text + '"';
}

std::string DurationText(std::chrono::milliseconds duration) {
  const int64_t ms = duration.count();
  return ms % 1000 == 0 && ms != 0 ? absl::StrCat(ms / 1000, "s") : absl::StrCat(ms, "ms");
}

}  // namespace grid::internal
