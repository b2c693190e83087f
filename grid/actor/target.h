// Target: one holder of a name, as the directory has it: whom a message is for.
#ifndef GRID_GRID_ACTOR_TARGET_H_
#define GRID_GRID_ACTOR_TARGET_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "grid/directory/name.h"

namespace grid {

struct Target {
  Name name;
  std::string member;  // where it is: a name in the mesh
  uint64_t epoch = 0;  // of the registration: the next holder of the name is another target

  // "shop/cart/7 at http://node1": what errors call it.
  std::string ToString() const;

  // clang-tidy 14 takes what <=> is compared with for a pointer.
  friend auto operator<=>(const Target&, const Target&) = default;  // NOLINT(modernize-use-nullptr)
};

// What a member answers for a target that it does not have: kNotFound, kRejected. `view` is the
// greatest epoch that it has held anything with: from it on the caller's view may be the newer one.
absl::Status NoSuchTargetError(std::string_view name, uint64_t epoch, uint64_t view);
// Whether it is that, so that the sender's view of the directory is out of date.
bool IsNoSuchTarget(const absl::Status& status);

}  // namespace grid

#endif  // GRID_GRID_ACTOR_TARGET_H_
