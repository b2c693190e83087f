// CheckOptions: whether a Manager can work with what it was given.
#ifndef GRID_GRID_INTERNAL_CHECK_OPTIONS_H_
#define GRID_GRID_INTERNAL_CHECK_OPTIONS_H_

#include "absl/status/status.h"
#include "grid/options.h"

namespace grid::internal {

// kInvalidArgument names the field that is out of its range, and the range. Files and dictionaries
// are not looked into. Pure; any thread.
absl::Status CheckOptions(const ManagerOptions& options);

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_CHECK_OPTIONS_H_
