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

TEST_F(HandshakeTest, RefusalAfterThePeerWasUnreachable_IsLoggedToo) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [](int node, ManagerOptions& options) {
          options.token = node == 0 ? "guess" : "secret";
        }});
  ASSERT_TRUE(cluster().Start(0).ok());
  cluster().RunFor(seconds(5));
  ASSERT_TRUE(cluster().Start(1).ok());
  cluster().RunFor(seconds(10));
  EXPECT_EQ(cluster().log(0).Count("403", LogLevel::kWarning), 1u);
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
  EXPECT_GE(Refused(1, "http-bad-token"), 4u);
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
  void SetUp() override { StartListener({.nodes = 1}); }
  void StartListener(testing::ClusterOptions options) {
    options.adjust = [](int, ManagerOptions& manager) { manager.token = "secret"; };
    Make(std::move(options));
    ASSERT_TRUE(cluster().Start(0).ok());
  }
  // A name that has to dial node 0, or must not; made a peer of node 0.
  std::string Name(bool dials) {
    for (int port = 1;; ++port) {
      const std::string name = "http://raw:" + std::to_string(port);
      if (ShouldDial(name, cluster().name(0)) != dials) continue;
      EXPECT_TRUE(cluster().manager(0).AddPeer(name).ok());
      return name;
    }
  }
  void Dial(RawDialer& raw, const std::string& host) {
    cluster().network().Host(host)->Dial(
        {&cluster().io(), cluster().name(0), "/minio/grid/v1", "secret", seconds(2)},
        [&raw](DialResult result) {
          ASSERT_TRUE(result.ok()) << result.status();
          raw.transport = *std::move(result);
          raw.transport->Start(&raw);
        });
    ASSERT_TRUE(cluster().RunUntil([&] { return raw.transport != nullptr; }, seconds(1)));
  }
  void SendConnect(RawDialer& raw, const std::string& host, const std::string& token = "secret") {
    const auto now = cluster().clock().WallNow().time_since_epoch();
    ConnectRequest request;
    request.id = {1, 2, 3};
    request.host = host;
    request.time = {std::chrono::floor<seconds>(now).count(), 0};
    request.token = token;
    request.extensions = announced_;
    Buffer payload;
    Encode(request, &payload);
    raw.Send({.op = Op::kConnect, .payload = payload});
  }
  // Dials, sends Connect, and runs until the answer is there.
  void Connect(RawDialer& raw, const std::string& host, const std::string& token = "secret") {
    Dial(raw, host);
    SendConnect(raw, host, token);
    cluster().RunUntil([&] { return !raw.heard.empty(); }, seconds(1));
  }

  Extensions announced_;
};

TEST_F(RawHandshakeTest, GoodConnect_IsAccepted) {
  RawDialer raw;
  const std::string host = Name(true);
  Connect(raw, host);
  EXPECT_TRUE(raw.Response().accepted) << raw.Response().rejected_reason;
  EXPECT_EQ(cluster().manager(0).Connection(host).state(), ConnectionState::kConnected);
  EXPECT_EQ(cluster().manager(0).Stats().accepted, 1u);
  EXPECT_EQ(cluster().manager(0).Stats().handshakes_pending, 0u);
}

TEST_F(RawHandshakeTest, WrongSide_IsRefused) {
  RawDialer raw;
  Connect(raw, Name(false));
  EXPECT_FALSE(raw.Response().accepted);
  EXPECT_NE(raw.Response().rejected_reason, "");
  EXPECT_EQ(Refused(0, "wrong-side"), 1u);
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(raw.closed);
}

TEST_F(RawHandshakeTest, WrongTokenInConnect_IsRefused) {
  RawDialer raw;
  Connect(raw, Name(true), "guess");
  EXPECT_FALSE(raw.Response().accepted);
  EXPECT_EQ(Refused(0, "bad-token"), 1u);
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(raw.closed);
}

TEST_F(RawHandshakeTest, FirstMessageThatIsNotConnect_IsRefused) {
  RawDialer raw;
  Dial(raw, Name(true));
  raw.Send({.mux_id = 1, .handler = 78, .op = Op::kRequest, .flags = kFlagEof});
  cluster().RunFor(seconds(2));
  EXPECT_FALSE(raw.Response().accepted);
  EXPECT_NE(raw.Response().rejected_reason, "");
  EXPECT_EQ(Refused(0, "not-connect"), 1u);
  EXPECT_TRUE(raw.closed);
}

TEST_F(RawHandshakeTest, Silence_IsEndedAfterTenSeconds) {
  RawDialer raw;
  const TimePoint start = cluster().Now();
  Dial(raw, Name(true));
  EXPECT_EQ(cluster().manager(0).Stats().handshakes_pending, 1u);
  ASSERT_TRUE(cluster().RunUntil([&] { return raw.closed; }, minutes(1)));
  EXPECT_GE(cluster().Now() - start, seconds(10));
  EXPECT_LE(cluster().Now() - start, milliseconds(10'010));
  cluster().RunFor(seconds(2));
  EXPECT_EQ(cluster().manager(0).Stats().handshakes_pending, 0u);
  EXPECT_EQ(Refused(0, "handshake-timeout"), 1u);
}

TEST_F(RawHandshakeTest, SecondConnectionOfAHost_ReplacesTheFirst) {
  const std::string host = Name(true);
  RawDialer first, second;
  Connect(first, host);
  ASSERT_TRUE(first.Response().accepted);
  ReplyProbe outgoing("call on the first connection");
  cluster().manager(0).Connection(host).Request(kEcho, {}, {}, outgoing.Handler());
  cluster().RunFor(seconds(1));
  EXPECT_FALSE(outgoing.done());

  Connect(second, host);
  EXPECT_TRUE(second.Response().accepted);
  ASSERT_TRUE(outgoing.done());
  EXPECT_TRUE(IsDisconnected(outgoing.value().status())) << outgoing.value().status();
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(first.closed);
  EXPECT_FALSE(second.closed);
  EXPECT_EQ(cluster().manager(0).Connection(host).Stats().connects, 2u);
  EXPECT_EQ(cluster().manager(0).Connection(host).state(), ConnectionState::kConnected);
}

// The new connection dies in the very moment in which it takes the old one's place.
TEST_F(RawHandshakeTest, ReplacementThatDiesAtOnce_LeavesNoConnectionBehind) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    testing::ClusterOptions options{.nodes = 1, .seed = seed, .interleave = true};
    options.network.min_latency = Duration::zero();
    options.network.max_latency = microseconds(2);
    StartListener(std::move(options));
    const std::string host = Name(true);
    RawDialer first, second;
    Connect(first, host);
    Dial(second, host);
    SendConnect(second, host);
    cluster().RunFor(Duration(testing::Random(seed).Below(4'000)));
    cluster().network().Sever(host, cluster().name(0));
    cluster().RunFor(seconds(3));
    ASSERT_TRUE(second.closed);
    ASSERT_NE(cluster().manager(0).Connection(host).state(), ConnectionState::kConnected);
  }
}

// --- Clients ---

class RawClientTest : public RawHandshakeTest {
 protected:
  void SetUp() override {
    RawHandshakeTest::SetUp();
    announced_ = {.client = 1};
  }
  uint64_t Clients() { return cluster().manager(0).Stats().clients; }
};

TEST_F(RawClientTest, AnyGoodNameIsTaken) {
  for (const std::string& name :
       {std::string("x"), std::string("backup@host7"), std::string(255, '~')}) {
    RawDialer raw;
    Connect(raw, name);
    EXPECT_TRUE(raw.Response().accepted) << raw.Response().rejected_reason;
    EXPECT_EQ(raw.Response().extensions.client, 1u);
    EXPECT_EQ(cluster().manager(0).Connection(name).state(), ConnectionState::kConnected);
  }
}

TEST_F(RawClientTest, BadNamesAreUnknownHosts) {
  uint64_t refused = 0;
  for (const std::string& name :
       {std::string(), std::string("two words"), std::string("tab\t"), std::string("\xc3\xa9"),
        std::string("null\0", 5), std::string(256, 'x')}) {
    RawDialer raw;
    Connect(raw, name);
    EXPECT_FALSE(raw.Response().accepted);
    EXPECT_EQ(Refused(0, "unknown-host"), ++refused);
  }
  EXPECT_EQ(Clients(), 0u);
}

TEST_F(RawClientTest, WhoDoesNotSayThatItIsOne_IsUnknown_EvenUnderTheNameOfOne) {
  RawDialer client, member;
  Connect(client, "x");
  announced_ = {.status = 1};
  Connect(member, "x");
  EXPECT_FALSE(member.Response().accepted);
  EXPECT_EQ(Refused(0, "unknown-host"), 1u);
  EXPECT_EQ(Clients(), 1u);
  EXPECT_FALSE(client.closed);
}

TEST_F(RawClientTest, WrongTokenInConnect_IsRefused) {
  RawDialer raw;
  Connect(raw, "x", "guess");
  EXPECT_FALSE(raw.Response().accepted);
  EXPECT_EQ(Refused(0, "bad-token"), 1u);
  EXPECT_EQ(Clients(), 0u);
}

TEST_F(RawClientTest, SecondConnectionOfAName_ReplacesTheFirst) {
  RawDialer first, second;
  Connect(first, "x");
  Connect(second, "x");
  EXPECT_TRUE(second.Response().accepted);
  cluster().RunFor(seconds(2));
  EXPECT_TRUE(first.closed);
  EXPECT_FALSE(second.closed);
  EXPECT_EQ(Clients(), 1u);
  EXPECT_EQ(cluster().manager(0).Stats().total.connects, 2u);
}

// Whenever a connection dies, nothing of its client stays behind.
TEST_F(RawClientTest, OneThatDiesAtOnce_LeavesNothingBehind) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    testing::ClusterOptions options{.nodes = 1, .seed = seed, .interleave = true};
    options.network.min_latency = Duration::zero();
    options.network.max_latency = microseconds(2);
    StartListener(std::move(options));
    RawDialer first, second;
    Connect(first, "x");
    Dial(second, "x");
    SendConnect(second, "x");
    cluster().RunFor(Duration(testing::Random(seed).Below(4'000)));
    cluster().network().Sever("x", cluster().name(0));
    cluster().RunFor(seconds(3));
    ASSERT_TRUE(second.closed);
    ASSERT_EQ(Clients(), 0u);
    ASSERT_TRUE(cluster().manager(0).Stats().peers.empty());
  }
}

}  // namespace
}  // namespace grid
