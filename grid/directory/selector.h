// Selector: who is meant: names, or all that lies under a path; of those the ones with certain
// attributes, and without certain names.
//
//   Selector::Of({*name})                                     "names(shop/cart/7)"
//   Selector::Under(*path).Where("version", "1.1")            "under(shop/cart) where(version=1.1)"
//   Selector::Under(*path).Except({*name})                    "under(shop) except(shop/cart/7)"
//   Selector::Under(Path::Root())                             "under()": all names
//
// A pure value: it says nothing of how many are taken (grid/directory/routing.h) or what happens
// when that fails (call_policy.h). ToString and Parse are exact inverses: there is one text for
// each selector. Values that are no word of letters, digits and . _ - / : + stand in quotation
// marks. Any thread.
#ifndef GRID_GRID_DIRECTORY_SELECTOR_H_
#define GRID_GRID_DIRECTORY_SELECTOR_H_

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "grid/directory/name.h"

namespace grid {

class Selector {
 public:
  static constexpr size_t kMaxNames = 10'000;  // in names(), and in except()
  static constexpr size_t kMaxTextBytes = size_t{1} << 20;

  // None at all: "names()".
  Selector() = default;
  // Names in any order; those that come twice count once.
  static Selector Of(const std::vector<Name>& names);
  // `path` itself, if it is a name, and whatever lies below it.
  static Selector Under(Path path);

  // With this attribute as well; a second value for a key replaces the first.
  Selector& Where(std::string key, std::string value) &;
  Selector Where(std::string key, std::string value) &&;
  // Without these names.
  Selector& Except(const std::vector<Name>& names) &;
  Selector Except(const std::vector<Name>& names) &&;

  // Whether `name` is meant, as long as the attributes fit.
  bool MatchesName(const Name& name) const;
  bool Matches(const Entry& entry) const;

  const std::set<Name>& names() const { return names_; }
  const std::optional<Path>& under() const { return under_; }
  const Attributes& where() const { return where_; }
  const std::set<Name>& except() const { return except_; }

  // What a directory takes: kInvalidArgument for more than kMaxNames names or kMaxTextBytes of
  // text, or attributes that no entry can have.
  absl::Status Check() const;
  std::string ToString() const;
  // kInvalidArgument says at which byte, counted from 0, and includes what Check finds.
  static absl::StatusOr<Selector> Parse(std::string_view text);

  friend bool operator==(const Selector&, const Selector&) = default;

 private:
  std::set<Name> names_;       // empty with under_
  std::optional<Path> under_;  // without names_
  Attributes where_;
  std::set<Name> except_;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_SELECTOR_H_
