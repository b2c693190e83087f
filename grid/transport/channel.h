// Channel: one TCP connection, plain or under TLS, as the layer below the WebSocket. One class for
// both, so that websocket::stream is compiled once.
//
// Owned by the websocket::stream around it; belongs to one I/O thread.
//
//   WebSocket ws(std::move(socket), nullptr);         // plain
//   WebSocket ws(std::move(socket), &tls_context);    // TLS; then co_await Handshake on
//   ws.next_layer()
//
// It is an AsyncReadStream and AsyncWriteStream. Its closing is always abrupt: the closing
// handshake is the WebSocket's, and whoever wants to wait for a peer does so on a timer of ours.
#ifndef GRID_GRID_TRANSPORT_CHANNEL_H_
#define GRID_GRID_TRANSPORT_CHANNEL_H_

#include <openssl/ssl.h>

#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/stream_fwd.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace grid::internal {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// Bytes that may have come behind a request header.
inline constexpr size_t kMaxLeftoverBytes = size_t{64} << 10;

// Takes out what a TLS session has read from its socket and not handed on, so that the session can
// go on over another stream: as plain bytes behind `leftover`; a part of a record stays inside the
// session. Between 64 and 68 KiB at most.
void DrainTls(SSL* session, std::string* leftover);

// A TLS session that was begun elsewhere; null: none.
struct AdoptedTls {
  SSL* session = nullptr;
};

class Channel {
 public:
  using executor_type = asio::io_context::executor_type;
  using Socket = asio::basic_stream_socket<asio::ip::tcp, executor_type>;
  using TlsStream = asio::ssl::stream<Socket&>;

  // `tls` null: plain. Otherwise it must outlive the Channel.
  Channel(Socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) tls_.emplace(socket_, *tls);
  }
  // Goes on with a TLS session whose handshake is done; takes over the caller's reference.
  Channel(Socket socket, AdoptedTls tls) : socket_(std::move(socket)) {
    if (tls.session != nullptr) tls_.emplace(socket_, tls.session);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }
  TlsStream* tls() { return tls_.has_value() ? &*tls_ : nullptr; }

  // Puts bytes in front of what the next reads give: those that came behind an HTTP header.
  void Prepend(std::string bytes) {
    leftover_ = std::move(bytes);
    leftover_at_ = 0;
  }

  // Gives what is read up to the end of one HTTP header only, and keeps what came behind it for
  // the reads that follow: Beast's handshake would keep it for itself.
  void StopBehindHeader() { header_end_ = 0; }

  // Gives the connection away, for another I/O thread to go on with; the Channel is closed then.
  // Nothing may be under way. What TLS has read ahead is appended to `leftover`.
  struct Released {
    int fd = -1;
    asio::ip::tcp protocol = asio::ip::tcp::v4();
    SSL* tls = nullptr;  // a reference of the caller's own; null: plain
  };
  absl::StatusOr<Released> Release(std::string* leftover);

  // Closes the socket without any farewell; pending operations complete with an error, and none
  // touches the caller's buffers afterwards.
  void Close();

  // Writes what the kernel takes at once; `ec` is would_block when that is nothing, and under TLS,
  // where only async_write_some writes. The socket must be non-blocking.
  template <typename Buffers>
  size_t TryWrite(const Buffers& buffers, error_code& ec) {
    if (!tls_.has_value()) return socket_.write_some(buffers, ec);
    ec = asio::error::would_block;
    return 0;
  }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, size_t)>(
        [](auto handler, Channel* self, const Buffers& into) {
          self->StartRead(into, std::move(handler));
        },
        token, this, buffers);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, size_t)>(
        [](auto handler, Channel* self, const Buffers& from) {
          self->StartWrite(from, std::move(handler));
        },
        token, this, buffers);
  }

 private:
  template <typename Buffers, typename Handler>
  void StartRead(const Buffers& into, Handler handler) {
    if (!leftover_.empty()) {
      const size_t size = asio::buffer_copy(into, asio::buffer(leftover_) + leftover_at_);
      leftover_at_ += size;
      if (leftover_at_ == leftover_.size()) leftover_ = std::string();
      return asio::post(get_executor(), asio::append(std::move(handler), error_code(), size));
    }
    if (!header_end_.has_value()) return ReadMore(into, std::move(handler));
    auto executor = asio::get_associated_executor(handler, get_executor());
    ReadMore(into, asio::bind_executor(executor, [this, into, handler = std::move(handler)](
                                                     error_code ec, size_t size) mutable {
               if (!ec) size = KeepBehindHeader(into, size);
               std::move(handler)(ec, size);
             }));
  }

  template <typename Buffers, typename Handler>
  void ReadMore(const Buffers& into, Handler handler) {
    if (tls_.has_value()) return tls_->async_read_some(into, std::move(handler));
    socket_.async_read_some(into, std::move(handler));
  }

  // Returns how many of the `size` bytes read belong to the header.
  template <typename Buffers>
  size_t KeepBehindHeader(const Buffers& buffers, size_t size) {
    static constexpr std::string_view kEnd = "\r\n\r\n";
    std::string bytes(size, '\0');
    asio::buffer_copy(asio::buffer(bytes), buffers, size);
    for (size_t i = 0; i < size; ++i) {
      header_end_ = bytes[i] == kEnd[*header_end_] ? *header_end_ + 1 : bytes[i] == '\r' ? 1 : 0;
      if (*header_end_ < kEnd.size()) continue;
      header_end_.reset();
      Prepend(bytes.substr(i + 1));
      return i + 1;
    }
    return size;
  }

  template <typename Buffers, typename Handler>
  void StartWrite(const Buffers& from, Handler handler) {
    if (tls_.has_value()) return tls_->async_write_some(from, std::move(handler));
    socket_.async_write_some(from, std::move(handler));
  }

  Socket socket_;
  std::optional<TlsStream> tls_;
  std::string leftover_;
  size_t leftover_at_ = 0;
  std::optional<size_t> header_end_;  // with StopBehindHeader: bytes of "\r\n\r\n" that have come
};

// What websocket::stream calls, found by their names.
//
// Ends the stream once the closing handshake is over: at once, where Beast's own would read on
// until the peer has closed too, for as long as the peer likes.
template <typename Handler>
void async_teardown(beast::role_type, Channel& channel, Handler&& handler) {
  channel.Close();
  asio::post(channel.get_executor(), asio::append(std::forward<Handler>(handler), error_code()));
}
inline void beast_close_socket(Channel& channel) { channel.Close(); }

// No compression: it is never negotiated.
using WebSocket = beast::websocket::stream<Channel, false>;

// Before the upgrade: no time-outs of Beast's own, those are on our clock.
void ConfigureWebSocket(WebSocket& ws);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_CHANNEL_H_
