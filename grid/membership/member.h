// Member: one process of a cluster, as others see it.
//
// A value; pure functions, any thread.
#ifndef GRID_GRID_MEMBERSHIP_MEMBER_H_
#define GRID_GRID_MEMBERSHIP_MEMBER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/directory/entry.h"

namespace grid {

// Which of them a member passes through depends on the source (README.md).
//
//   joining --> up <--> suspect --> down
//               up <--> leaving --> down, also by way of suspect
enum class MemberState {
  kJoining,  // it is there, and not yet a member for others
  kUp,
  kSuspect,  // not heard of; it may be alive
  kLeaving,  // it drains: takes on nothing new
  kDown,     // this incarnation is gone for good; a new one is welcome
};
// "joining", "up", "suspect", "leaving", "down".
std::string_view MemberStateName(MemberState state);

struct Member {
  // Attributes that have a meaning here.
  static constexpr char kUrl[] = "url";            // the member's name; can't be changed
  static constexpr char kKinds[] = "kinds";        // paths of what it hosts, separated by commas
  static constexpr char kDraining[] = "draining";  // "true": leaving
  static constexpr char kZone[] = "zone";          // those of one zone are near each other

  std::string name = {};  // in the mesh: its URL
  // The time of its start and random bits: a restart is a greater one. 0 where the source does not
  // know.
  uint64_t incarnation = 0;
  MemberState state = MemberState::kUp;
  bool client = false;  // hosts nothing; nothing is ever placed on it
  Attributes attributes = {};

  // Empty for an attribute that it does not have.
  std::string_view Attribute(std::string_view key) const;
  // A metric such as its load; nothing where there is none, or where it is no finite number.
  std::optional<double> Metric(std::string_view key) const;
  // What it hosts, as kKinds says.
  std::vector<std::string_view> Kinds() const;

  friend bool operator==(const Member&, const Member&) = default;
};

// `text` as one segment of a name: what may not stand there, and "_", is "_" and two digits of hex.
// Different texts are different segments. kInvalidArgument when it is empty or gets too long.
absl::StatusOr<std::string> SegmentOf(std::string_view text);

}  // namespace grid

#endif  // GRID_GRID_MEMBERSHIP_MEMBER_H_
