#include "grid/transport/channel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <boost/beast/websocket/stream.hpp>
#include <boost/beast/websocket/stream_base.hpp>

#include "absl/status/status.h"

namespace grid::internal {

void Channel::Close() {
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

absl::StatusOr<Channel::Released> Channel::Release(std::string* leftover) {
  Released released;
  error_code ec;
  const asio::ip::tcp::endpoint local = socket_.local_endpoint(ec);
  if (ec) return absl::UnavailableError(ec.message());
  released.protocol = local.protocol();
  if (tls_.has_value()) {
    released.tls = tls_->native_handle();
    DrainTls(released.tls, leftover);
    SSL_up_ref(released.tls);
    // Before anybody else uses the session: the stream's end touches it.
    tls_.reset();
  }
  released.fd = socket_.release(ec);
  if (!ec) return released;
  SSL_free(released.tls);
  return absl::UnavailableError(ec.message());
}

void ConfigureWebSocket(WebSocket& ws) {
  ws.set_option(beast::websocket::stream_base::timeout{
      beast::websocket::stream_base::none(), beast::websocket::stream_base::none(), false});
}

void DrainTls(SSL* session, std::string* leftover) {
  std::array<char, 4096> bytes;
  while (leftover->size() < kMaxLeftoverBytes) {
    const int got = SSL_read(session, bytes.data(), static_cast<int>(bytes.size()));
    if (got <= 0) break;
    leftover->append(bytes.data(), static_cast<size_t>(got));
  }
  ERR_clear_error();
}

}  // namespace grid::internal
