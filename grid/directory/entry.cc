#include "grid/directory/entry.h"

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace grid {
namespace {

// The payload: epoch, incarnation, holding and member, separated by spaces.
constexpr absl::string_view kHolderUrl = "grid/holder";
constexpr size_t kShownBytes = 40;

absl::Status Refused(const std::string& key, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("attribute \"", absl::CHexEscape(absl::string_view(key).substr(0, kShownBytes)),
                   "\": ", why));
}

}  // namespace

std::string_view HoldingName(Holding holding) {
  return holding == Holding::kExclusive ? "exclusive" : "shared";
}

absl::Status CheckAttributes(const Attributes& attributes) {
  if (attributes.size() > kMaxAttributes) {
    return absl::InvalidArgumentError(
        absl::StrCat("attributes: ", attributes.size(), ", more than ", kMaxAttributes));
  }
  size_t bytes = 0;
  for (const auto& [key, value] : attributes) {
    if (key.empty()) return Refused(key, "the key is empty");
    if (key.size() > kMaxAttributeKeyBytes) {
      return Refused(key, absl::StrCat("the key has more than ", kMaxAttributeKeyBytes, " bytes"));
    }
    if (value.size() > kMaxAttributeValueBytes) {
      return Refused(key,
                     absl::StrCat("the value has more than ", kMaxAttributeValueBytes, " bytes"));
    }
    bytes += key.size() + value.size();
  }
  if (bytes > kMaxAttributesBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("attributes: ", bytes, " bytes, more than ", kMaxAttributesBytes));
  }
  return absl::OkStatus();
}

absl::Status AlreadyHeldError(const Entry& holder) {
  absl::Status status = absl::AlreadyExistsError(
      absl::StrCat(holder.name.text(), " is held by ", holder.member, ", ",
                   std::string(HoldingName(holder.holding)), ", epoch ", holder.epoch));
  status.SetPayload(kHolderUrl, absl::Cord(absl::StrCat(holder.epoch, " ", holder.incarnation, " ",
                                                        std::string(HoldingName(holder.holding)),
                                                        " ", holder.member)));
  return status;
}

std::optional<HolderInfo> HolderOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kHolderUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(' ', 3));
  HolderInfo holder;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &holder.epoch) ||
      !absl::SimpleAtoi(parts[1], &holder.incarnation)) {
    return std::nullopt;
  }
  holder.holding =
      parts[2] == HoldingName(Holding::kShared) ? Holding::kShared : Holding::kExclusive;
  holder.member = parts[3];
  return holder;
}

}  // namespace grid
