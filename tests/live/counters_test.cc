// What a stranger on a real socket leaves in the counters: every way to be refused, and ways to end
// a connection; and that no two frames are masked alike.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "grid/runtime/handshake.h"
#include "serialization/control_payloads.h"
#include "serialization/message.h"
#include "tests/live/embedding_kit.h"
#include "tests/live/raw_socket.h"
#include "tests/live/transport_kit.h"

namespace grid::live {
namespace {

constexpr HandlerId kWorkerHandler{90};

class Counters : public testing::Test {
 protected:
  void Start(ManagerOptions options = NodeOptions("http://127.0.0.1:9")) {
    peer_ = NameFor(options.local);
    node_ = NewNode(options, peer_, false);
    ASSERT_TRUE(node_
                    ->RegisterSingle({.id = kWorkerHandler, .run_on = RunOn::kWorkerPool},
                                     [this](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
                                       ++worker_requests_;
                                       return Buffer();
                                     })
                    .ok());
    ASSERT_TRUE(node_->Start().ok());
    const auto port = node_->Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }
  void ExpectRefused(const std::string& request, const std::string& reason) {
    RawSocket socket(port_);
    socket.Send(request);
    socket.ReadAll();
    EXPECT_TRUE(WaitFor([&] { return Refused(*node_, reason) == 1; })) << reason;
  }
  static std::string Changed(const std::string& from, const std::string& to) {
    std::string request = UpgradeRequest();
    return request.replace(request.find(from), from.size(), to);
  }
  ConnectRequest Hello() const {
    return {InstanceId{}, peer_, ToWireTime(RealClock()->WallNow()), "secret"};
  }
  static std::string Binary(BytesView message) {
    return Frame(0x82, std::string(AsText(message)), true);
  }
  // A socket that has been upgraded.
  RawSocket Upgraded() {
    RawSocket socket(port_);
    socket.Send(UpgradeRequest());
    EXPECT_TRUE(socket.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 101"));
    return socket;
  }
  void ExpectConnectRefused(const std::string& frame, const std::string& reason) {
    RawSocket socket = Upgraded();
    socket.Send(frame);
    socket.ReadAll();
    EXPECT_TRUE(WaitFor([&] { return Refused(*node_, reason) == 1; })) << reason;
  }
  // One that is connected as the peer.
  RawSocket Connected() {
    RawSocket socket = Upgraded();
    socket.Send(Binary(EncodeConnect(Hello()).view()));
    EXPECT_TRUE(
        WaitFor([&] { return node_->Connection(peer_).state() == ConnectionState::kConnected; }));
    return socket;
  }
  void ExpectClosed(const std::string& bytes, const std::string& reason) {
    RawSocket socket = Connected();
    socket.Send(bytes);
    EXPECT_TRUE(WaitFor([&] { return Dropped(*node_, reason) == 1; })) << reason;
    socket.Close();
    EXPECT_TRUE(
        WaitFor([&] { return node_->Connection(peer_).state() != ConnectionState::kConnected; }));
  }

  std::atomic<int> worker_requests_ = 0;
  std::string peer_;
  std::unique_ptr<Manager> node_;
  uint16_t port_ = 0;
};

TEST_F(Counters, HttpRefusals) {
  Start();
  ExpectRefused(Changed("/minio/grid/v1", "/other"), "http-bad-path");
  ExpectRefused(Changed("GET", "PUT"), "http-bad-method");
  ExpectRefused(Changed("Upgrade: websocket", "Upgrade: h2c"), "http-not-upgrade");
  ExpectRefused(Changed("Version: 13", "Version: 12"), "http-bad-version");
  ExpectRefused("no HTTP\r\n\r\n", "http-bad-request");
  ExpectRefused(UpgradeRequest("", "guess"), "http-bad-token");
  EXPECT_EQ(node_->Stats().refused.size(), 6u);
  EXPECT_EQ(node_->Stats().accepted, 0u);
}

TEST_F(Counters, PreHandshakeLimitAndTimeout) {
  ManagerOptions options = NodeOptions("http://127.0.0.1:9");
  options.limits.max_pre_handshake = 1;
  options.timeouts.handshake = std::chrono::milliseconds(300);
  Start(options);
  RawSocket silent(port_);
  RawSocket second(port_);
  EXPECT_EQ(second.ReadAll(), "");
  // Counted once the handshake is over, which its own thread says after the close.
  EXPECT_TRUE(WaitFor([&] { return Refused(*node_, "pre-handshake-limit") == 1; }));
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_TRUE(WaitFor([&] { return Refused(*node_, "handshake-timeout") == 1; }));
  EXPECT_TRUE(WaitFor([&] { return node_->Stats().handshakes_pending == 0; }));
}

TEST_F(Counters, Tls) {
  Start(NodeOptions("https://127.0.0.1:9"));
  ExpectRefused(UpgradeRequest(), "tls");
}

TEST_F(Counters, ConnectRefusals) {
  Start();
  ExpectConnectRefused(Frame(0x82, "what", true), "not-connect");
  ConnectRequest hello = Hello();
  hello.host = "http://nobody:1";
  ExpectConnectRefused(Binary(EncodeConnect(hello).view()), "unknown-host");
  hello = Hello();
  hello.time = ToWireTime(RealClock()->WallNow() - std::chrono::hours(1));
  ExpectConnectRefused(Binary(EncodeConnect(hello).view()), "clock-skew");
  hello = Hello();
  hello.token = "guess";
  ExpectConnectRefused(Binary(EncodeConnect(hello).view()), "bad-token");
  hello = Hello();
  hello.host = NameFor(node_->local(), false);
  ASSERT_TRUE(node_->AddPeer(hello.host).ok());
  ExpectConnectRefused(Binary(EncodeConnect(hello).view()), "wrong-side");
  EXPECT_EQ(node_->Stats().accepted, 5u);
}

// What one read brings goes to the workers together, also when it ends the connection.
TEST_F(Counters, RequestInFrontOfABadFrame_ReachesAWorker) {
  Start();
  const Message request{
      .mux_id = 1, .deadline_ms = 60'000, .handler = kWorkerHandler.value(), .op = Op::kRequest};
  std::string bytes(EncodedSize(request), '\0');
  EncodeMessage(request, reinterpret_cast<uint8_t*>(bytes.data()));
  ExpectClosed(Frame(0x82, bytes, true) + Frame(0x81, "text", true), "close-text-frame");
  EXPECT_TRUE(WaitFor([&] { return worker_requests_ == 1; }));
  EXPECT_EQ(node_->Stats().worker_queue, 0u);
  node_->Stop();  // which waits for the request
}

TEST_F(Counters, WaysToEndAConnection) {
  ManagerOptions options = NodeOptions("http://127.0.0.1:9");
  options.limits.max_message_bytes = 64 << 10;
  Start(options);
  ExpectClosed(Frame(0x81, "text", true), "close-text-frame");
  ExpectClosed(Frame(0xC2, "reserved", true), "close-bad-frame");
  ExpectClosed(Frame(0x82, std::string((64 << 10) + 1, 'x'), true), "close-message-too-big");
  ExpectClosed(Frame(0x82, "no message", true), "close-malformed-message");
  Message request{.mux_id = 1, .deadline_ms = 1000, .op = Op::kRequest, .flags = kFlagCrc};
  std::string bytes(EncodedSize(request), '\0');
  EncodeMessage(request, reinterpret_cast<uint8_t*>(bytes.data()));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  ExpectClosed(Frame(0x82, bytes, true), "close-bad-checksum");
  const Message merged{.seq = 3, .op = Op::kMerged};
  bytes.assign(EncodedSize(merged), '\0');
  EncodeMessage(merged, reinterpret_cast<uint8_t*>(bytes.data()));
  ExpectClosed(Frame(0x82, bytes, true), "close-bad-merged");
  const Message leaving{.op = Op::kDisconnect};
  bytes.assign(EncodedSize(leaving), '\0');
  EncodeMessage(leaving, reinterpret_cast<uint8_t*>(bytes.data()));
  ExpectClosed(Frame(0x82, bytes, true), "close-peer-disconnect");
  ExpectClosed(CloseFrame(1000, "", true), "close-peer-closed");
}

TEST_F(Counters, ReplacedAndShutDown) {
  Start();
  RawSocket first = Connected();
  RawSocket second = Upgraded();
  second.Send(Binary(EncodeConnect(Hello()).view()));
  EXPECT_TRUE(WaitFor([&] { return Dropped(*node_, "close-replaced") == 1; }));
  EXPECT_TRUE(WaitFor([&] { return node_->Stats().total.reconnects == 1; }));
  node_->Stop();
  EXPECT_EQ(Dropped(*node_, "close-shutdown"), 1u);
}

// --- Masking ---

// What RFC 6455 wants as the answer to a client's key.
std::string AcceptKey(const std::string& request) {
  const std::string field = "Sec-WebSocket-Key: ";
  const size_t at = request.find(field) + field.size();
  const std::string text =
      request.substr(at, request.find('\r', at) - at) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, 20> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  std::array<unsigned char, 32> encoded{};
  EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
  return reinterpret_cast<const char*>(encoded.data());
}

TEST(Masking, NoTwoFramesCarryTheSameKey) {
  constexpr int kFrames = 600;
  const std::string payload = "0123456789";
  RawServer server;
  std::set<std::string> keys;
  std::thread serving([&] {
    RawSocket socket = server.Accept();
    const std::string request = socket.ReadUntil("\r\n\r\n");
    socket.Send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        AcceptKey(request) + "\r\n\r\n");
    for (int i = 0; i < kFrames; ++i) {
      const std::string frame = socket.Read(2 + 4 + payload.size());
      ASSERT_EQ(frame.substr(0, 2), std::string("\x82\x8A"));
      std::string unmasked = frame.substr(6);
      for (size_t at = 0; at < unmasked.size(); ++at) {
        unmasked[at] = static_cast<char>(unmasked[at] ^ frame[2 + at % 4]);
      }
      EXPECT_EQ(unmasked, payload);
      keys.insert(frame.substr(2, 4));
    }
  });
  Node node;
  auto client = node.Dial(server.url());
  EXPECT_TRUE(client.ok()) << client.status();
  if (client.ok()) {
    for (int i = 0; i < kFrames; ++i) (*client)->Send(payload);
  }
  serving.join();
  // By chance two of so few are equal once in 20 000 runs.
  EXPECT_EQ(keys.size(), static_cast<size_t>(kFrames));
}

}  // namespace
}  // namespace grid::live
