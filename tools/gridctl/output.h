// How gridctl shows payloads.
#ifndef GRID_TOOLS_GRIDCTL_OUTPUT_H_
#define GRID_TOOLS_GRIDCTL_OUTPUT_H_

#include <boost/json/object.hpp>

#include "absl/status/status.h"
#include "serialization/bytes.h"

namespace grid::tools {

// {"nil", "size", "payload_hex", and "text" where the bytes are UTF-8}.
boost::json::object PayloadToJson(BytesView payload);

// {"error", "code", "delivery", "remote"}.
boost::json::object ErrorToJson(const absl::Status& status);

// Writes to standard output; false when that failed (nobody reads it any more).
bool Print(BytesView bytes);
// One line of JSON.
bool PrintJson(const boost::json::object& object);

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_OUTPUT_H_
