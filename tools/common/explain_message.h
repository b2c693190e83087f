// Explains a grid message: what `gridctl decode` prints.
//
//   absl::StatusOr<boost::json::object> explained = ExplainMessage(bytes);
//   std::cout << FormatExplanation(*explained);
//
// Pure functions, any thread.
#ifndef GRID_TOOLS_COMMON_EXPLAIN_MESSAGE_H_
#define GRID_TOOLS_COMMON_EXPLAIN_MESSAGE_H_

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "serialization/bytes.h"

namespace grid::tools {

// Bytes from hexadecimal digits; white space between them, and one "0x" in front, are let through.
// kInvalidArgument says where it is wrong.
absl::StatusOr<std::string> ParseHex(std::string_view text);

// Every field of one message, in the order of the wire: "size", "mux_id", "seq", "deadline_ms",
// "handler", "op", "op_name", "flags", "flag_names", "payload" (size, hex, text where printable;
// the decoded fields of connection-level payloads), then where present "ignored", "subroute", "crc"
// (given, computed, ok), and "messages", the inner ones of a Merged. A checksum that does not match
// is explained ("ok": false), not an error. kInvalidArgument names the field that is malformed,
// with the inner message it is in.
absl::StatusOr<boost::json::object> ExplainMessage(BytesView bytes);

// True when a checksum in it, or in one of its inner messages, does not match.
bool HasBadChecksum(const boost::json::object& explained);

// The same as lines of text, two more blanks of indent for each level.
std::string FormatExplanation(const boost::json::object& explained);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_EXPLAIN_MESSAGE_H_
