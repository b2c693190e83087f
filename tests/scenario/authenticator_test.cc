// Tokens that are made and checked by an Authenticator; and attempts to dial that are given up.
#include "grid/authenticator.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/jwt_authenticator.h"
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

class AuthenticatorTest : public ScenarioTest {
 protected:
  std::shared_ptr<Authenticator> Jwt(const std::string& secret, const std::string& subject = "") {
    JwtOptions options;
    options.secrets = {secret};
    options.subject = subject;
    options.lifetime = seconds(30);
    options.leeway = seconds(0);
    options.clock = cluster().shared_clock();
    auto made = MakeJwtAuthenticator(options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }
  // Node 0 dials node 1.
  void MakeNodes(std::function<std::shared_ptr<Authenticator>(int)> authenticator) {
    Make({.names = testing::NamesForDialDirection(true),
          .adjust = [authenticator = std::move(authenticator)](int node, ManagerOptions& options) {
            options.authenticator = authenticator(node);
          }});
  }
  uint64_t Refused(int node, const std::string& reason) {
    const ManagerStats stats = cluster().manager(node).Stats();
    const auto found = stats.refused.find(reason);
    return found == stats.refused.end() ? 0 : found->second;
  }
};

TEST_F(AuthenticatorTest, FreshTokensAreMadeForEachConnection) {
  MakeNodes([this](int) { return Jwt("secret"); });
  ASSERT_TRUE(cluster().StartAll()) << cluster().LogText();
  for (int i = 0; i < 5; ++i) {
    // Longer than a token lives: a connection that is up stays, and the next one shows another.
    cluster().RunFor(minutes(2));
    ASSERT_TRUE(cluster().Connected(0, 1));
    cluster().Sever(0, 1);
    cluster().RunFor(seconds(1));
    ASSERT_TRUE(cluster().RunUntilConnected(0, 1)) << cluster().LogText();
  }
  EXPECT_EQ(Refused(1, "http-bad-token"), 0u);
}

TEST_F(AuthenticatorTest, OtherSecret_IsRefusedAtTheUpgrade_AndTheLogSaysWhy) {
  MakeNodes([this](int node) { return Jwt(node == 0 ? "guess" : "secret"); });
  ASSERT_TRUE(cluster().Start(0).ok());
  ASSERT_TRUE(cluster().Start(1).ok());
  cluster().RunFor(seconds(5));
  EXPECT_FALSE(cluster().Connected(0, 1));
  EXPECT_GE(Refused(1, "http-bad-token"), 2u);
  EXPECT_GE(cluster().log(1).Count("not signed with a secret of ours"), 1u);
  EXPECT_EQ(cluster().log(0).Count("not signed"), 0u);
}

TEST_F(AuthenticatorTest, TokenOfAnotherHost_IsRefusedAtConnect) {
  MakeNodes([this](int node) { return Jwt("secret", node == 0 ? "http://other:1" : ""); });
  ASSERT_TRUE(cluster().Start(0).ok());
  ASSERT_TRUE(cluster().Start(1).ok());
  cluster().RunFor(seconds(5));
  EXPECT_FALSE(cluster().Connected(0, 1));
  EXPECT_EQ(Refused(1, "http-bad-token"), 0u);
  EXPECT_GE(Refused(1, "bad-token"), 2u);
  EXPECT_EQ(cluster().log(0).Count("refused: invalid token", LogLevel::kWarning), 1u);
}

class Scripted final : public Authenticator {
 public:
  absl::StatusOr<std::string> MakeToken(std::string_view local, std::string_view remote) override {
    asked.push_back(std::string(local) + " to " + std::string(remote));
    return token;
  }
  absl::Status CheckToken(std::string_view shown, std::string_view host) override {
    checked.emplace_back(shown, host);
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> token = std::string("mine");
  std::vector<std::string> asked;
  std::vector<std::pair<std::string, std::string>> checked;
};

TEST_F(AuthenticatorTest, IsAskedForTheUpgradeAndForConnect) {
  const auto scripted = std::make_shared<Scripted>();
  MakeNodes([&](int) { return scripted; });
  ASSERT_TRUE(cluster().StartAll());
  const std::string ask = cluster().name(0) + " to " + cluster().name(1);
  EXPECT_EQ(scripted->asked, (std::vector<std::string>{ask, ask}));
  EXPECT_EQ(scripted->checked, (std::vector<std::pair<std::string, std::string>>{
                                   {"mine", ""}, {"mine", cluster().name(0)}}));
}

TEST_F(AuthenticatorTest, NoTokenToBeHad_FailsTheAttempt_AndTheNextOneAsksAgain) {
  const auto scripted = std::make_shared<Scripted>();
  scripted->token = absl::UnavailableError("the vault is closed");
  MakeNodes([&](int) { return scripted; });
  ASSERT_TRUE(cluster().Start(0).ok());
  ASSERT_TRUE(cluster().Start(1).ok());
  cluster().RunFor(seconds(5));
  EXPECT_FALSE(cluster().Connected(0, 1));
  EXPECT_EQ(cluster().log(0).Count("the vault is closed", LogLevel::kWarning), 1u);
  EXPECT_EQ(cluster().network().stats().dials, 0u);
  scripted->token = std::string("mine");
  EXPECT_TRUE(cluster().RunUntilConnected(0, 1));
}

TEST_F(AuthenticatorTest, TokenAndAuthenticatorTogether_AreRefusedByStart) {
  Make({.nodes = 1, .adjust = [](int, ManagerOptions& options) {
          options.token = "secret";
          options.authenticator = MakeStaticAuthenticator({"secret"});
        }});
  const absl::Status started = cluster().Start(0);
  EXPECT_EQ(started.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(started.ToString().find("authenticator"), std::string::npos);
}

// --- Dials that are given up ---

TEST_F(AuthenticatorTest, DialOnTheWay_EndsWithStop) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [](int, ManagerOptions& options) { options.timeouts.dial = minutes(10); }});
  cluster().Partition(0, 1);
  ASSERT_TRUE(cluster().Start(0).ok());
  cluster().RunFor(seconds(5));
  EXPECT_EQ(cluster().network().stats().dials, 1u);
  const TimePoint before = cluster().Now();
  cluster().Stop(0);
  EXPECT_LT(cluster().Now() - before, milliseconds(10));
  EXPECT_EQ(cluster().clock().pending(), 0u);
}

TEST_F(AuthenticatorTest, DialOnTheWay_EndsWithItsPeer) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [](int, ManagerOptions& options) { options.timeouts.dial = minutes(10); }});
  cluster().Partition(0, 1);
  ASSERT_TRUE(cluster().Start(0).ok());
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(cluster().manager(0).RemovePeer(cluster().name(1)).ok());
  cluster().RunFor(milliseconds(1));
  EXPECT_EQ(cluster().clock().pending(), 0u);
}

}  // namespace
}  // namespace grid
