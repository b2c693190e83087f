// MembershipView: who was a member at one time. Views of one Membership are numbered, and a later
// one's number is greater; numbers of different processes have nothing to do with each other.
//
// A value that is shared and never changed; any thread.
#ifndef GRID_GRID_MEMBERSHIP_MEMBERSHIP_VIEW_H_
#define GRID_GRID_MEMBERSHIP_MEMBERSHIP_VIEW_H_

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "grid/membership/member.h"

namespace grid {

struct MembershipView {
  uint64_t number = 0;               // 0: the source has not said anything yet
  std::vector<Member> members = {};  // by name, each once

  // Null: not a member. Valid as long as the view.
  const Member* Find(std::string_view name) const {
    const auto at =
        std::lower_bound(members.begin(), members.end(), name,
                         [](const Member& member, std::string_view n) { return member.name < n; });
    return at != members.end() && at->name == name ? &*at : nullptr;
  }
};

}  // namespace grid

#endif  // GRID_GRID_MEMBERSHIP_MEMBERSHIP_VIEW_H_
