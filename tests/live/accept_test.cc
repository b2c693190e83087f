// Accept: connections of a host program's own HTTP server, in every form that it may have them.
#include "grid/beast_accept.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "grid/base/clock.h"
#include "grid/testing/capture_log.h"
#include "tests/live/embedding_kit.h"
#include "tests/live/raw_socket.h"

namespace grid::live {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using ::testing::HasSubstr;
using Request = http::request<http::string_body>;

// The host program: accepts one connection at a time, on the test's thread, on an io_context that
// nobody runs.
class HostServer {
 public:
  HostServer() : acceptor_(io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    const TlsFiles files = SharedNodePki().Files();
    tls_.use_certificate_chain_file(files.certificate_file);
    tls_.use_private_key_file(files.key_file, ssl::context::pem);
  }
  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  ssl::context& tls() { return tls_; }

  tcp::socket AcceptSocket() {
    tcp::socket socket(io_);
    acceptor_.accept(socket);
    return socket;
  }
  // Reads the header of a request; what comes behind it stays in `buffer`.
  template <typename Stream>
  Request Read(Stream& stream) {
    http::request_parser<http::string_body> parser;
    http::read_header(stream, buffer, parser);
    return parser.release();
  }

  beast::flat_buffer buffer;

 private:
  asio::io_context io_;
  ssl::context tls_{ssl::context::tls_server};
  tcp::acceptor acceptor_;
};

// --- Every form of a stream ---

absl::Status AcceptPlain(HostServer& host, Manager& manager) {
  tcp::socket socket = host.AcceptSocket();
  const Request request = host.Read(socket);
  return Accept(manager, std::move(socket), request, host.buffer);
}
absl::Status AcceptTcpStream(HostServer& host, Manager& manager) {
  beast::tcp_stream stream(host.AcceptSocket());
  const Request request = host.Read(stream);
  return Accept(manager, std::move(stream), request, host.buffer);
}
absl::Status AcceptTls(HostServer& host, Manager& manager) {
  ssl::stream<tcp::socket> stream(host.AcceptSocket(), host.tls());
  stream.handshake(ssl::stream_base::server);
  const Request request = host.Read(stream);
  return Accept(manager, std::move(stream), request, host.buffer);
}
absl::Status AcceptBeastTls(HostServer& host, Manager& manager) {
  beast::ssl_stream<beast::tcp_stream> stream(beast::tcp_stream(host.AcceptSocket()), host.tls());
  stream.handshake(ssl::stream_base::server);
  const Request request = host.Read(stream);
  return Accept(manager, std::move(stream), request, host.buffer);
}
absl::Status AcceptUpgraded(HostServer& host, Manager& manager) {
  beast::websocket::stream<tcp::socket> stream(host.AcceptSocket());
  const Request request = host.Read(stream.next_layer());
  stream.accept(request);
  return Accept(manager, std::move(stream), request, host.buffer);
}
absl::Status AcceptUpgradedTls(HostServer& host, Manager& manager) {
  beast::websocket::stream<ssl::stream<tcp::socket>> stream(host.AcceptSocket(), host.tls());
  stream.next_layer().handshake(ssl::stream_base::server);
  const Request request = host.Read(stream.next_layer());
  stream.accept(request);
  return Accept(manager, std::move(stream), request, host.buffer);
}

struct Form {
  const char* name;
  bool tls;
  absl::Status (*accept)(HostServer&, Manager&);
  const char* refusal;  // how the dialer is told of a wrong token: by HTTP, or by a close frame
};

class AcceptForms : public ::testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(, AcceptForms,
                         ::testing::Values(Form{"Plain", false, AcceptPlain, "403"},
                                           Form{"TcpStream", false, AcceptTcpStream, "403"},
                                           Form{"Tls", true, AcceptTls, "403"},
                                           Form{"BeastTls", true, AcceptBeastTls, "403"},
                                           Form{"Upgraded", false, AcceptUpgraded, "1008"},
                                           Form{"UpgradedTls", true, AcceptUpgradedTls, "1008"}),
                         [](const auto& info) { return info.param.name; });

TEST_P(AcceptForms, RequestsPassBothWays_AndStopEndsIt) {
  HostServer host;
  const std::string name = NameOf(host.port(), GetParam().tls);
  const std::string dialer = NameFor(name);
  ManagerOptions options = NodeOptions(name);
  options.io_threads = 2;
  auto acceptor = NewNode(options, dialer);
  auto other = NewNode(NodeOptions(dialer), name);
  const absl::Status accepted = GetParam().accept(host, *acceptor);
  ASSERT_TRUE(accepted.ok()) << accepted;
  EXPECT_TRUE(Echo(*other, name).ok());
  EXPECT_TRUE(Echo(*acceptor, dialer).ok());
  const ManagerStats stats = acceptor->Stats();
  EXPECT_EQ(stats.accepted, 1u);
  EXPECT_EQ(stats.handshakes_pending, 0u);
  EXPECT_TRUE(stats.refused.empty());
  acceptor->Stop();
  EXPECT_TRUE(WaitFor([&] { return Dropped(*other, "close-peer-closed") == 1; }));
}

TEST_P(AcceptForms, WrongToken_IsRefusedAndCounted) {
  HostServer host;
  const std::string name = NameOf(host.port(), GetParam().tls);
  const std::string dialer = NameFor(name);
  auto acceptor = NewNode(NodeOptions(name), dialer);
  // By its log: it dials again at once, and the state is that of the next attempt.
  const auto log = std::make_shared<testing::CaptureLog>(RealClock());
  ManagerOptions options = NodeOptions(dialer, "guess");
  options.log = log;
  auto other = NewNode(std::move(options), name);
  const absl::Status accepted = GetParam().accept(host, *acceptor);
  ASSERT_TRUE(accepted.ok()) << accepted;
  EXPECT_TRUE(WaitFor([&] { return Refused(*acceptor, "http-bad-token") == 1; }));
  EXPECT_TRUE(WaitFor([&] { return log->Count(GetParam().refusal) > 0; })) << log->Text();
  EXPECT_TRUE(WaitFor([&] { return acceptor->Stats().handshakes_pending == 0; }));
  EXPECT_EQ(acceptor->Stats().accepted, 0u);
}

// --- What is left to the host ---

class AcceptTest : public ::testing::Test {
 protected:
  AcceptTest() : name_(NameOf(host_.port())), peer_(NameFor(name_)) {}
  std::unique_ptr<Manager> Start() { return NewNode(NodeOptions(name_), peer_); }

  // Accept must fail with `code` and leave the socket as it is.
  void ExpectUntouched(Manager& manager, const std::string& text, absl::StatusCode code) {
    RawSocket client(host_.port());
    client.Send(text);
    tcp::socket socket = host_.AcceptSocket();
    host_.buffer.clear();
    const Request request = host_.Read(socket);
    const absl::Status status = Accept(manager, std::move(socket), request, host_.buffer);
    EXPECT_EQ(status.code(), code) << status;
    asio::write(socket, asio::buffer("mine", 4));
    EXPECT_EQ(client.Read(4), "mine");
  }

  HostServer host_;
  const std::string name_;
  const std::string peer_;
};

TEST_F(AcceptTest, OtherPathOrNoUpgrade_IsLeftToTheHost) {
  auto manager = Start();
  ExpectUntouched(*manager, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n", absl::StatusCode::kNotFound);
  ExpectUntouched(*manager, "GET /minio/grid/v1 HTTP/1.1\r\nHost: a\r\n\r\n",
                  absl::StatusCode::kInvalidArgument);
  ExpectUntouched(*manager, "POST /minio/grid/v1 HTTP/1.1\r\nHost: a\r\n\r\n",
                  absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(manager->Stats().refused.empty());
}

TEST_F(AcceptTest, NeverStartedOrStopped_IsLeftToTheHost) {
  auto manager = NewNode(NodeOptions(name_), peer_, false);
  ExpectUntouched(*manager, UpgradeRequest(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(manager->Start().ok());
  manager->Stop();
  ExpectUntouched(*manager, UpgradeRequest(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AcceptTest, OverThePreHandshakeLimit_IsLeftToTheHost) {
  ManagerOptions options = NodeOptions(name_);
  options.limits.max_pre_handshake = 1;
  auto manager = NewNode(options, peer_);
  RawSocket first(host_.port());
  first.Send(UpgradeRequest());
  ASSERT_TRUE(AcceptPlain(host_, *manager).ok());
  first.ReadUntil("\r\n\r\n");
  ExpectUntouched(*manager, UpgradeRequest(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(WaitFor([&] { return Refused(*manager, "pre-handshake-limit") == 1; }));
  EXPECT_EQ(manager->Stats().handshakes_pending, 1u);
}

TEST_F(AcceptTest, SocketThatIsClosed_IsUnavailable) {
  auto manager = Start();
  RawSocket client(host_.port());
  client.Send(UpgradeRequest());
  tcp::socket socket = host_.AcceptSocket();
  const Request request = host_.Read(socket);
  socket.close();
  EXPECT_EQ(Accept(*manager, std::move(socket), request).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(manager->Stats().handshakes_pending, 0u);
}

TEST_F(AcceptTest, TooManyBytesBehindTheRequest_AreRefused) {
  auto manager = Start();
  RawSocket client(host_.port());
  client.Send(UpgradeRequest());
  tcp::socket socket = host_.AcceptSocket();
  const Request request = host_.Read(socket);
  EXPECT_EQ(Accept(*manager, std::move(socket), request, std::string((64 << 10) + 1, 'x')).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(socket.is_open());
}

// --- What the manager answers itself ---

TEST_F(AcceptTest, OldWebSocketVersion_IsAnswered426) {
  auto manager = Start();
  RawSocket client(host_.port());
  std::string text = UpgradeRequest();
  text.replace(text.find("Version: 13"), 11, "Version: 8");
  client.Send(text);
  ASSERT_TRUE(AcceptPlain(host_, *manager).ok());
  EXPECT_THAT(client.ReadAll(), ::testing::StartsWith("HTTP/1.1 426 "));
  EXPECT_TRUE(WaitFor([&] { return Refused(*manager, "http-bad-version") == 1; }));
}

TEST_F(AcceptTest, BodyAnnounced_IsAnswered400) {
  auto manager = Start();
  RawSocket client(host_.port());
  client.Send(UpgradeRequest("Content-Length: 5\r\n") + "hello");
  ASSERT_TRUE(AcceptPlain(host_, *manager).ok());
  EXPECT_THAT(client.ReadAll(), ::testing::StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(WaitFor([&] { return Refused(*manager, "http-bad-request") == 1; }));
}

TEST_F(AcceptTest, WrongTokenAfterTheHostsUpgrade_IsACloseFrame) {
  auto manager = Start();
  RawSocket client(host_.port());
  client.Send(UpgradeRequest("", "guess"));
  ASSERT_TRUE(AcceptUpgraded(host_, *manager).ok());
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), ::testing::StartsWith("HTTP/1.1 101 "));
  const std::string frame = client.ReadAll();
  EXPECT_EQ(frame.substr(0, 4).substr(2), std::string("\x03\xF0"));  // 1008
  EXPECT_THAT(frame, HasSubstr("wrong token"));
  EXPECT_TRUE(WaitFor([&] { return Refused(*manager, "http-bad-token") == 1; }));
}

TEST_F(AcceptTest, NoConnectInTime_IsClosedAndCounted) {
  ManagerOptions options = NodeOptions(name_);
  options.timeouts.handshake = std::chrono::milliseconds(50);
  auto manager = NewNode(options, peer_);
  RawSocket client(host_.port());
  client.Send(UpgradeRequest());
  ASSERT_TRUE(AcceptPlain(host_, *manager).ok());
  EXPECT_TRUE(WaitFor([&] { return Refused(*manager, "handshake-timeout") == 1; }));
  client.Close();
  EXPECT_TRUE(WaitFor([&] { return manager->Stats().handshakes_pending == 0; }));
}

TEST_F(AcceptTest, StopInTheMiddleOfTheHandshake_ClosesIt) {
  auto manager = Start();
  RawSocket client(host_.port());
  client.Send(UpgradeRequest());
  ASSERT_TRUE(AcceptPlain(host_, *manager).ok());
  client.ReadUntil("\r\n\r\n");
  manager->Stop();
  client.ReadAll();  // a close frame, perhaps, and the end
}

// --- Bytes that came too early ---

constexpr uint8_t kPing = 0x89;
const std::string kPong = std::string("\x8A\x05", 2) + "early";

TEST_F(AcceptTest, FramesBehindTheRequest_AreNotLost) {
  auto manager = Start();
  RawSocket client(host_.port());
  client.Send(UpgradeRequest() + Frame(kPing, "early", true));
  ASSERT_TRUE(AcceptPlain(host_, *manager).ok());
  client.ReadUntil("\r\n\r\n");
  EXPECT_EQ(client.Read(kPong.size()), kPong);
}

TEST_F(AcceptTest, FramesThatTlsHasReadAhead_AreNotLost) {
  const std::string name = NameOf(host_.port(), true);
  auto manager = NewNode(NodeOptions(name), NameFor(name));
  asio::io_context io;
  ssl::context context(ssl::context::tls_client);
  ssl::stream<tcp::socket> client(io, context);
  client.next_layer().connect({asio::ip::make_address("127.0.0.1"), host_.port()});
  ssl::stream<tcp::socket> stream(host_.AcceptSocket(), host_.tls());
  std::thread shaking([&] { stream.handshake(ssl::stream_base::server); });
  client.handshake(ssl::stream_base::client);
  shaking.join();
  // Records of their own: one read of the host's gets both from the socket, and hands on the first.
  asio::write(client, asio::buffer(UpgradeRequest()));
  asio::write(client, asio::buffer(Frame(kPing, "early", true)));
  ASSERT_TRUE(
      WaitFor([&] { return stream.next_layer().available() > UpgradeRequest().size() + 40; }));
  const Request request = host_.Read(stream);
  EXPECT_EQ(host_.buffer.size(), 0u);
  ASSERT_TRUE(Accept(*manager, std::move(stream), request, host_.buffer).ok());
  std::string answer;
  while (answer.find(kPong) == std::string::npos) {
    char bytes[512];
    answer.append(bytes, client.read_some(asio::buffer(bytes)));
  }
  EXPECT_THAT(answer, ::testing::StartsWith("HTTP/1.1 101 "));
}

}  // namespace
}  // namespace grid::live
