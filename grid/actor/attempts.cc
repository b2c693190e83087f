#include "grid/actor/attempts.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace grid::internal {

std::optional<std::chrono::milliseconds> Attempts::Next(const CallPolicy& policy, Delivery delivery,
                                                        TimePoint now, TimePoint deadline,
                                                        double random) const {
  if (!policy.Retries(delivery) || made_ >= policy.attempts) return std::nullopt;
  const std::chrono::milliseconds pause = policy.back_off.Pause(made_ + 1, random);
  if (now + pause >= deadline) return std::nullopt;
  return pause;
}

absl::Status Attempts::Error(const absl::Status& last, const Target* target) const {
  std::string text(last.message());
  if (target != nullptr) absl::StrAppend(&text, " (", target->ToString());
  if (target != nullptr && made_ > 1) absl::StrAppend(&text, ", attempt ", made_);
  if (target != nullptr) text += ")";
  absl::Status status(last.code(), text);
  last.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return WithDelivery(std::move(status), worst_, IsRemote(last));
}

bool IsUnreachable(const absl::Status& status) {
  return absl::IsUnavailable(status) && DeliveryOf(status) != Delivery::kExecuted;
}

double Fraction(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

}  // namespace grid::internal
