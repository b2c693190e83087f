#include "grid/actor/start_protocol.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {
namespace {

// Codes and classes that we don't know say the least: kUnknown, kMaybeExecuted.
absl::Status Carried(int32_t code, const std::string& text, uint8_t delivery,
                     const std::string& member) {
  if (code == 0) return absl::OkStatus();
  const Delivery carried = delivery <= static_cast<uint8_t>(Delivery::kExecuted)
                               ? static_cast<Delivery>(delivery)
                               : Delivery::kMaybeExecuted;
  return WithDelivery(
      absl::Status(static_cast<absl::StatusCode>(code), absl::StrCat("at ", member, ": ", text)),
      carried, /*remote=*/true);
}

}  // namespace

StartMessage ToMessage(const Name& name, const StartParameters& parameters,
                       const Resources& resources) {
  StartMessage message{.name = name.text(), .parameters = parameters};
  for (const auto& [key, selector] : resources) message.resources[key] = selector.ToString();
  return message;
}

absl::StatusOr<StartArguments> FromMessage(StartMessage message) {
  absl::StatusOr<Name> name = Name::Parse(message.name);
  if (!name.ok()) return name.status();
  if (absl::Status status = CheckStartParameters(message.parameters); !status.ok()) return status;
  if (message.resources.size() > kMaxResources) {
    return absl::InvalidArgumentError(
        absl::StrCat("resources: ", message.resources.size(), ", more than ", kMaxResources));
  }
  StartArguments arguments{.name = *std::move(name), .parameters = std::move(message.parameters)};
  for (const auto& [key, text] : message.resources) {
    absl::StatusOr<Selector> selector = Selector::Parse(text);
    if (!selector.ok()) return selector.status();
    arguments.resources.emplace(key, *std::move(selector));
  }
  return arguments;
}

StartAnswer ToAnswer(StartAnswer::What what, const absl::Status& status, Delivery delivery) {
  return {.what = what,
          .code = static_cast<int32_t>(status.raw_code()),
          .text = std::string(status.message()),
          .delivery = static_cast<uint8_t>(delivery)};
}

absl::Status StatusOf(const StartAnswer& answer, const std::string& member) {
  if (answer.what <= StartAnswer::kAlreadyRunning) return absl::OkStatus();
  absl::Status status = Carried(answer.code, answer.text, answer.delivery, member);
  if (!status.ok()) return status;
  return WithDelivery(
      absl::InternalError(absl::StrCat("at ", member, ": no actor, answer ",
                                       static_cast<int>(answer.what), ", and no reason")),
      Delivery::kMaybeExecuted, /*remote=*/true);
}

absl::Status StatusOf(const StopAnswer& answer, const std::string& member) {
  return Carried(answer.code, answer.text, answer.delivery, member);
}

absl::Status StatusOf(const DrainAnswer& answer, const std::string& member) {
  return Carried(answer.code, answer.text, answer.delivery, member);
}

}  // namespace grid::internal
