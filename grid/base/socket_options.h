// SocketOptions: what is set on the TCP sockets of connections.
#ifndef GRID_GRID_BASE_SOCKET_OPTIONS_H_
#define GRID_GRID_BASE_SOCKET_OPTIONS_H_

#include <string>

namespace grid {

struct SocketOptions {
  // TCP_NODELAY: small writes leave at once. Messages are merged above the socket already.
  bool no_delay = true;
  // SO_SNDBUF and SO_RCVBUF; 0: the system's, which adapt themselves. The kernel clips what it
  // finds too large.
  int send_buffer_bytes = 0;
  int receive_buffer_bytes = 0;
  // TCP_NOTSENT_LOWAT: most bytes that the kernel takes before it has sent them; 0: the system's,
  // which is no limit. What waits there can't be passed by what comes later; what is on its way
  // does not count, so it limits no rate.
  int unsent_bytes = 128 << 10;
  // TCP_QUICKACK, set once per connection: the kernel acknowledges at once until it finds the
  // connection interactive. Without effect on throughput here.
  bool quick_ack = false;
  // TCP_CONGESTION, "cubic" say; empty: the system's. A name that the kernel does not know, or does
  // not allow, leaves the system's. On loopback cubic carries twice the bytes of bbr.
  std::string congestion_control = {};
};

}  // namespace grid

#endif  // GRID_GRID_BASE_SOCKET_OPTIONS_H_
