// HOST:PORT, with an IP address as host, for what is built on Asio or on sockets.
#ifndef GRID_BENCH_COMMON_ADDRESS_H_
#define GRID_BENCH_COMMON_ADDRESS_H_

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grid::bench {

// kInvalidArgument says what is wrong.
absl::StatusOr<boost::asio::ip::tcp::endpoint> ParseEndpoint(const std::string& address);

// What went wrong with a socket.
absl::Status SocketError(const std::string& what, const boost::system::error_code& error);

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_ADDRESS_H_
