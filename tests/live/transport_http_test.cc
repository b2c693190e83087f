// What a listener makes of HTTP requests, and a dialler of HTTP answers.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/live/raw_socket.h"
#include "tests/live/transport_kit.h"

namespace grid::live {
namespace {

// Everything that comes back for `request`, until the listener closes.
std::string Exchange(uint16_t port, const std::string& request) {
  RawSocket socket(port);
  socket.Send(request);
  return socket.ReadAll();
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

struct RefusalCase {
  const char* name;
  std::string request;
  std::string status;
  HttpRefusal kind;
};

class HttpRefusals : public testing::TestWithParam<RefusalCase> {};

TEST_P(HttpRefusals, AreAnsweredAndClosed) {
  Node node;
  node.Listen();
  const std::string answer = Exchange(node.port(), GetParam().request);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + GetParam().status + " ")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\n")) << answer;
  EXPECT_EQ(answer.find("Sec-WebSocket-Version: 13") != std::string::npos,
            GetParam().status == "426");
  node.WaitRefused(GetParam().kind);
  EXPECT_EQ(node.accepted_count(), 0u);
  while (node.gate->pending() != 0) std::this_thread::yield();
}

const std::string kRoute = "/minio/grid/v1";

INSTANTIATE_TEST_SUITE_P(
    , HttpRefusals,
    testing::Values(
        RefusalCase{"OtherPath", Replace(UpgradeRequest(), kRoute, "/other"), "404",
                    HttpRefusal::kBadPath},
        RefusalCase{"TrailingSlash", Replace(UpgradeRequest(), kRoute, kRoute + "/"), "404",
                    HttpRefusal::kBadPath},
        RefusalCase{"Post", Replace(UpgradeRequest(), "GET", "POST"), "405",
                    HttpRefusal::kBadMethod},
        RefusalCase{"PostToOtherPath_PathFirst", "POST /x HTTP/1.1\r\nHost: a\r\n\r\n", "404",
                    HttpRefusal::kBadPath},
        RefusalCase{"PlainGet", "GET /minio/grid/v1 HTTP/1.1\r\nHost: a\r\n\r\n", "400",
                    HttpRefusal::kNotUpgrade},
        RefusalCase{"NoUpgradeField", Replace(UpgradeRequest(), "Upgrade: websocket\r\n", ""),
                    "400", HttpRefusal::kNotUpgrade},
        RefusalCase{"NoKey", Replace(UpgradeRequest(), "Sec-WebSocket-Key", "X-Key"), "400",
                    HttpRefusal::kNotUpgrade},
        RefusalCase{"ShortKey", Replace(UpgradeRequest(), "dGhlIHNhbXBsZSBub25jZQ==", "dGhl"),
                    "400", HttpRefusal::kNotUpgrade},
        RefusalCase{"Http10", Replace(UpgradeRequest(), "HTTP/1.1", "HTTP/1.0"), "400",
                    HttpRefusal::kNotUpgrade},
        RefusalCase{"OldVersion", Replace(UpgradeRequest("", "bad"), "13", "8"), "426",
                    HttpRefusal::kBadVersion},
        RefusalCase{"NoVersion", Replace(UpgradeRequest(), "Sec-WebSocket-Version", "X-Version"),
                    "426", HttpRefusal::kBadVersion},
        RefusalCase{"BadToken", UpgradeRequest("", "wrong"), "403", HttpRefusal::kBadToken},
        RefusalCase{"NoToken", Replace(UpgradeRequest(), "Authorization", "X-Authorization"), "403",
                    HttpRefusal::kBadToken},
        RefusalCase{"OtherScheme", Replace(UpgradeRequest(), "Bearer", "Basic"), "403",
                    HttpRefusal::kBadToken},
        RefusalCase{"SchemeThatBeginsAlike", Replace(UpgradeRequest(), "Bearer ", "Bearersecret "),
                    "403", HttpRefusal::kBadToken},
        RefusalCase{"TwoTokens", UpgradeRequest("Authorization: Bearer other\r\n"), "400",
                    HttpRefusal::kBadRequest},
        RefusalCase{"Body", UpgradeRequest("Content-Length: 5\r\n") + "hello", "400",
                    HttpRefusal::kBadRequest},
        RefusalCase{"Chunked", UpgradeRequest("Transfer-Encoding: chunked\r\n"), "400",
                    HttpRefusal::kBadRequest},
        RefusalCase{"Garbage", "\x16\x03\x01 no HTTP at all\r\n\r\n", "400",
                    HttpRefusal::kBadRequest},
        RefusalCase{"BadField", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "400",
                    HttpRefusal::kBadRequest},
        RefusalCase{"LargeHeader", UpgradeRequest("X: " + std::string(9000, 'x') + "\r\n"), "431",
                    HttpRefusal::kBadRequest}),
    [](const auto& info) { return info.param.name; });

TEST(HttpUpgrade, AnswerHoldsOnlyWhatAnUpgradeNeeds) {
  Node node;
  node.Listen();
  RawSocket socket(node.port());
  socket.Send(
      UpgradeRequest("Sec-WebSocket-Protocol: chat\r\n"
                     "Sec-WebSocket-Extensions: permessage-deflate\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(socket.ReadUntil("\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nServer: grid\r\n\r\n");
  node.Accepted();
}

TEST(HttpUpgrade, QueryIsIgnored_SchemeInAnyCase) {
  Node node;
  node.Listen();
  RawSocket socket(node.port());
  socket.Send(Replace(Replace(UpgradeRequest(), kRoute, kRoute + "?a=b"), "Bearer ", "bEARER   "));
  EXPECT_TRUE(socket.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 101 "));
}

TEST(HttpUpgrade, FramesRightBehindTheRequest_AreNotLost) {
  Node node;
  node.Listen();
  RawSocket socket(node.port());
  socket.Send(UpgradeRequest() + Frame(0x82, "first", true) +
              Frame(0x82, std::string(6000, 'x'), true) + Frame(0x82, "third", true));
  EXPECT_EQ(node.Accepted().NextMessage(), "first");
  EXPECT_EQ(node.Accepted().NextMessage(), std::string(6000, 'x'));
  EXPECT_EQ(node.Accepted().NextMessage(), "third");
}

TEST(HttpUpgrade, RequestByteByByte_Works) {
  Node node;
  node.Listen();
  RawSocket socket(node.port());
  for (const char c : UpgradeRequest()) socket.Send(std::string(1, c));
  EXPECT_TRUE(socket.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 101 "));
}

TEST(Handshake, SlowHeader_IsCutOffAtTheTimeout) {
  Node node;
  node.Listen(
      [](ListenRequest& request) { request.handshake_timeout = std::chrono::milliseconds(300); });
  RawSocket socket(node.port());
  const auto start = std::chrono::steady_clock::now();
  socket.Send("GET /minio/grid/v1 HTTP/1.1\r\n");
  while (socket.Send("X: y\r\n")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  node.WaitRefused(HttpRefusal::kTimeout);
  EXPECT_EQ(node.gate->pending(), 0);
}

TEST(Handshake, RefusedPeerThatNeverCloses_IsCutOff) {
  Node node;
  node.Listen();
  RawSocket socket(node.port());
  socket.Send(UpgradeRequest("", "wrong"));
  node.WaitRefused(HttpRefusal::kBadToken);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (node.gate->pending() != 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(node.gate->pending(), 0);
}

TEST(Handshake, ConnectionsOverTheLimit_AreClosedAtOnce) {
  Node node;
  node.Listen([&](ListenRequest& request) {
    request.gate = node.gate = std::make_shared<HandshakeGate>(2);
  });
  RawSocket one(node.port());
  RawSocket two(node.port());
  RawSocket three(node.port());
  EXPECT_EQ(three.ReadAll(), "");
  node.WaitRefused(HttpRefusal::kTooMany);
  EXPECT_EQ(node.gate->refused(), 1u);
  // A slot that is free again can be had.
  one.Close();
  node.WaitRefused(HttpRefusal::kBadRequest);
  while (node.gate->pending() != 1) std::this_thread::yield();
  RawSocket four(node.port());
  four.Send(UpgradeRequest());
  EXPECT_TRUE(four.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 101 "));
}

TEST(Handshake, SlotIsHandedOnWithTheTransport) {
  Node node;
  node.keep_admission = true;
  node.Listen();
  auto client = node.Dial(node.url());
  ASSERT_TRUE(client.ok()) << client.status();
  node.Accepted();
  EXPECT_EQ(node.gate->pending(), 1);
}

TEST(Handshake, DestroyedListener_DropsHandshakesAndThePort) {
  Node node;
  node.Listen();
  const uint16_t port = node.port();
  RawSocket silent(port);
  silent.Send("GET /minio");
  while (node.gate->pending() != 1) std::this_thread::yield();
  node.StopListening();
  EXPECT_EQ(silent.ReadAll(), "");
  while (node.gate->pending() != 0) std::this_thread::yield();
  EXPECT_EQ(node.Dial("http://127.0.0.1:" + std::to_string(port)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(Listen, NoDescriptorsLeft_PausesAndGoesOn) {
  Node node;
  node.Listen();
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(client) + 8;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  std::vector<int> fillers;
  for (int fd = ::dup(client); fd >= 0; fd = ::dup(client)) fillers.push_back(fd);

  sockaddr_in address = RawSocket::Loopback(node.port());
  EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = UpgradeRequest();
  EXPECT_EQ(::send(client, request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  EXPECT_EQ(node.accepted_count(), 0u);

  for (const int fd : fillers) ::close(fd);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  node.Accepted();
  ::close(client);
}

TEST(Listen, PortInUse_FailsWithTheAddress) {
  Node node;
  node.Listen();
  ListenRequest request;
  request.address = "127.0.0.1:" + std::to_string(node.port());
  request.ios = {&node.thread().io()};
  const absl::Status status = node.network().Listen(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.ToString().find(request.address), std::string::npos) << status;
}

TEST(Listen, EveryAddress_TakesIpv4) {
  Node node;
  node.Listen([](ListenRequest& request) { request.address = ":0"; });
  EXPECT_TRUE(node.Dial(node.url()).ok());
}

TEST(Dial, NobodyListens_IsUnavailable) {
  Node node;
  uint16_t port = 0;
  {
    RawServer server;
    port = server.port();
  }
  const auto connection = node.Dial("http://127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(connection.status().code(), absl::StatusCode::kUnavailable) << connection.status();
}

TEST(Dial, BadArguments_AreNamed) {
  Node node;
  EXPECT_EQ(node.Dial("ftp://a").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(node.Dial("http://127.0.0.1:1", "a\r\nX: y").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Dial, NameThatDoesNotExist_Fails) {
  Node node;
  const auto connection = node.Dial("http://no-such-host.invalid:9000");
  EXPECT_FALSE(connection.ok());
}

TEST(Dial, WrongToken_IsPermissionDeniedWithTheAnswer) {
  Node node;
  node.Listen();
  const absl::Status status = node.Dial(node.url(), "wrong").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(status.ToString().find("403: wrong token"), std::string::npos) << status;
}

TEST(Dial, SilentServer_EndsAtTheTimeout) {
  Node node;
  RawServer server;
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status =
      node.Dial(server.url(), "secret", std::chrono::milliseconds(200)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_NE(status.ToString().find("HTTP upgrade"), std::string::npos) << status;
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(200));
}

// Dials a server that sees the request and then says `answer` and hangs up.
absl::Status DialAnswered(const std::string& answer, std::string* request) {
  Node node;
  RawServer server;
  std::thread answering([&] {
    RawSocket socket = server.Accept();
    *request = socket.ReadUntil("\r\n\r\n");
    socket.Send(answer);
  });
  const absl::Status status = node.Dial(server.url()).status();
  answering.join();
  return status;
}

TEST(Dial, Request_HoldsTokenAndTimeAndNoOffers) {
  std::string request;
  EXPECT_FALSE(DialAnswered("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", &request).ok());
  EXPECT_TRUE(request.starts_with("GET /minio/grid/v1 HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
  EXPECT_NE(request.find("Authorization: Bearer secret\r\n"), std::string::npos) << request;
  EXPECT_EQ(request.find("Sec-WebSocket-Protocol"), std::string::npos) << request;
  EXPECT_EQ(request.find("Sec-WebSocket-Extensions"), std::string::npos) << request;
  const size_t time = request.find("X-Minio-Time: ");
  ASSERT_NE(time, std::string::npos) << request;
  const int64_t sent = std::stoll(request.substr(time + 14));
  const int64_t now = RealClock()->WallNow().time_since_epoch().count();
  EXPECT_LT(sent, now + 1);
  EXPECT_GT(sent, now - int64_t{60} * 1'000'000'000);
}

TEST(Dial, OtherStatus_ShowsCodeAndBody) {
  std::string request;
  const absl::Status status =
      DialAnswered("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\ntoo many\n", &request);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.ToString().find("503: too many"), std::string::npos) << status;
}

TEST(Dial, AnswerThatIsNoHttp_IsUnavailable) {
  std::string request;
  EXPECT_EQ(DialAnswered("SSH-2.0-OpenSSH\r\n\r\n", &request).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(DialAnswered("", &request).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace grid::live
