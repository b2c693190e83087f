// Kind: how the actors below one path come to life: who makes them, on which member, when, and who
// may ask for it.
//
//   Kind cart{.path = *Path::Parse("shop/cart"),
//             .factory = [](const StartArguments& start) { return MakeCart(start.parameters); },
//             .placement = Placement::Spread()};
//   Kind leader{.path = *Path::Parse("shop/leader"), .factory = ...,
//               .activation = Activation::Count(1)};        // a singleton: shop/leader/0
//
// KindTable: the Kinds that a process hosts. A value; any thread may read it.
#ifndef GRID_GRID_ACTOR_KIND_H_
#define GRID_GRID_ACTOR_KIND_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/placement.h"
#include "grid/directory/name.h"
#include "grid/directory/selector.h"
#include "grid/membership/membership_view.h"
#include "handlers/context.h"

namespace grid {

// By key. As many, and as large, as attributes. Those whose key begins with "_" are given to the
// factory and the filter, and appear in no listing and no log; the others stand in the directory as
// attributes kParameterPrefix + key.
using StartParameters = std::map<std::string, std::string>;
inline constexpr char kParameterPrefix[] = "start.";
// kInvalidArgument names the parameter and the limit.
absl::Status CheckStartParameters(const StartParameters& parameters);
// Without the hidden ones.
StartParameters VisibleParameters(const StartParameters& parameters);

// What an actor works with, by the name that its factory knows it by.
using Resources = std::map<std::string, Selector>;
inline constexpr size_t kMaxResources = 64;

struct StartArguments {
  Name name;
  StartParameters parameters = {};
  Resources resources = {};  // the Kind's, replaced by those of the start
  Caller caller = {};        // the process that asked; our own has no address
};

// When a Kind's actors come to life.
class Activation {
 public:
  // How many there are to be. On the thread of whoever patrols; an exception is logged, and what
  // there was before stays.
  using CountFunction = std::function<size_t(const MembershipView&)>;

  Activation() = default;  // Explicit
  // Each by a start of its own.
  static Activation Explicit() { return Activation(); }
  // `count` of them are to be kept running, named <path>/0, /1, ... By a Patrol that the program
  // makes with count() (patrol.h).
  static Activation Count(size_t count) {
    return Count([count](const MembershipView&) { return count; });
  }
  static Activation Count(CountFunction count) {
    Activation activation;
    activation.count_ = std::move(count);
    return activation;
  }

  // Null: explicit.
  const CountFunction& count() const { return count_; }

 private:
  CountFunction count_;
};

struct Kind {
  // Never null; an exception is an error of the start.
  using Factory = std::function<absl::StatusOr<std::unique_ptr<Actor>>(const StartArguments&)>;
  // An error refuses the start: kPermissionDenied or kFailedPrecondition, rejected; any other code
  // is taken for the latter. An exception refuses it as well.
  using AdmissionFilter = std::function<absl::Status(const StartArguments&)>;

  // Names below it are of this kind; two segments or more.
  Path path;
  // Also called when the actor restarts, perhaps on several threads at once.
  Factory factory;
  Placement placement = Placement::Spread();
  Activation activation = {};
  ActorOptions options = {};
  Resources resources = {};
  AdmissionFilter admit = {};  // null: everybody may

  // kInvalidArgument names the field.
  absl::Status Check() const;
};

class KindTable {
 public:
  // kInvalidArgument as Check says; kAlreadyExists for a path that has a Kind; kResourceExhausted
  // when the paths together get longer than an attribute may be.
  absl::Status Add(Kind kind);

  // The one whose path is the longest that `name` lies below, by whole segments. Null: none. Valid
  // as long as the table.
  const Kind* Find(const Name& name) const;
  const Kind* Find(const Path& path) const;
  // By path.
  const std::map<std::string, Kind>& kinds() const { return kinds_; }
  // For Member::kKinds.
  std::string Paths() const;

 private:
  std::map<std::string, Kind> kinds_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_KIND_H_
