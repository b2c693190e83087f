#include "grid/actor/kind.h"

#include "absl/strings/str_cat.h"

namespace grid {

absl::Status CheckStartParameters(const StartParameters& parameters) {
  if (absl::Status status = CheckAttributes(parameters); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("start parameters: ", status.message()));
  }
  return absl::OkStatus();
}

StartParameters VisibleParameters(const StartParameters& parameters) {
  StartParameters visible;
  for (const auto& [key, value] : parameters) {
    if (!key.starts_with('_')) visible.emplace(key, value);
  }
  return visible;
}

absl::Status Kind::Check() const {
  absl::Status status;
  if (path.size() < 2) {
    status = absl::InvalidArgumentError("path: must have two segments or more");
  }
  if (factory == nullptr) status.Update(absl::InvalidArgumentError("factory: must be set"));
  if (resources.size() > kMaxResources) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("resources: ", resources.size(), ", more than ", kMaxResources)));
  }
  status.Update(placement.Check());
  for (const auto& [name, selector] : resources) status.Update(selector.Check());
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("kind ", path.text(), ": ", status.message()));
}

absl::Status KindTable::Add(Kind kind) {
  if (absl::Status status = kind.Check(); !status.ok()) return status;
  std::string path = kind.path.text();
  if (Paths().size() + 1 + path.size() > kMaxAttributeValueBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("kind ", path,
                                                     ": the paths of all kinds have more than ",
                                                     kMaxAttributeValueBytes, " bytes together"));
  }
  if (kinds_.contains(path)) {
    return absl::AlreadyExistsError(absl::StrCat("kind ", path, ": there is one already"));
  }
  kinds_.emplace(std::move(path), std::move(kind));
  return absl::OkStatus();
}

const Kind* KindTable::Find(const Name& name) const {
  std::string path = name.text();
  for (size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
    path.resize(slash);
    if (const auto found = kinds_.find(path); found != kinds_.end()) return &found->second;
  }
  return nullptr;
}

const Kind* KindTable::Find(const Path& path) const {
  const auto found = kinds_.find(path.text());
  return found == kinds_.end() ? nullptr : &found->second;
}

std::string KindTable::Paths() const {
  std::string paths;
  for (const auto& [path, kind] : kinds_) absl::StrAppend(&paths, paths.empty() ? "" : ",", path);
  return paths;
}

}  // namespace grid
