// MakeBeastNetwork: the Network of sockets, TLS and WebSockets.
//
//   absl::StatusOr<std::shared_ptr<Network>> network =
//       MakeBeastNetwork(TlsOptions(), TransportLimits(), SocketOptions(), RealClock(),
//       DefaultLog());
//
// Thread-safe. Its listeners must be destroyed before their io_contexts are.
#ifndef GRID_GRID_TRANSPORT_BEAST_NETWORK_H_
#define GRID_GRID_TRANSPORT_BEAST_NETWORK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/transport/network.h"

namespace grid {

// Reads the certificate files of `tls`; kInvalidArgument names the one that is wrong.
absl::StatusOr<std::shared_ptr<Network>> MakeBeastNetwork(TlsOptions tls, TransportLimits limits,
                                                          SocketOptions sockets,
                                                          std::shared_ptr<Clock> clock,
                                                          std::shared_ptr<LogSink> log);

}  // namespace grid

#endif  // GRID_GRID_TRANSPORT_BEAST_NETWORK_H_
