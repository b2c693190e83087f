// The contract of directories, on a real etcd; and what is its own. Each test starts an etcd, and
// ends it.
#include "grid/directory/etcd_directory.h"

#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grid/directory/etcd_gateway.h"
#include "grid/testing/tcp_proxy.h"
#include "tests/directory/contract.h"
#include "tests/live/etcd_process.h"
#include "tests/live/test_certificates.h"

namespace grid {
namespace {

using Etcd = live::EtcdProcess;

bool RunIo(asio::io_context& io, absl::FunctionRef<bool()> predicate, Duration limit) {
  const TimePoint end = std::chrono::steady_clock::now() + limit;
  auto guard = asio::make_work_guard(io);
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    io.run_one_for(milliseconds(5));
  }
  return true;
}

class EtcdWorld final : public World {
 public:
  explicit EtcdWorld(WorldOptions options) : options_(std::move(options)) {
    for (int member = 0; member < kMembers; ++member) {
      proxies_[member] = std::make_unique<testing::TcpProxy>(testing::TcpProxyOptions());
      Heal(member);
      Start(member);
    }
  }
  ~EtcdWorld() override {
    for (int member = 0; member < kMembers; ++member) Kill(member);
  }

  Directory& At(int member) override { return *directories_[member]; }
  std::string MemberName(int member) override { return "http://node" + std::to_string(member); }
  void Kill(int member) override {
    directories_[member].reset();
    RunFor(milliseconds(20));
  }
  void Start(int member) override {
    DirectoryOptions options;
    options.io = &io_;
    options.member = MemberName(member);
    options.lease = Lease();
    options.log = NullLog();
    options_.adjust(member, options);
    auto directory =
        MakeEtcdDirectory({.endpoints = {"http://" + proxies_[member]->address()}}, options);
    ASSERT_TRUE(directory.ok()) << directory.status();
    directories_[member] = *std::move(directory);
  }
  void Cut(int member) override {
    proxies_[member]->Forward(1);
    proxies_[member]->CloseConnections();
  }
  void Heal(int member) override { proxies_[member]->Forward(etcd_.port()); }
  void KillServer() override { etcd_.Kill(); }
  void StartServer() override { etcd_.Start(); }
  bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) override {
    return RunIo(io_, predicate, limit);
  }
  TimePoint Now() override { return std::chrono::steady_clock::now(); }
  milliseconds Lease() override { return seconds(6); }

  Etcd& etcd() { return etcd_; }

 private:
  const WorldOptions options_;
  Etcd etcd_;
  asio::io_context io_;
  std::unique_ptr<testing::TcpProxy> proxies_[kMembers];
  std::unique_ptr<Directory> directories_[kMembers];
};

std::unique_ptr<World> MakeEtcdWorld(WorldOptions options) {
  return std::make_unique<EtcdWorld>(std::move(options));
}

INSTANTIATE_TEST_SUITE_P(Etcd, DirectoryContract, ::testing::Values(&MakeEtcdWorld));

class EtcdDirectoryTest : public DirectoryContract {
 protected:
  EtcdWorld& etcd_world() { return static_cast<EtcdWorld&>(world()); }
};

// Stopped for a while: what hangs is given up, and nothing is lost.
TEST_P(EtcdDirectoryTest, Paused_IsRiddenOut) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(Names(1, Under("r")), "r/k/a");
  Watcher watcher = Watch(2, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  etcd_world().etcd().Signal(SIGSTOP);
  world().RunFor(seconds(1));
  etcd_world().etcd().Signal(SIGCONT);
  world().RunFor(lease());
  EXPECT_TRUE(held->token().valid()) << held->token().why();
  const Held second = Register(1, "r/k/b");
  EXPECT_EQ(NextText(watcher), "added r/k/b");
}

// Stopped for longer than a lease: every token has ended by then, and names are held again.
TEST_P(EtcdDirectoryTest, PausedForLong_TokensEndInTime) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(Names(1, Under("r")), "r/k/a");
  etcd_world().etcd().Signal(SIGSTOP);
  const TimePoint stopped = world().Now();
  world().RunFor(milliseconds(200));  // until all its threads have
  const absl::StatusOr<Resolution> seen = Resolve(1, Under("r"));
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->stale);
  ASSERT_TRUE(world().RunUntil([&] { return !held->token().valid(); }, lease()));
  EXPECT_LE(world().Now() - stopped, lease() * 2 / 3 + milliseconds(200));
  etcd_world().etcd().Signal(SIGCONT);
  const Held again = RegisterOnceFree(1, "r/k/a", lease() * 2);
  EXPECT_TRUE(again.ok()) << again.status();
}

INSTANTIATE_TEST_SUITE_P(Etcd, EtcdDirectoryTest, ::testing::Values(&MakeEtcdWorld));

// --- Security ---

absl::Status ReadyStatus(EtcdOptions etcd) {
  asio::io_context io;
  DirectoryOptions options;
  options.io = &io;
  options.member = "http://a:1";
  options.log = NullLog();
  auto directory = MakeEtcdDirectory(std::move(etcd), options);
  if (!directory.ok()) return directory.status();
  std::optional<absl::Status> ready, stopped;
  (*directory)->WaitReady(seconds(20), [&](absl::Status status) { ready = std::move(status); });
  RunIo(
      io, [&] { return ready.has_value(); }, seconds(30));
  (*directory)->Stop([&](absl::Status status) { stopped = std::move(status); });
  RunIo(
      io, [&] { return stopped.has_value(); }, seconds(5));
  return ready.value_or(absl::InternalError("never completed"));
}

TEST(EtcdSecurityTest, Tls_UnknownAuthorityIsAClearError) {
  live::TestCertificates pki("authority"), other("other");
  const live::CertificateFiles server = pki.Issue("etcd", "DNS:localhost,IP:127.0.0.1");
  Etcd etcd({"--cert-file", server.certificate, "--key-file", server.key}, "https");
  EXPECT_TRUE(ReadyStatus({.endpoints = {etcd.url()}, .ca_file = pki.ca_file()}).ok());
  const absl::Status unknown = ReadyStatus({.endpoints = {etcd.url()}, .ca_file = other.ca_file()});
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnauthenticated) << unknown;
  EXPECT_NE(std::string(unknown.message()).find("the server's certificate"), std::string::npos);
  const absl::Status none = ReadyStatus({.endpoints = {etcd.url()}, .ca_file = "/none"});
  EXPECT_EQ(none.code(), absl::StatusCode::kInvalidArgument) << none;
}

TEST(EtcdSecurityTest, WrongPasswordIsAClearError_AndTheRightOneWorks) {
  Etcd etcd;
  ASSERT_TRUE(ReadyStatus({.endpoints = {etcd.url()}}).ok());
  asio::io_context io;
  auto http = MakeHttpClient(io, RealClock(), {});
  ASSERT_TRUE(http.ok());
  internal::EtcdGateway gateway(RealClock(), {.endpoints = {etcd.url()}}, *std::move(http));
  const auto ask = [&](const char* target, boost::json::object body) {
    std::optional<absl::Status> answered;
    gateway.Ask(target, std::move(body), seconds(10),
                [&](const auto& answer) { answered = answer.status(); });
    RunIo(
        io, [&] { return answered.has_value(); }, seconds(15));
    return answered.value_or(absl::InternalError("never completed"));
  };
  absl::Status status = ask("/v3/auth/role/add", {{"name", "root"}});
  status.Update(ask("/v3/auth/user/add", {{"name", "root"}, {"password", "secret"}}));
  status.Update(ask("/v3/auth/user/grant", {{"user", "root"}, {"role", "root"}}));
  status.Update(ask("/v3/auth/enable", {}));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(ReadyStatus({.endpoints = {etcd.url()}, .user = "root", .password = "secret"}).ok());
  const absl::Status wrong =
      ReadyStatus({.endpoints = {etcd.url()}, .user = "root", .password = "guess"});
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated) << wrong;
  EXPECT_NE(std::string(wrong.message()).find("user \"root\""), std::string::npos) << wrong;
  EXPECT_FALSE(ReadyStatus({.endpoints = {etcd.url()}}).ok());
}

TEST(EtcdLimitsTest, AnswersThatAreTooLarge_AreNamedAndCounted_AndConnectionsAreUsedAgain) {
  Etcd etcd;
  asio::io_context io;
  DirectoryOptions options;
  options.io = &io;
  options.member = "http://a:1";
  options.log = NullLog();
  auto directory =
      MakeEtcdDirectory({.endpoints = {etcd.url()}, .max_answer_bytes = 1000}, options);
  ASSERT_TRUE(directory.ok()) << directory.status();
  testing::Probe<absl::StatusOr<Registration>> held("held");
  (*directory)
      ->Register(*Name::Parse("r/k/a"), Holding::kExclusive, {{"big", std::string(2000, 'x')}},
                 seconds(20), held.Handler());
  ASSERT_TRUE(RunIo(
      io, [&] { return held.done(); }, seconds(30)));
  ASSERT_TRUE(held.value().ok()) << held.value().status();
  const Selector all = Selector::Under(Path::Root());
  testing::Probe<absl::StatusOr<Resolution>> found("found");
  (*directory)->Resolve(all, seconds(20), found.Handler());
  absl::StatusOr<Watcher> watcher = (*directory)->Watch(all);
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  testing::Probe<absl::StatusOr<WatchEvent>> event("event");
  watcher->Next(event.Handler());
  ASSERT_TRUE(RunIo(
      io, [&] { return found.done() && event.done(); }, seconds(30)));
  EXPECT_EQ(found.value().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(found.value().status().message()).find("max_answer_bytes (1000)"),
            std::string::npos);
  EXPECT_EQ(event.value().status().code(), absl::StatusCode::kResourceExhausted);
  const DirectoryStats stats = (*directory)->Stats();
  EXPECT_EQ(stats.answer_limit, 2u);
  EXPECT_GE(stats.connections, 1u);
  EXPECT_GE(stats.reused, 3u);  // opening the session takes several questions
  testing::Probe<absl::Status> stopped("stopped");
  (*directory)->Stop(stopped.Handler());
  RunIo(
      io, [&] { return stopped.done(); }, seconds(5));
}

TEST(EtcdSecurityTest, OptionsAreNamed) {
  EXPECT_NE(std::string(ReadyStatus({}).message()).find("EtcdOptions::endpoints"),
            std::string::npos);
  EXPECT_FALSE(ReadyStatus({.endpoints = {"no url"}}).ok());
  EXPECT_FALSE(ReadyStatus({.endpoints = {"http://a:1"}, .user = "u"}).ok());
}

}  // namespace
}  // namespace grid
