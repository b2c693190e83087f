// Delivery class and origin of a failure: what a caller needs to know before trying again.
//
// Both ride on absl::Status as a payload, so every API of this library can return plain statuses:
//
//   absl::StatusOr<Buffer> reply = co_await peer.Request(kDiskInfo, payload);
//   if (!reply.ok() && IsSafeToRetry(reply.status())) ...   // never ran on the peer
//
// Pure functions, any thread.
#ifndef GRID_HANDLERS_DELIVERY_H_
#define GRID_HANDLERS_DELIVERY_H_

#include <string_view>

#include "absl/status/status.h"

namespace grid {

enum class Delivery {
  kNotSent,        // never left this process
  kRejected,       // the peer (or a local limit) refused it before anything ran
  kMaybeExecuted,  // sent, and the answer was lost: time-out, cancellation, lost connection
  kExecuted,       // the handler ran and returned this error
};

// "not-sent", "rejected", "maybe-executed", "executed".
std::string_view DeliveryName(Delivery delivery);

// A copy of `status` (which must not be OK) that carries the class. `remote`: the error came from
// the peer, and its text is the peer's.
absl::Status WithDelivery(absl::Status status, Delivery delivery, bool remote = false);

// The class of a failed call; kMaybeExecuted for a status that carries none, because nothing is
// known.
Delivery DeliveryOf(const absl::Status& status);

// True when the error came from the peer.
bool IsRemote(const absl::Status& status);

// True for kNotSent and kRejected: the handler did not run.
bool IsSafeToRetry(const absl::Status& status);

// The status of everything that a lost or missing connection ends: kUnavailable, with a message
// that starts with "disconnected".
absl::Status DisconnectedError(std::string_view detail, Delivery delivery);
bool IsDisconnected(const absl::Status& status);

}  // namespace grid

#endif  // GRID_HANDLERS_DELIVERY_H_
