#include "tools/common/patrol_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/patrol_plan.h"

namespace grid::tools {
namespace {

// Reads one file; the first error ends it.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  absl::StatusOr<std::vector<PatrolEntry>> ReadAll(const YAML::Node& root) {
    std::vector<PatrolEntry> entries;
    if (!root.IsSequence()) return Wrong(root, "", "not a list of kinds");
    std::set<Path> kinds;
    for (const YAML::Node& node : root) {
      if (entries.size() == kMaxPatrols) {
        return Wrong(node, "", absl::StrCat("more than ", kMaxPatrols, " kinds"));
      }
      absl::StatusOr<PatrolEntry> entry = ReadEntry(node);
      if (!entry.ok()) return entry.status();
      if (!kinds.insert(entry->kind).second) {
        return Wrong(node, "kind", absl::StrCat(entry->kind.text(), " is there twice"));
      }
      entries.push_back(*std::move(entry));
    }
    return entries;
  }

 private:
  absl::Status Wrong(const YAML::Node& node, const std::string& field,
                     absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, ":", std::max(node.Mark().line, 0) + 1,
                                                   ": ", field, field.empty() ? "" : ": ", why));
  }

  absl::StatusOr<PatrolEntry> ReadEntry(const YAML::Node& node) {
    if (!node.IsMap()) return Wrong(node, "", "not a map with kind and count");
    std::optional<Path> kind;
    std::optional<size_t> count;
    std::optional<Placement> placement;
    StartParameters parameters;
    for (const auto& item : node) {
      const YAML::Node& value = item.second;
      const std::string field = item.first.IsScalar() ? item.first.Scalar() : "";
      absl::Status status;
      if (field == "kind") {
        status = ReadKind(item.first, value, &kind);
      } else if (field == "count") {
        status = ReadCount(item.first, value, &count);
      } else if (field == "placement") {
        status = ReadPlacement(item.first, value, &placement);
      } else if (field == "parameters") {
        status = ReadParameters(item.first, value, &parameters);
      } else {
        status =
            Wrong(item.first, field, "unknown; there are kind, count, placement and parameters");
      }
      if (!status.ok()) return status;
    }
    if (!kind.has_value()) return Wrong(node, "kind", "missing");
    if (!count.has_value()) return Wrong(node, "count", "missing");
    if (*count > 0) {
      const absl::Status named = PatrolledName(*kind, *count - 1).status();
      if (!named.ok()) return Wrong(node, "kind", named.message());
    }
    return PatrolEntry{.kind = *std::move(kind),
                       .count = *count,
                       .placement = std::move(placement),
                       .parameters = std::move(parameters)};
  }

  // An error is at the key: a value that is missing has no place.
  absl::Status ReadKind(const YAML::Node& key, const YAML::Node& node, std::optional<Path>* kind) {
    if (!node.IsScalar()) return Wrong(key, "kind", "not the path of a kind");
    absl::StatusOr<Path> path = Path::Parse(node.Scalar());
    if (!path.ok()) return Wrong(key, "kind", path.status().message());
    if (path->size() < 2) return Wrong(key, "kind", "a path of two segments or more");
    *kind = *std::move(path);
    return absl::OkStatus();
  }

  absl::Status ReadCount(const YAML::Node& key, const YAML::Node& node,
                         std::optional<size_t>* count) {
    uint64_t number = 0;
    if (!node.IsScalar() || !absl::SimpleAtoi(node.Scalar(), &number) || number > kMaxPatrolCount) {
      return Wrong(key, "count", absl::StrCat("not a number from 0 to ", kMaxPatrolCount));
    }
    *count = number;
    return absl::OkStatus();
  }

  absl::Status ReadPlacement(const YAML::Node& key, const YAML::Node& node,
                             std::optional<Placement>* placement) {
    if (!node.IsScalar()) return Wrong(key, "placement", "not a text");
    absl::StatusOr<Placement> parsed = Placement::Parse(node.Scalar());
    if (!parsed.ok()) return Wrong(key, "placement", parsed.status().message());
    *placement = *std::move(parsed);
    return absl::OkStatus();
  }

  absl::Status ReadParameters(const YAML::Node& key, const YAML::Node& node,
                              StartParameters* parameters) {
    if (!node.IsMap()) return Wrong(key, "parameters", "not a map");
    for (const auto& item : node) {
      if (!item.first.IsScalar() || !item.second.IsScalar()) {
        return Wrong(item.first, "parameters", "not a map of texts to texts");
      }
      parameters->insert_or_assign(item.first.Scalar(), item.second.Scalar());
    }
    const absl::Status status = CheckStartParameters(*parameters);
    return status.ok() ? status : Wrong(key, "parameters", status.message());
  }

  const std::string& file_;
};

}  // namespace

absl::StatusOr<std::vector<PatrolEntry>> ParsePatrolFile(const std::string& file,
                                                         const std::string& text) {
  try {
    return Reader(file).ReadAll(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ":", error.mark.line + 1, ": ", error.msg));
  }
}

}  // namespace grid::tools
