// Clients: processes that are no members, and connect under a name that their token allows.
#include <tuple>

#include "absl/strings/str_cat.h"
#include "grid/authenticator.h"
#include "grid/jwt_authenticator.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

constexpr char kName[] = "backup@host7";

// Node 0 is a client of node 1.
class ClientTest : public ScenarioTest {
 protected:
  testing::ClusterOptions Options(std::function<void(int, ManagerOptions&)> adjust =
                                      [](int, ManagerOptions&) {}) {
    return {.names = {kName, "http://node1:9000"}, .clients = {0}, .adjust = std::move(adjust)};
  }
  void StartBoth(testing::ClusterOptions options) {
    Make(std::move(options));
    for (int node = 1; node >= 0; --node) ASSERT_TRUE(cluster().Start(node).ok());
    cluster().RunFor(seconds(5));
  }
  uint64_t Refused(const std::string& reason) {
    const ManagerStats stats = cluster().manager(1).Stats();
    const auto found = stats.refused.find(reason);
    return found == stats.refused.end() ? 0 : found->second;
  }
  uint64_t Clients() { return cluster().manager(1).Stats().clients; }
  // The same process again, as it were: under the same name.
  std::unique_ptr<Manager> AnotherOf(const std::string& name) {
    ManagerOptions options;
    options.local = name;
    options.client = true;
    options.clock = cluster().shared_clock();
    options.log = NullLog();
    options.network = cluster().network().Host("http://elsewhere:1");
    options.io_contexts = {&cluster().io()};
    options.worker_executor = cluster().io().get_executor();
    options.seed = 99;
    auto manager = std::make_unique<Manager>(std::move(options));
    EXPECT_TRUE(manager->AddPeer(cluster().name(1)).ok());
    EXPECT_TRUE(manager->Start().ok());
    return manager;
  }
  void StopIt(Manager& manager) {
    bool stopped = false;
    manager.StopAsync([&] { stopped = true; });
    EXPECT_TRUE(cluster().RunUntil([&] { return stopped; }, minutes(1)));
  }
};

TEST_F(ClientTest, CallsAndIsCalled) {
  MakeAndStart(Options());
  const Reply caller = cluster().Call(0, 1, kCaller, {});
  EXPECT_EQ(Text(caller).substr(0, sizeof(kName)), absl::StrCat(kName, " "));
  EXPECT_EQ(Text(cluster().Call(1, 0, kEcho, AsBytes("back"))), "back");
  EXPECT_EQ(Clients(), 1u);
  EXPECT_TRUE(cluster().manager(1).Stats().peers.contains(kName));
  EXPECT_TRUE(cluster().manager(1).Peers().empty());
  ExpectIdle();
}

// Whatever the rule says about the two names.
TEST_F(ClientTest, Dials_AndIsNeverDialled) {
  for (const bool rule : {true, false}) {
    testing::ClusterOptions options = Options();
    options.names = testing::NamesForDialDirection(rule);
    MakeAndStart(options);
    EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
    const uint64_t dials = cluster().network().stats().dials;
    cluster().Stop(0);
    cluster().RunFor(minutes(1));
    EXPECT_EQ(cluster().network().stats().dials, dials);
    EXPECT_EQ(Clients(), 0u);
  }
}

TEST_F(ClientTest, NeverListens) {
  MakeAndStart(Options());
  EXPECT_EQ(cluster().manager(0).Listen("node0:9000").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ClientTest, LeavesNothingBehindButTotals) {
  MakeAndStart(Options());
  EXPECT_TRUE(cluster().Call(0, 1, kEcho, AsBytes("x")).ok());
  const Connection back = cluster().Peer(1, 0);
  ReplyProbe running("running"), late("late");
  back.Request(kHang, {}, {}, running.Handler());
  cluster().RunFor(milliseconds(10));
  const uint64_t before = cluster().manager(1).Stats().total.messages_in;
  cluster().Kill(0);
  cluster().RunFor(milliseconds(10));
  EXPECT_TRUE(IsDisconnected(running.value().status()));
  const ManagerStats stats = cluster().manager(1).Stats();
  EXPECT_TRUE(stats.peers.empty());
  EXPECT_EQ(stats.clients, 0u);
  EXPECT_GE(stats.total.messages_in, before);
  EXPECT_EQ(stats.total.connects, 1u);
  // Its handle is good for nothing any more, even when it comes again.
  back.Request(kEcho, {}, {.wait_for_ready = true}, late.Handler());
  cluster().RunFor(milliseconds(10));
  EXPECT_EQ(DeliveryOf(late.value().status()), Delivery::kNotSent);
  ASSERT_TRUE(cluster().Start(0).ok());
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(back.state(), ConnectionState::kShutdown);
  EXPECT_EQ(cluster().manager(1).Stats().total.connects, 2u);
}

TEST_F(ClientTest, OfTheSameName_ReplacesTheOneThatThereIs) {
  MakeAndStart(Options());
  ReplyProbe running("running");
  cluster().Peer(0, 1).Request(kHang, {}, {}, running.Handler());
  cluster().RunFor(milliseconds(10));
  auto another = AnotherOf(kName);
  ASSERT_TRUE(cluster().RunUntil([&] { return running.done(); }, seconds(5)));
  EXPECT_TRUE(IsDisconnected(running.value().status())) << running.value().status();
  EXPECT_EQ(Clients(), 1u);
  StopIt(*another);
  // The first comes back.
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Clients(), 1u);
  EXPECT_GE(cluster().manager(1).Stats().total.drops.at("close-replaced"), 1u);
}

TEST_F(ClientTest, Limit_RefusesOneMore) {
  MakeAndStart(Options([](int, ManagerOptions& options) { options.limits.max_clients = 1; }));
  auto another = AnotherOf("other");
  cluster().RunFor(seconds(5));
  EXPECT_GE(Refused("client-limit"), 2u);
  EXPECT_EQ(Clients(), 1u);
  EXPECT_EQ(Stats(0, 1).connects, 1u);
  // There is room again.
  cluster().Stop(0);
  EXPECT_TRUE(cluster().RunUntil([&] { return Clients() == 1; }, seconds(5)));
  StopIt(*another);
}

TEST_F(ClientTest, NamesThatNobodyTakes_AreRefusedAtOnce) {
  for (const std::string& name : {std::string(), std::string("two words"), std::string(256, 'x')}) {
    ManagerOptions options;
    options.client = true;
    options.local = name;
    options.log = NullLog();
    Manager manager(options);
    EXPECT_EQ(manager.Start().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(ClientTest, MustOfferTheExtension) {
  ManagerOptions options;
  options.client = true;
  options.local = kName;
  options.extensions.client = false;
  options.log = NullLog();
  Manager manager(options);
  EXPECT_EQ(manager.Start().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, IsAnUnknownHostWhereTheyAreNotTaken) {
  StartBoth(
      Options([](int node, ManagerOptions& options) { options.extensions.client = node == 0; }));
  EXPECT_GE(Refused("unknown-host"), 2u);
  EXPECT_EQ(Clients(), 0u);
  const Reply reply = cluster().Call(0, 1, kEcho, {});
  EXPECT_NE(std::string(reply.status().message()).find("unknown incoming host"), std::string::npos)
      << reply.status();
}

// A member that dials announces no client: it must be known.
TEST_F(ClientTest, MembersMustStillBeKnown) {
  Make({.names = testing::NamesForDialDirection(true),
        .add_peers = false,
        .setup = [this](int node, Manager& manager) {
          if (node == 0) {
            EXPECT_TRUE(manager.AddPeer(cluster().name(1)).ok());
          }
        }});
  for (int node : {0, 1}) ASSERT_TRUE(cluster().Start(node).ok());
  cluster().RunFor(seconds(5));
  EXPECT_GE(Refused("unknown-host"), 2u);
}

TEST_F(ClientTest, ClockAndTokenAreCheckedInThatOrder) {
  for (const bool skewed : {true, false}) {
    StartBoth(Options([&](int node, ManagerOptions& options) {
      // The upgrade takes every token, Connect none.
      class Picky final : public Authenticator {
       public:
        absl::StatusOr<std::string> MakeToken(std::string_view, std::string_view) override {
          return "token";
        }
        absl::Status CheckToken(std::string_view, std::string_view host) override {
          return host.empty() ? absl::OkStatus() : absl::PermissionDeniedError("no");
        }
      };
      if (node == 1) options.authenticator = std::make_shared<Picky>();
      if (node == 0) {
        options.token = "token";
        if (skewed) {
          options.clock =
              std::make_shared<testing::SkewedClock>(cluster().shared_clock(), minutes(6));
        }
      }
    }));
    EXPECT_EQ(Refused("clock-skew") > 0, skewed);
    EXPECT_EQ(Refused("bad-token") > 0, !skewed);
    EXPECT_EQ(Clients(), 0u);
  }
}

// A token that names its bearer is good for that name alone.
TEST_F(ClientTest, ATokenLimitsTheNames) {
  for (const std::string& subject : {std::string(kName), std::string("somebody@else")}) {
    StartBoth(Options([&](int node, ManagerOptions& options) {
      JwtOptions jwt;
      jwt.secrets = {"secret"};
      if (node == 0) jwt.subject = subject;
      jwt.clock = cluster().shared_clock();
      options.authenticator = *MakeJwtAuthenticator(jwt);
    }));
    const bool own = subject == kName;
    EXPECT_EQ(Clients(), own ? 1u : 0u);
    EXPECT_EQ(Refused("bad-token") > 0, !own);
  }
}

TEST_F(ClientTest, UnderTheNameOfAMember_ItIsThatMember) {
  for (const bool rule : {true, false}) {
    testing::ClusterOptions options = Options();
    options.names = testing::NamesForDialDirection(rule);
    options.setup = [this](int node, Manager& manager) {
      if (node == 1) {
        EXPECT_TRUE(manager.AddPeer(cluster().name(0)).ok());
      }
    };
    StartBoth(options);
    EXPECT_EQ(cluster().Connected(0, 1), rule);
    EXPECT_EQ(Refused("wrong-side") > 0, !rule);
    EXPECT_EQ(Clients(), 0u);
    EXPECT_EQ(cluster().manager(1).Peers().size(), 1u);
  }
}

TEST_F(ClientTest, HandlersAreToldWhatTheCallerIs) {
  constexpr HandlerId kKind{112};
  testing::ClusterOptions options = Options();
  options.setup = [&](int, Manager& manager) {
    const SingleFunction kind = [](BytesView, RequestContext& context) -> Reply {
      return Buffer::CopyOf(std::string_view(context.caller().is_client ? "client" : "member"));
    };
    ASSERT_TRUE(manager.RegisterSingle({.id = kKind}, kind).ok());
  };
  MakeAndStart(options);
  EXPECT_EQ(Text(cluster().Call(0, 1, kKind, {})), "client");
  EXPECT_EQ(Text(cluster().Call(1, 0, kKind, {})), "member");
}

TEST_F(ClientTest, CanBeMadeAMemberOrThrownOut) {
  testing::ClusterOptions options = Options();
  options.names = testing::NamesForDialDirection(true);
  MakeAndStart(options);
  EXPECT_TRUE(cluster().manager(1).AddPeer(cluster().name(0)).ok());
  EXPECT_EQ(Clients(), 0u);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_TRUE(cluster().manager(1).RemovePeer(cluster().name(0)).ok());
  cluster().RunFor(milliseconds(10));
  ASSERT_TRUE(cluster().RunUntil([&] { return Clients() == 1; }, seconds(5)));
  EXPECT_TRUE(cluster().manager(1).RemovePeer(cluster().name(0)).ok());
  EXPECT_EQ(Clients(), 0u);
  ASSERT_TRUE(cluster().RunUntil([&] { return Clients() == 1; }, seconds(5)));
}

TEST_F(ClientTest, ServersThatDrain_TellClientsToo) {
  MakeAndStart(Options());
  ReplyProbe slow("slow");
  cluster().Peer(0, 1).Request(kSleep, AsBytes("1000"), {}, slow.Handler());
  cluster().RunFor(milliseconds(10));
  cluster().StopGracefully(1, seconds(30));
  ASSERT_TRUE(slow.done());
  EXPECT_TRUE(slow.value().ok()) << slow.value().status();
  EXPECT_EQ(Drops(0, 1, "close-peer-drained"), 1u);
}

}  // namespace
}  // namespace grid
