// MemberTable: the members that a source has told of, and what their silence means: a list that
// omits a member only makes it suspect; a suspect that is not heard of for `suspect` is down; what
// is down is forgotten after `forget`.
//
// A state machine without I/O: the time is an argument. Functions return whether anything has
// changed. One thread.
#ifndef GRID_GRID_MEMBERSHIP_MEMBER_TABLE_H_
#define GRID_GRID_MEMBERSHIP_MEMBER_TABLE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grid/base/clock.h"
#include "grid/membership/member.h"

namespace grid::internal {

struct MemberTableOptions {
  std::chrono::milliseconds suspect{15'000};
  std::chrono::milliseconds forget{60'000};
  size_t max_members = 10'000;
};

class MemberTable {
 public:
  explicit MemberTable(MemberTableOptions options) : options_(options) {}

  // A member was heard of. An incarnation older than the one known, or one that is down, changes
  // nothing.
  bool Put(Member member);
  // This incarnation, or an older one, is gone.
  bool Remove(std::string_view name, uint64_t incarnation, TimePoint now);
  // This incarnation, and no other, was declared down.
  bool Bury(std::string_view name, uint64_t incarnation, TimePoint now);
  // All that the source knows. Those that join are left as they are.
  bool Reset(std::vector<Member> members, TimePoint now);
  // The time has come.
  bool Tick(TimePoint now);

  // When Tick is next due; TimePoint::max(): never.
  TimePoint next() const;
  // By name.
  std::vector<Member> Members() const;
  size_t size() const { return known_.size(); }
  uint64_t suspected() const { return suspected_; }
  uint64_t limit_reached() const { return limit_reached_; }

 private:
  struct Known {
    Member member;
    TimePoint until = TimePoint::max();  // of a suspect, and of what is down
  };
  // Makes room; false when there is none.
  bool Reserve();

  const MemberTableOptions options_;
  std::map<std::string, Known, std::less<>> known_;
  uint64_t suspected_ = 0;
  uint64_t limit_reached_ = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_MEMBERSHIP_MEMBER_TABLE_H_
