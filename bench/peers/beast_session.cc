#include "bench/peers/beast_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <cstdlib>
#include <utility>

#include "bench/peers/batch.h"

namespace grid::bench {
namespace {

namespace websocket = boost::beast::websocket;

// As for raw TCP: smaller reads let both ends work at the same time.
constexpr size_t kReadBytes = size_t{128} << 10;
// Beast masks through a buffer of this size: one system call for each.
constexpr size_t kMaskingBytes = (size_t{64} << 10) - 16;

}  // namespace

BeastSession::BeastSession(BufferedSocket::Socket socket, Framing framing)
    : ws_(BufferedSocket(std::move(socket))), framing_(framing) {
  ws_.next_layer().socket().set_option(boost::asio::ip::tcp::no_delay(true));
  ws_.binary(true);
  ws_.auto_fragment(false);
  ws_.write_buffer_bytes(kMaskingBytes);
  ws_.read_message_max(0);
  ws_.secure_prng(false);
  ws_.set_option(websocket::stream_base::timeout{
      .handshake_timeout = websocket::stream_base::none(),
      .idle_timeout = websocket::stream_base::none(),
      .keep_alive_pings = false,
  });
}

boost::system::error_code BeastSession::Accept() {
  boost::system::error_code error;
  ws_.accept(error);
  return error;
}

boost::system::error_code BeastSession::Handshake() {
  boost::system::error_code error;
  ws_.handshake("bench", "/", error);
  return error;
}

void BeastSession::Read() {
  const auto room = in_.Room(kReadBytes);
  ws_.async_read_some(
      boost::asio::buffer(room.data(), kReadBytes),
      [this, self = shared_from_this()](const boost::system::error_code& error, size_t size) {
        if (error) return OnEnd(error);
        in_.Commit(size);
        OnBytes(in_);
        Flush();
        Read();
      });
}

void BeastSession::Flush() {
  if (busy_ || out_.empty() || ws_.next_layer().has_buffered()) return;
  std::swap(out_, writing_);
  Write();
}

size_t BeastSession::NextFrame() const {
  const auto bytes = writing_.contents();
  if (framing_ == Framing::kPacked) return bytes.size();
  Length length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  return sizeof(length) + length;
}

void BeastSession::Write() {
  busy_ = true;
  const size_t frame = NextFrame();
  ws_.async_write_some(
      true, boost::asio::buffer(writing_.contents().data(), frame),
      [this, frame, self = shared_from_this()](const boost::system::error_code& error, size_t) {
        if (error) return;  // the read ends as well
        writing_.Consume(frame);
        if (!writing_.empty()) return Write();
        busy_ = false;
        if (out_.empty()) OnSent();
        Flush();
      });
}

}  // namespace grid::bench
