// Entry: one registration, as everybody sees it: who holds which name, since when, with which
// attributes.
//
// Values; any thread.
#ifndef GRID_GRID_DIRECTORY_ENTRY_H_
#define GRID_GRID_DIRECTORY_ENTRY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "grid/directory/name.h"

namespace grid {

enum class Holding {
  kExclusive,  // nobody else holds the name
  kShared,     // any number of holders, also several of one member
};
// "exclusive", "shared".
std::string_view HoldingName(Holding holding);

// Free facts about a registration: owner, load, version, draining. At most 64; keys of 1 to 255
// bytes, values of up to 4096, 16 KiB together.
using Attributes = std::map<std::string, std::string>;
inline constexpr size_t kMaxAttributes = 64;
inline constexpr size_t kMaxAttributeKeyBytes = 255;
inline constexpr size_t kMaxAttributeValueBytes = 4096;
inline constexpr size_t kMaxAttributesBytes = 16 << 10;
// kInvalidArgument names the attribute and the limit.
absl::Status CheckAttributes(const Attributes& attributes);

struct Entry {
  Name name;
  Holding holding = Holding::kExclusive;
  // The fencing token: of two registrations of a name the later one has the greater epoch. No two
  // registrations of a directory have the same.
  uint64_t epoch = 0;
  std::string member = {};   // who holds it: its name in the mesh
  uint64_t incarnation = 0;  // of that member: a restart, or a lapsed lease, is a new one
  Attributes attributes = {};

  friend bool operator==(const Entry&, const Entry&) = default;
};

// kAlreadyExists, with the holder, of whom the text tells: "shop/cart/7 is held by http://...".
absl::Status AlreadyHeldError(const Entry& holder);
// The holder that such a status carries; nothing for any other.
struct HolderInfo {
  std::string member;
  uint64_t incarnation = 0;
  uint64_t epoch = 0;
  Holding holding = Holding::kExclusive;
};
std::optional<HolderInfo> HolderOf(const absl::Status& status);

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_ENTRY_H_
