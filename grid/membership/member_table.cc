#include "grid/membership/member_table.h"

#include <algorithm>
#include <set>
#include <utility>

namespace grid::internal {

bool MemberTable::Reserve() {
  if (known_.size() < options_.max_members) return true;
  // What is down is only kept to be told of.
  const auto down = std::find_if(known_.begin(), known_.end(), [](const auto& entry) {
    return entry.second.member.state == MemberState::kDown;
  });
  if (down == known_.end()) {
    ++limit_reached_;
    return false;
  }
  known_.erase(down);
  return true;
}

bool MemberTable::Put(Member member) {
  const auto found = known_.find(member.name);
  if (found == known_.end()) {
    if (!Reserve()) return false;
    std::string name = member.name;
    known_.emplace(std::move(name), Known{.member = std::move(member)});
    return true;
  }
  Known& known = found->second;
  if (member.incarnation < known.member.incarnation) return false;
  if (member.incarnation == known.member.incarnation) {
    if (known.member.state == MemberState::kDown || member == known.member) return false;
  }
  known = Known{.member = std::move(member)};
  return true;
}

bool MemberTable::Remove(std::string_view name, uint64_t incarnation, TimePoint now) {
  const auto found = known_.find(name);
  if (found == known_.end()) return false;
  Known& known = found->second;
  if (incarnation < known.member.incarnation || known.member.state == MemberState::kDown) {
    return false;
  }
  known.member.state = MemberState::kDown;
  known.until = now + options_.forget;
  return true;
}

bool MemberTable::Bury(std::string_view name, uint64_t incarnation, TimePoint now) {
  const auto found = known_.find(name);
  if (found == known_.end() || found->second.member.incarnation != incarnation) return false;
  return Remove(name, incarnation, now);
}

bool MemberTable::Reset(std::vector<Member> members, TimePoint now) {
  bool changed = false;
  std::set<std::string> named;
  for (Member& member : members) {
    named.insert(member.name);
    changed |= Put(std::move(member));
  }
  for (auto& [name, known] : known_) {
    const MemberState state = known.member.state;
    if (named.contains(name) || (state != MemberState::kUp && state != MemberState::kLeaving)) {
      continue;
    }
    known.member.state = MemberState::kSuspect;
    known.until = now + options_.suspect;
    ++suspected_;
    changed = true;
  }
  return changed;
}

bool MemberTable::Tick(TimePoint now) {
  bool changed = false;
  for (auto at = known_.begin(); at != known_.end();) {
    Known& known = at->second;
    if (known.until > now) {
      ++at;
      continue;
    }
    changed = true;
    if (known.member.state == MemberState::kDown) {
      at = known_.erase(at);
      continue;
    }
    known.member.state = MemberState::kDown;
    known.until = now + options_.forget;
    ++at;
  }
  return changed;
}

TimePoint MemberTable::next() const {
  TimePoint next = TimePoint::max();
  for (const auto& [name, known] : known_) next = std::min(next, known.until);
  return next;
}

std::vector<Member> MemberTable::Members() const {
  std::vector<Member> members;
  members.reserve(known_.size());
  for (const auto& [name, known] : known_) members.push_back(known.member);
  return members;
}

}  // namespace grid::internal
