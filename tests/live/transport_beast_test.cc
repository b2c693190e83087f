// The transport against Beast's WebSocket at the other end: another reading of RFC 6455 than ours.

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <string>
#include <thread>

#include "tests/live/transport_kit.h"

namespace grid::live {
namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using BeastSocket = websocket::stream<tcp::socket>;

constexpr size_t kSizes[] = {0, 1, 125, 126, 127, 4096, 65535, 65536, 65537, 1 << 20};

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 >> 3);
  return text;
}

// Cuts what it sends into frames of 4 KiB.
void Configure(BeastSocket& ws) {
  ws.binary(true);
  ws.auto_fragment(true);
  ws.write_buffer_bytes(4096);
}

std::string ReadMessage(BeastSocket& ws) {
  beast::flat_buffer buffer;
  ws.read(buffer);
  return std::string(static_cast<const char*>(buffer.data().data()), buffer.size());
}

TEST(AgainstBeast, ItsClient_GetsItsMessagesBack_AndCloses) {
  Node node;
  node.echo = true;
  node.Listen();
  asio::io_context io;
  BeastSocket ws(io);
  ws.next_layer().connect({asio::ip::address_v4::loopback(), node.port()});
  ws.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
    request.set(beast::http::field::authorization, "Bearer secret");
  }));
  ws.handshake("127.0.0.1", "/minio/grid/v1");
  Configure(ws);
  std::string pong;
  ws.control_callback([&](websocket::frame_type type, beast::string_view payload) {
    if (type == websocket::frame_type::pong) pong = std::string(payload);
  });
  for (const size_t size : kSizes) {
    const std::string message = Pattern(size);
    ws.ping(websocket::ping_data("ping " + std::to_string(size)));
    ws.write(asio::buffer(message));
    ASSERT_EQ(ReadMessage(ws), message);
    EXPECT_EQ(pong, "ping " + std::to_string(size));
  }
  ws.close({websocket::close_code::going_away, "bye"});
  const auto [cause, detail] = node.Accepted().WaitClosed();
  EXPECT_EQ(cause, CloseCause::kPeerClosed);
  EXPECT_EQ(detail, "close frame 1001: bye");
}

TEST(AgainstBeast, ItsServer_GetsOurMessages_AndOurClose) {
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  beast::error_code ended;
  websocket::close_reason reason;
  std::thread server([&] {
    BeastSocket ws(acceptor.accept());
    ws.accept();
    Configure(ws);
    ws.ping("are you there");  // right behind the answer to the upgrade
    for (;;) {
      beast::flat_buffer buffer;
      ws.read(buffer, ended);
      if (ended) break;
      ws.write(buffer.data());
    }
    reason = ws.reason();
  });
  Node node;
  auto client = node.Dial("http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  ASSERT_TRUE(client.ok()) << client.status();
  for (const size_t size : kSizes) (*client)->Send(Pattern(size));
  for (const size_t size : kSizes) ASSERT_EQ((*client)->NextMessage(), Pattern(size));
  (*client)->Close(CloseCode::kGoingAway, "we stop");
  EXPECT_EQ((*client)->WaitClosed().first, CloseCause::kLocalClose);
  server.join();
  EXPECT_EQ(ended, websocket::error::closed);
  EXPECT_EQ(reason.code, 1001);
  EXPECT_EQ(std::string(reason.reason.c_str()), "we stop");
}

}  // namespace
}  // namespace grid::live
