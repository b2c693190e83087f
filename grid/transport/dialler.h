// DialHost: one attempt to connect: name lookup, TCP, TLS, HTTP upgrade, under one time-out.
#ifndef GRID_GRID_TRANSPORT_DIALLER_H_
#define GRID_GRID_TRANSPORT_DIALLER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "grid/transport/beast_config.h"
#include "grid/transport/network.h"

namespace grid::internal {

// As Network::Dial. The status tells why it failed:
//   kInvalidArgument    the host, route or token can't be used
//   kDeadlineExceeded   the time-out, with the step that it interrupted
//   kUnauthenticated    the server's certificate
//   kPermissionDenied   HTTP 401 or 403: the token
//   kUnavailable        everything else, other HTTP answers included
void DialHost(std::shared_ptr<const BeastConfig> config, DialRequest request,
              absl::AnyInvocable<void(DialResult)> done);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_DIALLER_H_
