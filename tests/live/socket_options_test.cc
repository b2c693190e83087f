// What SocketOptions put on a socket.
#include "grid/transport/socket_options.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace grid::internal {
namespace {

int Get(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, option, &value, &size), 0);
  return value;
}

TEST(SocketOptions, OfAConnection) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io, asio::ip::tcp::v4());
  const int before = Get(socket.native_handle(), TCP_NOTSENT_LOWAT);
  ApplyToConnection(socket, {.no_delay = false, .unsent_bytes = 0});
  EXPECT_EQ(Get(socket.native_handle(), TCP_NODELAY), 0);
  EXPECT_EQ(Get(socket.native_handle(), TCP_NOTSENT_LOWAT), before);
  ApplyToConnection(socket, SocketOptions());
  EXPECT_NE(Get(socket.native_handle(), TCP_NODELAY), 0);
  EXPECT_EQ(Get(socket.native_handle(), TCP_NOTSENT_LOWAT), 128 << 10);
}

}  // namespace
}  // namespace grid::internal
