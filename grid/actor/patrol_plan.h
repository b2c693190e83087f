// PlanPatrol: what has to be started and stopped so that as many actors of a kind run as there are
// to be. Those are named <path>/0 to <path>/<n-1>; whatever else lies under the path is nobody's
// business here.
//
// Pure functions, any thread.
#ifndef GRID_GRID_ACTOR_PATROL_PLAN_H_
#define GRID_GRID_ACTOR_PATROL_PLAN_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "grid/directory/name.h"

namespace grid {

struct PatrolPlan {
  std::vector<Name> start = {};  // those that nobody holds, the smallest number first
  std::vector<Entry> stop = {};  // those that are too many, the greatest number first
};
// `held`: what is registered under `path`, in any order.
PatrolPlan PlanPatrol(const Path& path, size_t desired, const std::vector<Entry>& held);

// <path>/<index>. kInvalidArgument when that is too long for a name.
absl::StatusOr<Name> PatrolledName(const Path& path, size_t index);
// Its index; nothing for a name that is none of these.
std::optional<size_t> PatrolledIndex(const Path& path, const Name& name);

// sys/patrol/<realm>.<kind>: who holds it patrols the kind. A "." or "_" in a segment is "_" and
// two digits of hex, so that different paths are different names. kInvalidArgument for one too
// long.
absl::StatusOr<Name> PatrolName(const Path& path);

}  // namespace grid

#endif  // GRID_GRID_ACTOR_PATROL_PLAN_H_
