// BufferedSocket: a socket that reads ahead, as the layer below a WebSocket: Beast reads headers in
// small pieces, each of which would be a system call; and whoever reads can tell whether more is at
// hand, or this was the last for now.
//
// Used by one thread.
#ifndef GRID_BENCH_PEERS_BUFFERED_SOCKET_H_
#define GRID_BENCH_PEERS_BUFFERED_SOCKET_H_

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace grid::bench {

class BufferedSocket {
 public:
  // With the executor's own type, which costs less than any_io_executor at every step.
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;
  using executor_type = Socket::executor_type;
  using error_code = boost::system::error_code;

  explicit BufferedSocket(Socket socket) : socket_(std::move(socket)) {}

  Socket& socket() { return socket_; }
  executor_type get_executor() { return socket_.get_executor(); }
  bool has_buffered() const { return begin_ < end_; }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& to, Token&& token) {
    return boost::asio::async_compose<Token, void(error_code, size_t)>(
        [this, to, begun = false](auto& self, const error_code& error = {},
                                  size_t size = 0) mutable {
          if (!std::exchange(begun, true)) {
            // Never completes from inside its start.
            if (has_buffered()) return boost::asio::post(socket_.get_executor(), std::move(self));
            return socket_.async_read_some(boost::asio::buffer(bytes_), std::move(self));
          }
          if (!has_buffered()) {
            begin_ = 0;
            end_ = size;
          }
          const size_t copied = boost::asio::buffer_copy(
              to, boost::asio::buffer(bytes_.data() + begin_, end_ - begin_));
          begin_ += copied;
          self.complete(error, copied);
        },
        token);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& from, Token&& token) {
    return socket_.async_write_some(from, std::forward<Token>(token));
  }

  // For the handshake, past the buffer: nothing has been read ahead yet.
  template <typename Buffers>
  size_t read_some(const Buffers& to, error_code& error) {
    return socket_.read_some(to, error);
  }
  template <typename Buffers>
  size_t read_some(const Buffers& to) {
    return socket_.read_some(to);
  }
  template <typename Buffers>
  size_t write_some(const Buffers& from, error_code& error) {
    return socket_.write_some(from, error);
  }
  template <typename Buffers>
  size_t write_some(const Buffers& from) {
    return socket_.write_some(from);
  }

 private:
  // As much as is read at once; see TcpChannel for why it isn't more.
  static constexpr size_t kBytes = size_t{128} << 10;

  Socket socket_;
  std::array<uint8_t, kBytes> bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// How Beast ends a layer.
inline void beast_close_socket(BufferedSocket& socket) {
  boost::system::error_code ignored;
  socket.socket().close(ignored);
}
inline void teardown(boost::beast::role_type role, BufferedSocket& socket,
                     boost::system::error_code& error) {
  boost::beast::websocket::teardown(role, socket.socket(), error);
}
template <typename Handler>
void async_teardown(boost::beast::role_type role, BufferedSocket& socket, Handler&& handler) {
  boost::beast::websocket::async_teardown(role, socket.socket(), std::forward<Handler>(handler));
}

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_BUFFERED_SOCKET_H_
