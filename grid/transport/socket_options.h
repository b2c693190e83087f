// ApplyBufferSizes and ApplyNoDelay: SocketOptions, put on a socket.
#ifndef GRID_GRID_TRANSPORT_SOCKET_OPTIONS_H_
#define GRID_GRID_TRANSPORT_SOCKET_OPTIONS_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>

#include "grid/transport/network.h"

namespace grid::internal {

// Before connect or listen: TCP fixes its window scale then. An accepted socket inherits them. The
// kernel clips what it finds too large, so there is nothing to report.
template <typename Socket>
void ApplyBufferSizes(Socket& socket, const SocketOptions& options) {
  boost::system::error_code ignored;
  if (options.send_buffer_bytes > 0) {
    socket.set_option(asio::socket_base::send_buffer_size(options.send_buffer_bytes), ignored);
  }
  if (options.receive_buffer_bytes > 0) {
    socket.set_option(asio::socket_base::receive_buffer_size(options.receive_buffer_bytes),
                      ignored);
  }
}

template <typename Socket>
void ApplyNoDelay(Socket& socket, const SocketOptions& options) {
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(options.no_delay), ignored);
}

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_SOCKET_OPTIONS_H_
