// TextCursor: reads the text forms of the naming values, piece by piece. A failure says at which
// byte, counted from 0.
//
//   TextCursor cursor("selector", text);
//   if (cursor.Skip("under(")) { ... cursor.Word(); ... }
//   else return cursor.Refuse("expected under(");
//
// Internal to grid/directory. One thread; the text must outlive it.
#ifndef GRID_GRID_DIRECTORY_TEXT_CURSOR_H_
#define GRID_GRID_DIRECTORY_TEXT_CURSOR_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grid::internal {

class TextCursor {
 public:
  // `what` names the value in errors.
  TextCursor(const char* what, std::string_view text) : what_(what), text_(text) {}

  bool done() const { return at_ == text_.size(); }
  size_t position() const { return at_; }

  // Steps over `piece` if it comes next.
  bool Skip(std::string_view piece);
  // The same; an error when it doesn't.
  absl::Status Expect(std::string_view piece);

  // The letters, digits and . _ - / : + that come next; may be empty.
  std::string_view Word();
  // A Word that is not empty, or what stands in quotation marks: printable ASCII, and \" \\ \xHH
  // for what is not, in lower case. The exact inverse of Quoted(): a text that Quoted would write
  // otherwise is refused.
  absl::StatusOr<std::string> Value();
  // A decimal number without leading zeros, at most `max`.
  absl::StatusOr<uint64_t> Number(uint64_t max);
  // "250ms", "60s": as DurationText writes it.
  absl::StatusOr<std::chrono::milliseconds> Millis();

  absl::Status Refuse(const std::string& why) const { return RefuseAt(at_, why); }
  absl::Status RefuseAt(size_t position, const std::string& why) const;

 private:
  const char* const what_;
  const std::string_view text_;
  size_t at_ = 0;
};

// `value` as it stands if it is a Word, otherwise in quotation marks.
std::string Quoted(std::string_view value);
// In seconds if that is exact, otherwise in milliseconds.
std::string DurationText(std::chrono::milliseconds duration);

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_TEXT_CURSOR_H_
