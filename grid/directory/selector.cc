#include "grid/directory/selector.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/directory/attributes_text.h"
#include "grid/directory/text_cursor.h"

namespace grid {
namespace {

using internal::AttributesText;
using internal::ReadAttributes;
using internal::TextCursor;

std::string NameList(const std::set<Name>& names) {
  std::string text;
  for (const Name& name : names) absl::StrAppend(&text, text.empty() ? "" : ", ", name.text());
  return text;
}

// A value of the library's own, with the position of what is wrong in it made one of `cursor`'s.
template <typename T>
absl::StatusOr<T> Next(TextCursor& cursor) {
  const size_t begin = cursor.position();
  absl::StatusOr<T> value = T::Parse(cursor.Word());
  if (!value.ok()) return cursor.RefuseAt(begin, std::string(value.status().message()));
  return value;
}

// "a/b/c, a/b/d)": sorted, each once.
absl::Status ReadNames(TextCursor& cursor, std::set<Name>& names) {
  if (cursor.Skip(")")) return absl::OkStatus();
  for (;;) {
    const size_t begin = cursor.position();
    absl::StatusOr<Name> name = Next<Name>(cursor);
    if (!name.ok()) return name.status();
    if (!names.empty() && *name <= *names.rbegin()) {
      return cursor.RefuseAt(begin, "names are sorted, and each comes once");
    }
    names.insert(names.end(), *std::move(name));
    if (cursor.Skip(")")) return absl::OkStatus();
    if (absl::Status status = cursor.Expect(", "); !status.ok()) return status;
  }
}

absl::Status CheckCount(const char* which, const std::set<Name>& names) {
  if (names.size() <= Selector::kMaxNames) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("selector: ", which, ": ", names.size(),
                                                 " names, more than ", Selector::kMaxNames));
}

}  // namespace

Selector Selector::Of(const std::vector<Name>& names) {
  Selector selector;
  selector.names_.insert(names.begin(), names.end());
  return selector;
}

Selector Selector::Under(Path path) {
  Selector selector;
  selector.under_ = std::move(path);
  return selector;
}

Selector& Selector::Where(std::string key, std::string value) & {
  where_.insert_or_assign(std::move(key), std::move(value));
  return *this;
}
Selector Selector::Where(std::string key, std::string value) && {
  return std::move(Where(std::move(key), std::move(value)));
}

Selector& Selector::Except(const std::vector<Name>& names) & {
  except_.insert(names.begin(), names.end());
  return *this;
}
Selector Selector::Except(const std::vector<Name>& names) && { return std::move(Except(names)); }

bool Selector::MatchesName(const Name& name) const {
  if (except_.contains(name)) return false;
  return under_.has_value() ? under_->Contains(name) : names_.contains(name);
}

bool Selector::Matches(const Entry& entry) const {
  for (const auto& [key, value] : where_) {
    const auto found = entry.attributes.find(key);
    if (found == entry.attributes.end() || found->second != value) return false;
  }
  return MatchesName(entry.name);
}

absl::Status Selector::Check() const {
  absl::Status status = CheckCount("names", names_);
  if (status.ok()) status = CheckCount("except", except_);
  if (status.ok()) status = CheckAttributes(where_);
  if (!status.ok()) return status;
  const size_t bytes = ToString().size();
  if (bytes <= kMaxTextBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("selector: ", bytes, " bytes of text, more than ", kMaxTextBytes));
}

std::string Selector::ToString() const {
  std::string text = under_.has_value() ? absl::StrCat("under(", under_->text(), ")")
                                        : absl::StrCat("names(", NameList(names_), ")");
  if (!where_.empty()) absl::StrAppend(&text, " where(", AttributesText(where_), ")");
  if (!except_.empty()) absl::StrAppend(&text, " except(", NameList(except_), ")");
  return text;
}

absl::StatusOr<Selector> Selector::Parse(std::string_view text) {
  TextCursor cursor("selector", text);
  Selector selector;
  if (text.size() > kMaxTextBytes) {
    return cursor.RefuseAt(kMaxTextBytes, absl::StrCat("more than ", kMaxTextBytes, " bytes"));
  }
  absl::Status status;
  if (cursor.Skip("under()")) {
    selector.under_ = Path::Root();
  } else if (cursor.Skip("under(")) {
    absl::StatusOr<Path> path = Next<Path>(cursor);
    if (!path.ok()) return path.status();
    selector.under_ = *std::move(path);
    status = cursor.Expect(")");
  } else if (cursor.Skip("names(")) {
    status = ReadNames(cursor, selector.names_);
  } else {
    status = cursor.Refuse("expected \"names(\" or \"under(\"");
  }
  if (status.ok() && cursor.Skip(" where(")) {
    absl::StatusOr<Attributes> where = ReadAttributes(cursor);
    status = where.status();
    if (where.ok()) selector.where_ = *std::move(where);
  }
  if (status.ok() && cursor.Skip(" except(")) {
    if (cursor.Skip(")")) {
      status = cursor.Refuse("except() without a name is left out");
    } else {
      status = ReadNames(cursor, selector.except_);
    }
  }
  if (status.ok() && !cursor.done()) status = cursor.Refuse("nothing follows here");
  if (status.ok()) status = selector.Check();
  if (!status.ok()) return status;
  return selector;
}

}  // namespace grid
