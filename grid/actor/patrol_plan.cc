#include "grid/actor/patrol_plan.h"

#include <charconv>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace grid {

PatrolPlan PlanPatrol(const Path& path, size_t desired, const std::vector<Entry>& held) {
  PatrolPlan plan;
  std::set<size_t> there;
  std::multimap<size_t, const Entry*, std::greater<>> surplus;
  for (const Entry& entry : held) {
    const std::optional<size_t> index = PatrolledIndex(path, entry.name);
    if (!index.has_value()) continue;
    if (*index < desired) {
      there.insert(*index);
    } else {
      surplus.emplace(*index, &entry);
    }
  }
  for (size_t index = 0; index < desired; ++index) {
    if (there.contains(index)) continue;
    absl::StatusOr<Name> name = PatrolledName(path, index);
    if (name.ok()) plan.start.push_back(*std::move(name));
  }
  for (const auto& [index, entry] : surplus) plan.stop.push_back(*entry);
  return plan;
}

absl::StatusOr<Name> PatrolledName(const Path& path, size_t index) {
  return Name::Parse(absl::StrCat(path.text(), "/", index));
}

std::optional<size_t> PatrolledIndex(const Path& path, const Name& name) {
  if (!path.Contains(name) || name.text().size() <= path.text().size() + 1) return std::nullopt;
  const std::string_view text = std::string_view(name.text()).substr(path.text().size() + 1);
  size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // "07" is somebody's own name.
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return index;
}

absl::StatusOr<Name> PatrolName(const Path& path) {
  std::string segment;
  for (const char c : path.text()) {
    if (c == '/') {
      segment += '.';
    } else if (c == '.') {
      segment += "_2e";
    } else if (c == '_') {
      segment += "_5f";
    } else {
      segment += c;
    }
  }
  return Name::Parse(absl::StrCat(kPatrolsPath, "/", segment));
}

}  // namespace grid
