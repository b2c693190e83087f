#include "grid/directory/routing.h"

#include "absl/strings/str_cat.h"
#include "grid/directory/text_cursor.h"

namespace grid {
namespace {

using internal::TextCursor;

// The modes without a parameter.
struct Plain {
  Routing::Mode mode;
  const char* text;
};
constexpr Plain kPlain[] = {
    {Routing::Mode::kLocalFirst, "one(local-first)"},
    {Routing::Mode::kRandom, "one(random)"},
    {Routing::Mode::kRoundRobin, "one(round-robin)"},
    {Routing::Mode::kLeastOutstanding, "one(least-outstanding)"},
    {Routing::Mode::kAll, "all"},
    {Routing::Mode::kOnePerNextSegment, "one-per-next-segment"},
};

}  // namespace

absl::Status Routing::Check() const {
  if (key_.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("routing: the key of hash has ", key_.size(),
                                                   " bytes, more than ", kMaxKeyBytes));
  }
  if (mode_ == Mode::kFirst && (count_ < 1 || count_ > kMaxCount)) {
    return absl::InvalidArgumentError(
        absl::StrCat("routing: first(", count_, "): must be 1 to ", kMaxCount));
  }
  return absl::OkStatus();
}

std::string Routing::ToString() const {
  for (const Plain& plain : kPlain) {
    if (plain.mode == mode_) return plain.text;
  }
  if (mode_ == Mode::kFirst) return absl::StrCat("first(", count_, ")");
  return absl::StrCat("one(hash(", internal::Quoted(key_), "))");
}

absl::StatusOr<Routing> Routing::Parse(std::string_view text) {
  for (const Plain& plain : kPlain) {
    if (text == plain.text) return Routing(plain.mode);
  }
  TextCursor cursor("routing", text);
  Routing routing;
  absl::Status status;
  if (cursor.Skip("first(")) {
    const absl::StatusOr<uint64_t> count = cursor.Number(kMaxCount);
    if (!count.ok()) return count.status();
    routing = First(static_cast<uint32_t>(*count));
    status = cursor.Expect(")");
  } else if (cursor.Skip("one(hash(")) {
    absl::StatusOr<std::string> key = cursor.Value();
    if (!key.ok()) return key.status();
    routing = Hash(*std::move(key));
    status = cursor.Expect("))");
  } else {
    status = cursor.Refuse(
        "expected one(local-first), one(random), one(round-robin), one(least-outstanding), "
        "one(hash(KEY)), all, one-per-next-segment or first(N)");
  }
  if (status.ok() && !cursor.done()) status = cursor.Refuse("nothing follows here");
  if (status.ok()) status = routing.Check();
  if (!status.ok()) return status;
  return routing;
}

}  // namespace grid
