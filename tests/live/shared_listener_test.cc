// Several managers on one port.
#include "grid/shared_listener.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/live/embedding_kit.h"
#include "tests/live/raw_socket.h"

namespace grid::live {
namespace {

std::string Get(const std::string& path) {
  std::string text = UpgradeRequest();
  return text.replace(text.find("/minio/grid/v1"), 14, path);
}

std::string Answer(uint16_t port, const std::string& request) {
  RawSocket socket(port);
  socket.Send(request);
  return socket.ReadUntil("\r\n\r\n").substr(0, 12);
}

SharedListenerOptions Quiet(bool tls = false) {
  SharedListenerOptions options;
  options.log = NullLog();
  if (tls) options.tls = SharedNodePki().Files();
  return options;
}

class SharedListenerTls : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Plain, SharedListenerTls, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Tls, SharedListenerTls, testing::Values(true));

TEST_P(SharedListenerTls, EachRouteReachesItsManager) {
  SharedListener listener(Quiet(GetParam()));
  const auto port = listener.Start("127.0.0.1:0");
  ASSERT_TRUE(port.ok()) << port.status();
  const std::string name = NameOf(*port, GetParam());
  const std::string dialer = NameFor(name);
  std::vector<std::unique_ptr<Manager>> nodes, dialers;
  for (const char* route : {"/a", "/b"}) {
    ManagerOptions options = NodeOptions(name);
    options.route = route;
    options.io_threads = 2;
    nodes.push_back(NewNode(options, dialer));
    ASSERT_TRUE(listener.AddRoute(*nodes.back()).ok());
    options = NodeOptions(dialer);
    options.route = route;
    dialers.push_back(NewNode(options, name));
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_TRUE(Echo(*dialers[i], name).ok());
    EXPECT_TRUE(Echo(*nodes[i], dialer).ok());
    EXPECT_EQ(nodes[i]->Stats().accepted, 1u);
    EXPECT_EQ(nodes[i]->Stats().handshakes_pending, 0u);
  }
  // Connections stay without the listener, and one manager's end is none of the other's.
  listener.Stop();
  nodes[0]->Stop();
  EXPECT_TRUE(Echo(*dialers[1], name).ok());
}

class SharedListenerTest : public testing::Test {
 protected:
  void Listen(SharedListenerOptions options = Quiet()) {
    listener_ = std::make_unique<SharedListener>(options);
    const auto port = listener_->Start("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }
  std::unique_ptr<Manager> Node(const std::string& route, bool start = true) {
    ManagerOptions options = NodeOptions(NameOf(port_));
    options.route = route;
    options.limits.max_pre_handshake = 1;
    return NewNode(options, "", start);
  }
  uint64_t Turned(const std::string& reason) const { return listener_->Refused()[reason]; }

  std::unique_ptr<SharedListener> listener_;
  uint16_t port_ = 0;
};

TEST_F(SharedListenerTest, UnknownStoppedAndRemovedRoutes_Are404) {
  Listen();
  auto a = Node("/a", false);
  ASSERT_TRUE(listener_->AddRoute(*a).ok());
  EXPECT_EQ(Answer(port_, Get("/none")), "HTTP/1.1 404");
  EXPECT_EQ(Answer(port_, Get("/a")), "HTTP/1.1 404");  // not started
  ASSERT_TRUE(a->Start().ok());
  EXPECT_EQ(Answer(port_, Get("/a?x=y")), "HTTP/1.1 101");
  a->Stop();
  EXPECT_EQ(Answer(port_, Get("/a")), "HTTP/1.1 404");
  auto b = Node("/b");
  ASSERT_TRUE(listener_->AddRoute(*b).ok());
  ASSERT_TRUE(listener_->RemoveRoute(*b).ok());
  EXPECT_EQ(listener_->RemoveRoute(*b).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Answer(port_, Get("/b")), "HTTP/1.1 404");
  EXPECT_EQ(Turned("http-bad-path"), 4u);
}

TEST_F(SharedListenerTest, ManagerThatIsGone_LeavesItsRouteToAnother) {
  Listen();
  auto a = Node("/a");
  auto other = Node("/a");
  ASSERT_TRUE(listener_->AddRoute(*a).ok());
  EXPECT_TRUE(listener_->AddRoute(*a).ok());
  EXPECT_EQ(listener_->AddRoute(*other).code(), absl::StatusCode::kAlreadyExists);
  a.reset();
  EXPECT_EQ(Answer(port_, Get("/a")), "HTTP/1.1 404");
  EXPECT_TRUE(listener_->AddRoute(*other).ok());
  EXPECT_EQ(Answer(port_, Get("/a")), "HTTP/1.1 101");
}

TEST_F(SharedListenerTest, TokenIsTheManagersToCheck) {
  Listen();
  auto a = Node("/a");
  ASSERT_TRUE(listener_->AddRoute(*a).ok());
  std::string request = Get("/a");
  request.replace(request.find("secret"), 6, "guess!");
  EXPECT_EQ(Answer(port_, request), "HTTP/1.1 403");
  EXPECT_TRUE(WaitFor([&] { return Refused(*a, "http-bad-token") == 1; }));
  EXPECT_TRUE(listener_->Refused().empty());
}

TEST_F(SharedListenerTest, ManagersLimit_Is503) {
  Listen();
  auto a = Node("/a");
  ASSERT_TRUE(listener_->AddRoute(*a).ok());
  RawSocket waiting(port_);
  waiting.Send(Get("/a"));
  waiting.ReadUntil("\r\n\r\n");
  EXPECT_EQ(Answer(port_, Get("/a")), "HTTP/1.1 503");
  EXPECT_TRUE(WaitFor([&] { return Refused(*a, "pre-handshake-limit") == 1; }));
}

TEST_F(SharedListenerTest, OwnLimitAndTimeout_AreCounted) {
  SharedListenerOptions options = Quiet();
  options.max_pre_handshake = 1;
  options.handshake = std::chrono::milliseconds(300);
  Listen(options);
  RawSocket silent(port_);
  RawSocket second(port_);
  EXPECT_EQ(second.ReadAll(), "");
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_EQ(Turned("pre-handshake-limit"), 1u);
  EXPECT_EQ(Turned("handshake-timeout"), 1u);
}

TEST_F(SharedListenerTest, NamesMustFitTheListener) {
  Listen();
  auto secure = NewNode(NodeOptions(NameOf(port_, true)), "");
  EXPECT_EQ(listener_->AddRoute(*secure).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(listener_->Start("127.0.0.1:0").status().code(), absl::StatusCode::kFailedPrecondition);
  listener_->Stop();
  EXPECT_EQ(listener_->Start("127.0.0.1:0").status().code(), absl::StatusCode::kFailedPrecondition);
  SharedListener unused(Quiet());
  EXPECT_EQ(unused.Start("nonsense").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SharedListenerTest, StopWithConnectionsOnTheWay_Returns) {
  Listen();
  auto a = Node("/a");
  ASSERT_TRUE(listener_->AddRoute(*a).ok());
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([port = port_] {
      for (int n = 0; n < 20; ++n) {
        RawSocket socket(port);
        if (!socket.Send(Get(n % 2 == 0 ? "/a" : "/none"))) return;
        if (socket.Read(12).empty()) return;
      }
    });
    if (i == 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  a->Stop();
  for (std::thread& client : clients) client.join();
  RawSocket silent(port_);
  listener_->Stop();
  EXPECT_EQ(silent.ReadAll(), "");
}

}  // namespace
}  // namespace grid::live
