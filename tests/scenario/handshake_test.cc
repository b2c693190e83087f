// Who may connect: the acceptor's checks and what the dialler makes of a refusal.
#include <utility>

#include "grid/transport/network.h"
#include "serialization/control_payloads.h"
#include "serialization/message.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

class HandshakeTest : public ScenarioTest {
 protected:
  // Node 0 dials node 1. Runs for ten seconds, in which they must not get connected.
  void StartRefused(std::function<void(int, ManagerOptions&)> adjust) {
    Make({.names = testing::NamesForDialDirection(true), .adjust = std::move(adjust)});
    ASSERT_TRUE(cluster().Start(0).ok());
    ASSERT_TRUE(cluster().Start(1).ok());
    cluster().RunFor(seconds(10));
    EXPECT_FALSE(cluster().Connected(0, 1));
    EXPECT_NE(cluster().Peer(0, 1).state(), ConnectionState::kConnected);
  }
  uint64_t Refused(int node, const std::string& reason) {
    const ManagerStats stats = cluster().manager(node).Stats();
    const auto found = stats.refused.find(reason);
    return found == stats.refused.end() ? 0 : found->second;
  }
};

TEST_F(HandshakeTest, WrongClock_IsRefusedWithTheReason) {
  StartRefused([this](int node, ManagerOptions& options) {
    if (node != 0) return;
    options.clock =
        std::make_shared<testing::SkewedClock>(cluster().shared_clock(), minutes(5) + seconds(2));
  });
  EXPECT_GE(Refused(1, "clock-skew"), 4u);
  EXPECT_EQ(cluster().log(0).Count("clock", LogLevel::kWarning), 1u);
}

TEST_F(HandshakeTest, AlmostWrongClock_IsAccepted) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [this](int node, ManagerOptions& options) {
          if (node != 0) return;
          options.clock = std::make_shared<testing::SkewedClock>(cluster().shared_clock(),
                                                                 -(minutes(5) - seconds(2)));
        }});
  EXPECT_TRUE(cluster().StartAll());
}

TEST_F(HandshakeTest, WrongToken_IsRefusedAtTheUpgrade) {
  StartRefused(
      [](int node, ManagerOptions& options) { options.token = node == 0 ? "guess" : "secret"; });
  EXPECT_GE(Refused(1, "bad-token"), 4u);
  EXPECT_EQ(cluster().log(0).Count("403", LogLevel::kWarning), 1u);
}

TEST_F(HandshakeTest, NoToken_AcceptsEverybody) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [](int node, ManagerOptions& options) {
          if (node == 0) options.token = "unasked";
        }});
  EXPECT_TRUE(cluster().StartAll());
}

TEST_F(HandshakeTest, WrongRoute_IsRefusedAtTheUpgrade) {
  StartRefused([](int node, ManagerOptions& options) {
    if (node == 0) options.route = "/other";
  });
  EXPECT_EQ(cluster().log(0).Count("404", LogLevel::kWarning), 1u);
}

TEST_F(HandshakeTest, UnknownHost_IsRefusedWithTheReason) {
  Make({.names = testing::NamesForDialDirection(true), .add_peers = false});
  ASSERT_TRUE(cluster().Start(0).ok());
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().manager(0).AddPeer(cluster().name(1)).ok());
  cluster().RunFor(seconds(10));
  EXPECT_NE(cluster().Peer(0, 1).state(), ConnectionState::kConnected);
  EXPECT_GE(Refused(1, "unknown-host"), 4u);
  EXPECT_EQ(cluster().log(0).Count("unknown", LogLevel::kWarning), 1u);
  // Known at last: the next attempt succeeds.
  ASSERT_TRUE(cluster().manager(1).AddPeer(cluster().name(0)).ok());
  EXPECT_TRUE(cluster().RunUntilConnected(0, 1));
}

// A dialler that speaks for itself: sends bytes, hears bytes.
class RawDialer final : public TransportHandler {
 public:
  void OnMessage(BytesView message) override { heard.emplace_back(AsText(message)); }
  void OnWritten() override {}
  void OnClosed(CloseCause, std::string_view detail) override {
    closed = true;
    close_detail = detail;
  }
  void Send(const Message& message) {
    sent.resize(EncodedSize(message));
    EncodeMessage(message, sent.data());
    transport->Write(sent);
  }
  // The answer to a Connect.
  ConnectResponse Response() const {
    Message message;
    ConnectResponse response;
    if (heard.empty()) return response;
    EXPECT_EQ(DecodeMessage(AsBytes(heard[0]), &message), DecodeError::kOk);
    EXPECT_EQ(message.op, Op::kConnectResponse);
    EXPECT_TRUE(Decode(message.payload, &response).ok());
    return response;
  }

  std::vector<uint8_t> sent;
  std::vector<std::string> heard;
  bool closed = false;
  std::string close_detail;
  std::unique_ptr<Transport> transport;  // first to go
};

class RawHandshakeTest : public HandshakeTest {
 protected:
  void SetUp() override {
    Make({.nodes = 1, .adjust = [](int, ManagerOptions& options) { options.token = "secret"; }});
    ASSERT_TRUE(cluster().Start(0).ok());
  }
  // Dials node 0 under the name `host`.
  void Dial(const std::string& host) {
    host_ = host;
    cluster().network().Host(host)->Dial(
        {&cluster().io(), cluster().name(0), "/minio/grid/v1", "secret", seconds(2)},
        [this](DialResult result) {
          ASSERT_TRUE(result.ok()) << result.status();
          raw_.transport = *std::move(result);
          raw_.transport->Start(&raw_);
        });
    ASSERT_TRUE(cluster().RunUntil([&] { return raw_.transport != nullptr; }, seconds(1)));
  }
  void SendConnect(const std::string& token) {
    const auto now = cluster().clock().WallNow().time_since_epoch();
    ConnectRequest request;
    request.id = {1, 2, 3};
    request.host = host_;
    request.time = {std::chrono::floor<seconds>(now).count(), 0};
    request.token = token;
    Buffer payload;
    Encode(request, &payload);
    raw_.Send({.op = Op::kConnect, .payload = payload});
    cluster().RunFor(milliseconds(10));
  }
  // A name that has to dial node 0, or must not.
  std::string NameThatDials(bool dials) {
    for (int port = 1;; ++port) {
      const std::string name = "http://raw:" + std::to_string(port);
      if (ShouldDial(name, cluster().name(0)) == dials) return name;
    }
  }

  RawDialer raw_;
  std::string host_;
};

TEST_F(RawHandshakeTest, GoodConnect_IsAccepted) {
  ASSERT_TRUE(cluster().manager(0).AddPeer(NameThatDials(true)).ok());
  Dial(NameThatDials(true));
  SendConnect("secret");
  EXPECT_TRUE(raw_.Response().accepted) << raw_.Response().rejected_reason;
  EXPECT_EQ(cluster().manager(0).Connection(host_).state(), ConnectionState::kConnected);
  EXPECT_EQ(cluster().manager(0).Stats().accepted, 1u);
  EXPECT_EQ(cluster().manager(0).Stats().handshakes_pending, 0u);
}

TEST_F(RawHandshakeTest, WrongSide_IsRefused) {
  ASSERT_TRUE(cluster().manager(0).AddPeer(NameThatDials(false)).ok());
  Dial(NameThatDials(false));
  SendConnect("secret");
  EXPECT_FALSE(raw_.Response().accepted);
  EXPECT_NE(raw_.Response().rejected_reason, "");
  EXPECT_EQ(Refused(0, "wrong-side"), 1u);
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(raw_.closed);
}

TEST_F(RawHandshakeTest, WrongTokenInConnect_IsRefused) {
  ASSERT_TRUE(cluster().manager(0).AddPeer(NameThatDials(true)).ok());
  Dial(NameThatDials(true));
  SendConnect("guess");
  EXPECT_FALSE(raw_.Response().accepted);
  EXPECT_EQ(Refused(0, "bad-token"), 1u);
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(raw_.closed);
}

TEST_F(RawHandshakeTest, FirstMessageThatIsNotConnect_IsRefused) {
  Dial(NameThatDials(true));
  raw_.Send({.mux_id = 1, .handler = 78, .op = Op::kRequest, .flags = kFlagEof});
  cluster().RunFor(seconds(2));
  EXPECT_FALSE(raw_.Response().accepted);
  EXPECT_NE(raw_.Response().rejected_reason, "");
  EXPECT_EQ(Refused(0, "not-connect"), 1u);
  EXPECT_TRUE(raw_.closed);
}

TEST_F(RawHandshakeTest, Silence_IsEndedAfterTenSeconds) {
  Dial(NameThatDials(true));
  const TimePoint start = cluster().Now();
  EXPECT_EQ(cluster().manager(0).Stats().handshakes_pending, 1u);
  ASSERT_TRUE(cluster().RunUntil([&] { return raw_.closed; }, minutes(1)));
  EXPECT_GE(cluster().Now() - start, milliseconds(9'990));
  EXPECT_LE(cluster().Now() - start, milliseconds(10'010));
  cluster().RunFor(seconds(2));
  EXPECT_EQ(cluster().manager(0).Stats().handshakes_pending, 0u);
  EXPECT_EQ(Refused(0, "handshake-timeout"), 1u);
}

// Version 1 servers keep no order between the end of an old connection and the beginning of the
// next.
TEST_F(RawHandshakeTest, SecondConnectionOfAHost_ReplacesTheFirst) {
  ASSERT_TRUE(cluster().manager(0).AddPeer(NameThatDials(true)).ok());
  Dial(NameThatDials(true));
  SendConnect("secret");
  ASSERT_TRUE(raw_.Response().accepted);
  ReplyProbe outgoing("call on the first connection");
  cluster().manager(0).Connection(host_).Request(kEcho, {}, {}, outgoing.Handler());
  cluster().RunFor(seconds(1));
  EXPECT_FALSE(outgoing.done());

  const std::unique_ptr<Transport> first = std::move(raw_.transport);
  RawDialer old;
  first->SetHandler(&old);
  raw_.heard.clear();
  Dial(NameThatDials(true));
  SendConnect("secret");
  EXPECT_TRUE(raw_.Response().accepted);
  ASSERT_TRUE(outgoing.done());
  EXPECT_TRUE(IsDisconnected(outgoing.value().status())) << outgoing.value().status();
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(old.closed);
  EXPECT_FALSE(raw_.closed);
  EXPECT_EQ(cluster().manager(0).Connection(host_).Stats().connects, 2u);
  EXPECT_EQ(cluster().manager(0).Connection(host_).state(), ConnectionState::kConnected);
}

// The new connection dies in the very moment in which it takes the old one's place.
TEST_F(RawHandshakeTest, ReplacementThatDiesAtOnce_LeavesNoConnectionBehind) {
  ASSERT_TRUE(cluster().manager(0).AddPeer(NameThatDials(true)).ok());
  for (int steps = 0; steps < 40; ++steps) {
    SCOPED_TRACE(steps);
    raw_.heard.clear();
    raw_.closed = false;
    raw_.transport.reset();
    Dial(NameThatDials(true));
    const std::unique_ptr<Transport> first = std::move(raw_.transport);
    SendConnectOn(*first);
    cluster().RunFor(milliseconds(2));
    RawDialer old;
    first->SetHandler(&old);
    Dial(NameThatDials(true));
    SendConnectOn(*raw_.transport);
    // Cut `steps` handlers after the Connect has arrived.
    cluster().RunUntil([&] { return false; }, microseconds(500));
    for (int i = 0; i < steps; ++i) cluster().io().poll_one();
    cluster().network().Sever(host_, cluster().name(0));
    cluster().RunFor(seconds(3));
    EXPECT_NE(cluster().manager(0).Connection(host_).state(), ConnectionState::kConnected);
  }
}

}  // namespace
}  // namespace grid
