#include "grid/directory/hosted_protocol.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

EntryMessage ToMessage(const Entry& entry) {
  return {.name = entry.name.text(),
          .shared = entry.holding == Holding::kShared,
          .epoch = entry.epoch,
          .member = entry.member,
          .incarnation = entry.incarnation,
          .attributes = entry.attributes};
}

absl::StatusOr<Entry> FromMessage(EntryMessage message) {
  absl::StatusOr<Name> name = Name::Parse(message.name);
  if (!name.ok()) return name.status();
  return Entry{.name = *std::move(name),
               .holding = message.shared ? Holding::kShared : Holding::kExclusive,
               .epoch = message.epoch,
               .member = std::move(message.member),
               .incarnation = message.incarnation,
               .attributes = std::move(message.attributes)};
}

Outcome ToOutcome(const absl::Status& status) {
  return {.code = static_cast<int32_t>(status.raw_code()), .text = std::string(status.message())};
}

absl::Status StatusOf(const Outcome& outcome) {
  if (outcome.code == 0) return absl::OkStatus();
  if (!outcome.holder.empty()) {
    absl::StatusOr<Entry> holder = FromMessage(outcome.holder[0]);
    return holder.ok() ? AlreadyHeldError(*holder) : holder.status();
  }
  // Codes that we don't know are kUnknown.
  return absl::Status(static_cast<absl::StatusCode>(outcome.code), outcome.text);
}

}  // namespace grid::internal
