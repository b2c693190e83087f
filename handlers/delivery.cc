#include "handlers/delivery.h"

#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace grid {
namespace {

// The payload: the class's digit, then "R" for a remote error.
constexpr absl::string_view kDeliveryUrl = "grid/delivery";
constexpr absl::string_view kDisconnected = "disconnected";

struct Mark {
  Delivery delivery;
  bool remote;
};

std::optional<Mark> MarkOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kDeliveryUrl);
  if (!payload.has_value() || payload->empty()) return std::nullopt;
  const int digit = (*payload)[0] - '0';
  if (digit < 0 || digit > static_cast<int>(Delivery::kExecuted)) return std::nullopt;
  return Mark{static_cast<Delivery>(digit), payload->size() > 1 && (*payload)[1] == 'R'};
}

}  // namespace

std::string_view DeliveryName(Delivery delivery) {
  switch (delivery) {
    case Delivery::kNotSent:
      return "not-sent";
    case Delivery::kRejected:
      return "rejected";
    case Delivery::kMaybeExecuted:
      return "maybe-executed";
    case Delivery::kExecuted:
      return "executed";
  }
  return "unknown";
}

absl::Status WithDelivery(absl::Status status, Delivery delivery, bool remote) {
  const char mark[2] = {static_cast<char>('0' + static_cast<int>(delivery)), 'R'};
  status.SetPayload(kDeliveryUrl, absl::Cord(absl::string_view(mark, remote ? 2 : 1)));
  return status;
}

Delivery DeliveryOf(const absl::Status& status) {
  const std::optional<Mark> mark = MarkOf(status);
  return mark.has_value() ? mark->delivery : Delivery::kMaybeExecuted;
}

bool IsRemote(const absl::Status& status) {
  const std::optional<Mark> mark = MarkOf(status);
  return mark.has_value() && mark->remote;
}

bool IsSafeToRetry(const absl::Status& status) {
  const Delivery delivery = DeliveryOf(status);
  return delivery == Delivery::kNotSent || delivery == Delivery::kRejected;
}

absl::Status DisconnectedError(std::string_view detail, Delivery delivery) {
  return WithDelivery(
      absl::UnavailableError(
          detail.empty()
              ? std::string(kDisconnected)
              : absl::StrCat(kDisconnected, ": ", absl::string_view(detail.data(), detail.size()))),
      delivery);
}

bool IsDisconnected(const absl::Status& status) {
  // A peer may send any text: only our own statuses count.
  return absl::IsUnavailable(status) && !IsRemote(status) &&
         status.message().substr(0, kDisconnected.size()) == kDisconnected;
}

}  // namespace grid
