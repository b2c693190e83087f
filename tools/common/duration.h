// Durations as command lines write them: "500ms", "2s", "1m", "250us". Pure functions, any thread.
#ifndef GRID_TOOLS_COMMON_DURATION_H_
#define GRID_TOOLS_COMMON_DURATION_H_

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grid::tools {

// A decimal number with an optional fraction and a unit: ns, us, ms, s, m or h. kInvalidArgument
// names what is wrong; negative and larger than 1000 hours are refused.
absl::StatusOr<std::chrono::nanoseconds> ParseDuration(std::string_view whole);

// The shortest of these forms that is exact: "1500ms", "2s", "1m".
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_DURATION_H_
