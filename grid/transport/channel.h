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
#include <boost/asio/async_result.hpp>
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
#include <utility>

#include "absl/status/statusor.h"

namespace grid::internal {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// Told of what a Channel does. Must outlive the Channel or be taken away first.
class ChannelObserver {
 public:
  virtual ~ChannelObserver() = default;
  // A write to the kernel (or to TLS) begins.
  virtual void OnWriteStarted() = 0;
};

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

  // Writes go nowhere while this is on: for an answer that the peer has been given already.
  void set_discard_writes(bool discard) { discard_writes_ = discard; }

  // Gives the connection away, for another I/O thread to go on with; the Channel is closed then.
  // Nothing may be under way. What TLS has read ahead is appended to `leftover`.
  struct Released {
    int fd = -1;
    asio::ip::tcp protocol = asio::ip::tcp::v4();
    SSL* tls = nullptr;  // a reference of the caller's own; null: plain
  };
  absl::StatusOr<Released> Release(std::string* leftover);

  void set_observer(ChannelObserver* observer) { observer_ = observer; }
  // How many writes have been started. Beast and Asio start the next piece of a message (at most 64
  // KiB, under TLS 16 KiB) when the one before has gone, so a count that grows means that the
  // peer's side takes bytes.
  uint64_t writes_started() const { return writes_started_; }

  // Closes the socket without any farewell; pending operations complete with an error, and none
  // touches the caller's buffers afterwards.
  void Close();

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
    if (tls_.has_value()) return tls_->async_read_some(into, std::move(handler));
    socket_.async_read_some(into, std::move(handler));
  }

  template <typename Buffers, typename Handler>
  void StartWrite(const Buffers& from, Handler handler) {
    if (discard_writes_) {
      return asio::post(get_executor(),
                        asio::append(std::move(handler), error_code(), asio::buffer_size(from)));
    }
    ++writes_started_;
    if (observer_ != nullptr) observer_->OnWriteStarted();
    if (tls_.has_value()) return tls_->async_write_some(from, std::move(handler));
    socket_.async_write_some(from, std::move(handler));
  }

  Socket socket_;
  std::optional<TlsStream> tls_;
  std::string leftover_;
  size_t leftover_at_ = 0;
  bool discard_writes_ = false;
  uint64_t writes_started_ = 0;
  ChannelObserver* observer_ = nullptr;
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

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_CHANNEL_H_
