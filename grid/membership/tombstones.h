// Tombstones: incarnations of members that somebody has declared down, as the directory has them:
// shared registrations of sys/member/<its URL as a segment>/down/<incarnation>, with the URL. One
// stands as long as anybody who has put it up holds it.
//
// It is an incarnation that is declared down, and never an address: the next one is welcome.
//
// Pure; one thread.
#ifndef GRID_GRID_MEMBERSHIP_TOMBSTONES_H_
#define GRID_GRID_MEMBERSHIP_TOMBSTONES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "grid/directory/name.h"

namespace grid::internal {

// A member's name, and the incarnation that is down.
using Tombstone = std::pair<std::string, uint64_t>;

// What it is registered as. kInvalidArgument when the member's name is no segment.
absl::StatusOr<Name> TombstoneName(const Tombstone& tombstone);
// Nothing when the entry is none, or says of another member than its name does.
std::optional<Tombstone> TombstoneOf(const Entry& entry);

class Tombstones {
 public:
  explicit Tombstones(size_t most) : most_(most) {}

  // One more was put up. False, and it is left out, when there are `most`.
  bool Put(const Tombstone& tombstone, uint64_t epoch);
  void Remove(const Tombstone& tombstone, uint64_t epoch);
  void Clear() { epochs_.clear(); }

  bool contains(const Tombstone& tombstone) const { return epochs_.contains(tombstone); }
  size_t size() const { return epochs_.size(); }
  // By member and incarnation, with the epochs of those who have put it up.
  const std::map<Tombstone, std::set<uint64_t>>& all() const { return epochs_; }

 private:
  const size_t most_;
  std::map<Tombstone, std::set<uint64_t>> epochs_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_MEMBERSHIP_TOMBSTONES_H_
