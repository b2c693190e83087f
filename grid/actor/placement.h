// Placement: on which member an actor comes to life.
//
//   Placement::Random()          "random"
//   Placement::RoundRobin()      "round-robin"        the members in turn, for each who starts
//   Placement::Least("load")     "least(load)"        with the smallest metric, an attribute
//   Placement::Spread()          "spread"             with the fewest actors of the kind
//   Placement::On("http://a:1")  "on(http://a:1)"     that one and no other
//   Placement::NearCaller()      "near-caller"        the caller's own, then one of its zone
//   Placement::Hash()            "hash"               for a name always the same, rendezvous.h
//
//   Placement::Spread().With("disk", "ssd")           "spread with(disk=ssd)": only of those
//   Placement::Random().With("disk", "ssd")           "with(disk=ssd)"
//   Placement::Spread().Isolated()                    "isolated(spread)": in a process of its own
//
// A pure value; ToString and Parse are exact inverses: there is one text for each placement. Place
// is a pure function. Any thread.
#ifndef GRID_GRID_ACTOR_PLACEMENT_H_
#define GRID_GRID_ACTOR_PLACEMENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "grid/directory/name.h"
#include "grid/membership/membership_view.h"

namespace grid {

class Placement {
 public:
  enum class Mode { kRandom, kRoundRobin, kLeast, kSpread, kOn, kNearCaller, kHash };
  static constexpr size_t kMaxArgumentBytes = 4096;

  Placement() = default;  // Random
  static Placement Random() { return Placement(Mode::kRandom); }
  static Placement RoundRobin() { return Placement(Mode::kRoundRobin); }
  static Placement Least(std::string metric) { return Placement(Mode::kLeast, std::move(metric)); }
  static Placement Spread() { return Placement(Mode::kSpread); }
  static Placement On(std::string member) { return Placement(Mode::kOn, std::move(member)); }
  static Placement NearCaller() { return Placement(Mode::kNearCaller); }
  static Placement Hash() { return Placement(Mode::kHash); }

  // Only members with this attribute as well; a second value for a key replaces the first.
  Placement With(std::string key, std::string value) &&;
  // In a process of its own on that member.
  Placement Isolated() &&;

  Mode mode() const { return mode_; }
  // The metric of kLeast, the member of kOn; otherwise empty.
  const std::string& argument() const { return argument_; }
  const Attributes& with() const { return with_; }
  bool isolated() const { return isolated_; }

  // kInvalidArgument for an argument that is empty or has more than kMaxArgumentBytes, and for
  // attributes that no member can have.
  absl::Status Check() const;
  std::string ToString() const;
  // kInvalidArgument says at which byte, counted from 0, and includes what Check finds.
  static absl::StatusOr<Placement> Parse(std::string_view text);

  friend bool operator==(const Placement&, const Placement&) = default;

 private:
  explicit Placement(Mode mode, std::string argument = {})
      : mode_(mode), argument_(std::move(argument)) {}

  Mode mode_ = Mode::kRandom;
  std::string argument_;
  Attributes with_;
  bool isolated_ = false;
};

// What a member is picked for.
struct PlacementQuery {
  const Name& name;
  std::string_view caller = {};                   // the member that asked; empty: none
  std::map<std::string, size_t> running = {};     // actors of the kind, by member
  std::set<std::string, std::less<>> tried = {};  // members that are not to be had
  uint64_t turn = 0;                              // of round-robin: one more each time
  uint64_t random = 0;
};

// The member for query.name: one that is up, no client, does not drain, and hosts a kind that the
// name belongs to (Member::kKinds). Where several are as good, kSpread and kLeast take the one with
// the fewest actors, then the one that the name hashes to. kUnavailable, not sent, says who was
// considered and why not.
absl::StatusOr<std::string> Place(const Placement& placement, const MembershipView& view,
                                  const PlacementQuery& query);

// The longest path among `member`'s kinds that `name` lies below; empty when it hosts none.
std::string_view HostedKind(const Member& member, const Name& name);

}  // namespace grid

#endif  // GRID_GRID_ACTOR_PLACEMENT_H_
