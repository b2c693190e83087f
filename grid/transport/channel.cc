#include "grid/transport/channel.h"

#include <openssl/ssl.h>

#include <array>

namespace grid::internal {

void Channel::Close() {
  observer_ = nullptr;
  if (!socket_.is_open()) return;
  if (tls_.has_value()) {
    // A TLS operation that waits for another one is woken by the closing and tries again: this
    // makes it fail before it looks at its buffer, which the caller may have freed by then.
    SSL_set_shutdown(tls_->native_handle(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  error_code ignored;
  // Closing a socket with unread bytes resets the connection, and a reset can overtake our last
  // bytes (a close frame). So take out what is there, within limits, and say goodbye first.
  socket_.non_blocking(true, ignored);
  std::array<char, 4096> waste;
  for (int i = 0; i < 64; ++i) {
    if (socket_.read_some(asio::buffer(waste), ignored) == 0) break;
  }
  socket_.shutdown(Socket::shutdown_send, ignored);
  socket_.close(ignored);
}

}  // namespace grid::internal
