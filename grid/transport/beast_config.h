// BeastConfig: what dialler, listener and transports of one BeastNetwork have in common. Read only.
#ifndef GRID_GRID_TRANSPORT_BEAST_CONFIG_H_
#define GRID_GRID_TRANSPORT_BEAST_CONFIG_H_

#include <memory>

#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/transport/network.h"
#include "grid/transport/tls_context.h"

namespace grid::internal {

struct BeastConfig {
  TlsContexts tls;
  TransportLimits limits;
  SocketOptions sockets;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<LogSink> log;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_BEAST_CONFIG_H_
