// Accept: hands a connection of the host program's own HTTP server to a Manager. The one public
// header that includes Beast; who does not need it includes manager.h only.
//
//   beast::flat_buffer buffer;
//   http::request<http::string_body> request;
//   co_await http::async_read(socket, buffer, request);
//   if (request.target() == "/minio/grid/v1") {
//     absl::Status accepted = grid::Accept(manager, std::move(socket), request, buffer);
//   }
//
// What a stream may be, by value or moved, never an lvalue:
//
//   tcp::socket, beast::tcp_stream           plain TCP
//   ssl::stream<S>, beast::ssl_stream<S>     TLS done by the host; S is one of the above
//   websocket::stream<S>                     upgraded by the host already; S is one of the above
//
// It may live on any executor of the host's, in a strand too. Nothing may be under way on it, and
// Accept is called where the stream may be used. The connection then leaves that executor: its
// descriptor moves to one of the manager's io_contexts, which all further work is done on, and the
// host's object is left closed. TLS sessions move along. A stream that the host upgraded must have
// been given no extension (permessage-deflate) and must not have been read from.
#ifndef GRID_GRID_BEAST_ACCEPT_H_
#define GRID_GRID_BEAST_ACCEPT_H_

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <boost/system/error_code.hpp>
#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/manager.h"

namespace grid {

namespace internal {

// A place in the handshake, reserved before the stream is touched.
class AcceptTicket;

// What is left of a stream of the host's.
struct HostConnection {
  int fd = -1;
  boost::asio::ip::tcp protocol = boost::asio::ip::tcp::v4();
  SSL* tls = nullptr;  // with a reference of its own
  std::string read_ahead;
};

absl::StatusOr<std::shared_ptr<AcceptTicket>> ReserveAccept(
    Manager& manager, const boost::beast::http::request_header<>& request,
    std::string_view leftover, bool upgraded);
absl::Status FinishAccept(AcceptTicket& ticket, HostConnection connection);
// Keeps the session, and what it has read ahead.
void KeepTls(SSL* session, HostConnection* out);

template <typename Stream>
struct IsWebSocket : std::false_type {};
template <typename Layer, bool kDeflate>
struct IsWebSocket<boost::beast::websocket::stream<Layer, kDeflate>> : std::true_type {};

template <typename Stream>
concept TlsLayer = requires(Stream& stream) {
  { stream.native_handle() } -> std::same_as<SSL*>;
};

template <typename Stream>
void TakeApart(Stream& stream, HostConnection* out, boost::system::error_code* ec) {
  if constexpr (IsWebSocket<Stream>::value) {
    TakeApart(stream.next_layer(), out, ec);
  } else if constexpr (TlsLayer<Stream>) {
    KeepTls(stream.native_handle(), out);
    auto& socket = boost::beast::get_lowest_layer(stream);
    TakeApart(socket, out, ec);
    // The stream's end touches the session: before anybody else uses that.
    Stream ended(std::move(stream));
  } else if constexpr (requires { stream.release_socket(); }) {
    auto socket = stream.release_socket();
    TakeApart(socket, out, ec);
  } else {
    out->protocol = stream.local_endpoint(*ec).protocol();
    if (!*ec) out->fd = stream.release(*ec);
  }
}

}  // namespace internal

// Takes the connection through what is left of its handshake, by the rules of Manager::Listen: the
// answer to the upgrade request (101, or 400, 403, 426 with one line of text), Connect, its checks;
// within Timeouts::handshake from now, and counted in the same statistics. After an upgrade by the
// host a refusal is a close frame with 1008.
//
// `request` is what the host has read; its body does not matter, it must have none. `leftover` are
// bytes that were read behind the request: they come first for the manager. For a stream that the
// host upgraded `request` is the one that it upgraded, and checked again here, the token included.
//
// Thread safety: as above for `stream`; any thread for the manager.
//
// OK: the stream is the manager's, whatever becomes of it. Otherwise:
//   kFailedPrecondition  the manager has not been started, or was stopped
//   kNotFound            the path is not ManagerOptions::route
//   kInvalidArgument     no WebSocket upgrade request; or more than 64 KiB of `leftover`
//   kResourceExhausted   Limits::max_pre_handshake; counted
//   kUnavailable         the stream has no connection any more
// and the stream is untouched, but with kUnavailable: the host goes on with it, and answers the
// request.
template <typename Stream>
absl::Status Accept(Manager& manager, Stream&& stream,
                    const boost::beast::http::request_header<>& request,
                    std::string_view leftover = {}) {
  static_assert(!std::is_lvalue_reference_v<Stream>, "the stream is given away: std::move it");
  absl::StatusOr<std::shared_ptr<internal::AcceptTicket>> ticket = internal::ReserveAccept(
      manager, request, leftover, internal::IsWebSocket<std::remove_cvref_t<Stream>>::value);
  if (!ticket.ok()) return ticket.status();
  internal::HostConnection connection;
  boost::system::error_code ec;
  internal::TakeApart(stream, &connection, &ec);
  return internal::FinishAccept(**ticket, std::move(connection));
}

// The same with the buffer that the request was read into.
template <typename Stream>
absl::Status Accept(Manager& manager, Stream&& stream,
                    const boost::beast::http::request_header<>& request,
                    const boost::beast::flat_buffer& leftover) {
  return Accept(
      manager, std::forward<Stream>(stream), request,
      std::string_view(static_cast<const char*>(leftover.data().data()), leftover.data().size()));
}

}  // namespace grid

#endif  // GRID_GRID_BEAST_ACCEPT_H_
