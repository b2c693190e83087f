// What `gridctl patrol FILE.yaml` reads: which actors there are to be.
//
//   - kind: demo/counter             # required: the path of the kind
//     count: 3                       # required: demo/counter/0, /1 and /2
//     placement: spread              # placement.h; otherwise that of gridctl start
//     parameters: {from: 10}         # of their starts
//   - kind: demo/echo
//     count: 0                       # none: those that run are stopped
//
// Pure functions, any thread.
#ifndef GRID_TOOLS_COMMON_PATROL_FILE_H_
#define GRID_TOOLS_COMMON_PATROL_FILE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/actor/kind.h"
#include "grid/actor/placement.h"
#include "grid/directory/name.h"

namespace grid::tools {

inline constexpr size_t kMaxPatrolFileBytes = size_t{1} << 20;
inline constexpr size_t kMaxPatrols = 100;          // kinds of one file
inline constexpr size_t kMaxPatrolCount = 100'000;  // actors of one kind

struct PatrolEntry {
  Path kind;
  size_t count = 0;
  std::optional<Placement> placement = {};
  StartParameters parameters = {};
};

// Reads `text`, the content of `file`. kInvalidArgument says file, line and field.
absl::StatusOr<std::vector<PatrolEntry>> ParsePatrolFile(const std::string& file,
                                                         const std::string& text);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_PATROL_FILE_H_
