// StartListener: accepts TCP connections, takes them through TLS and the HTTP upgrade, and hands
// them over.
#ifndef GRID_GRID_TRANSPORT_LISTENER_H_
#define GRID_GRID_TRANSPORT_LISTENER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "grid/transport/beast_config.h"
#include "grid/transport/network.h"

namespace grid::internal {

// As Network::Listen. kInvalidArgument: the address; kFailedPrecondition: TLS without a
// certificate; kUnavailable: the system refused, with its reason.
absl::StatusOr<std::unique_ptr<Listener>> StartListener(std::shared_ptr<const BeastConfig> config,
                                                        ListenRequest request);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_LISTENER_H_
