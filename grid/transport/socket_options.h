// ApplyBeforeConnect and ApplyToConnection: SocketOptions, put on a socket.
#ifndef GRID_GRID_TRANSPORT_SOCKET_OPTIONS_H_
#define GRID_GRID_TRANSPORT_SOCKET_OPTIONS_H_

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>

#include "grid/transport/network.h"

namespace grid::internal {

// On a listening socket too, whose connections inherit them: TCP fixes its window scale before it
// connects.
template <typename Socket>
void ApplyBeforeConnect(Socket& socket, const SocketOptions& options) {
  boost::system::error_code ignored;
  if (options.send_buffer_bytes > 0) {
    socket.set_option(asio::socket_base::send_buffer_size(options.send_buffer_bytes), ignored);
  }
  if (options.receive_buffer_bytes > 0) {
    socket.set_option(asio::socket_base::receive_buffer_size(options.receive_buffer_bytes),
                      ignored);
  }
  if (const std::string& name = options.congestion_control; !name.empty()) {
    setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
               static_cast<socklen_t>(name.size()));
  }
}

template <typename Socket>
void ApplyToConnection(Socket& socket, const SocketOptions& options) {
  using QuickAck = asio::detail::socket_option::boolean<IPPROTO_TCP, TCP_QUICKACK>;
  using NotSentLowWater = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(options.no_delay), ignored);
  if (options.unsent_bytes > 0) {
    socket.set_option(NotSentLowWater(options.unsent_bytes), ignored);
  }
  if (options.quick_ack) socket.set_option(QuickAck(true), ignored);
}

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_SOCKET_OPTIONS_H_
