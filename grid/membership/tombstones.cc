#include "grid/membership/tombstones.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "grid/membership/directory_membership.h"
#include "grid/membership/member.h"

namespace grid::internal {

absl::StatusOr<Name> TombstoneName(const Tombstone& tombstone) {
  const absl::StatusOr<std::string> segment = SegmentOf(tombstone.first);
  if (!segment.ok()) return segment.status();
  return Name::Parse(
      absl::StrCat(std::string(kMemberPath), "/", *segment, "/down/", tombstone.second));
}

std::optional<Tombstone> TombstoneOf(const Entry& entry) {
  const std::string& text = entry.name.text();
  const auto url = entry.attributes.find(Member::kUrl);
  if (url == entry.attributes.end()) return std::nullopt;
  Tombstone tombstone(url->second, 0);
  for (const char c : text.substr(text.rfind('/') + 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    tombstone.second = tombstone.second * 10 + static_cast<uint64_t>(c - '0');
  }
  // There is one way to write it, so what is not that is none, an overflow included.
  const absl::StatusOr<Name> name = TombstoneName(tombstone);
  if (!name.ok() || *name != entry.name) return std::nullopt;
  return tombstone;
}

bool Tombstones::Put(const Tombstone& tombstone, uint64_t epoch) {
  if (epochs_.size() >= most_ && !epochs_.contains(tombstone)) return false;
  epochs_[tombstone].insert(epoch);
  return true;
}

void Tombstones::Remove(const Tombstone& tombstone, uint64_t epoch) {
  const auto found = epochs_.find(tombstone);
  if (found == epochs_.end()) return;
  found->second.erase(epoch);
  if (found->second.empty()) epochs_.erase(found);
}

}  // namespace grid::internal
