#include "grid/stats.h"

namespace grid {

std::string_view ConnectionStateName(ConnectionState state) {
  switch (state) {
    case ConnectionState::kUnconnected:
      return "unconnected";
    case ConnectionState::kConnecting:
      return "connecting";
    case ConnectionState::kConnected:
      return "connected";
    case ConnectionState::kConnectionError:
      return "connection-error";
    case ConnectionState::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

}  // namespace grid
