#include "grid/directory/attributes_text.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

std::string AttributesText(const Attributes& attributes) {
  std::string text;
  for (const auto& [key, value] : attributes) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", Quoted(key), "=", Quoted(value));
  }
  return text;
}

absl::StatusOr<Attributes> ReadAttributes(TextCursor& cursor) {
  Attributes attributes;
  for (;;) {
    const size_t begin = cursor.position();
    absl::StatusOr<std::string> key = cursor.Value();
    if (!key.ok()) return key.status();
    if (!attributes.empty() && *key <= attributes.rbegin()->first) {
      return cursor.RefuseAt(begin, "attributes are sorted, and each comes once");
    }
    if (absl::Status status = cursor.Expect("="); !status.ok()) return status;
    absl::StatusOr<std::string> value = cursor.Value();
    if (!value.ok()) return value.status();
    attributes.emplace(*std::move(key), *std::move(value));
    if (cursor.Skip(")")) return attributes;
    if (absl::Status status = cursor.Expect(", "); !status.ok()) return status;
  }
}

}  // namespace grid::internal
