// Actors on a mesh in memory: names by a hosted directory, calls over connections, and what happens
// when members, connections and leases are lost.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grid/actor/actor_system.h"
#include "grid/directory/hosted_directory.h"
#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Add {
  int64_t by = 0;
  MSGPACK_DEFINE_MAP(by);
};
struct Text {
  std::string text = {};
  MSGPACK_DEFINE_MAP(text);
};

constexpr MessageType<Add, int64_t> kAdd{"counter.add"};
constexpr MessageType<Text, Text> kEcho{"echo"};
constexpr MessageType<Text, Text> kSleep{"sleep"};
constexpr MessageType<Text> kDrop{"drop"};
constexpr MessageType<Text> kThrow{"throw"};
constexpr MessageType<Text> kUnknown{"unknown"};

Name N(std::string_view text) { return *Name::Parse(text); }
Selector Only(std::string_view name) { return Selector::Of({N(name)}); }
Selector Under(std::string_view path) { return Selector::Under(*Path::Parse(path)); }

// What the test sees of the actors that it has started.
struct Seen {
  int64_t added = 0;
  int stopped = 0;
  std::vector<std::string> senders = {};
  std::vector<ReplyToken> kept = {};
};

class Demo final : public Actor {
 public:
  explicit Demo(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {
    On(kAdd, [this](const Add& add, ActorContext& context) -> absl::StatusOr<int64_t> {
      if (add.by < 0) return absl::InvalidArgumentError("less than nothing");
      seen_->senders.push_back(context.sender().process.host);
      return seen_->added += add.by;
    });
    On(kEcho, [](const Text& text, ActorContext& context) -> absl::StatusOr<Text> {
      return Text{.text = text.text + " from " + context.name().text()};
    });
    On(kSleep, [this](const Text&, Reply<Text> reply, ActorContext&) {
      sleeping_.push_back(std::move(reply));
    });
    On(kDrop, [](const Text&, Reply<NoPayload> reply, ActorContext&) { (void)reply; });
    On(kThrow, [](const Text& text, ActorContext&) -> absl::Status {
      throw std::runtime_error(text.text);
    });
  }
  void OnStop(const absl::Status&) override { ++seen_->stopped; }

 private:
  const std::shared_ptr<Seen> seen_;
  std::vector<Reply<Text>> sleeping_;
};

class ActorsTest : public ::testing::Test {
 protected:
  // Node 0 serves the directory.
  void Make(testing::ClusterOptions options = {}) {
    if (options.nodes == 2) options.nodes = 4;
    options.setup = [this](int node, Manager& manager) { StartNode(node, manager); };
    cluster_.emplace(std::move(options));
    nodes_.resize(static_cast<size_t>(cluster_->size()));
    ASSERT_TRUE(cluster_->StartAll()) << cluster_->LogText();
  }
  void TearDown() override {
    if (!cluster_.has_value()) return;
    for (Node& node : nodes_) node = Node();
    cluster_->Drain();
  }

  struct Node {
    HostedDirectory names;
    std::unique_ptr<ActorSystem> actors;
    Node() = default;
    Node(Node&&) = default;
    Node& operator=(Node&& other) noexcept {
      actors = std::move(other.actors);  // before the directory
      names.directory = std::move(other.names.directory);
      names.server = std::move(other.names.server);
      return *this;
    }
    ~Node() { actors.reset(); }
  };

  void StartNode(int node, Manager& manager) {
    DirectoryOptions options;
    options.io = &cluster_->io();
    options.clock = cluster_->shared_clock();
    options.log = NullLog();
    options.seed = 1000 + ++starts_;
    options.client = manager.is_client();
    std::vector<std::string> hosts;
    for (int host = 0; host < cluster_->size(); ++host) hosts.push_back(cluster_->name(host));
    auto names = MakeHostedDirectory(manager, hosts, options);
    ASSERT_TRUE(names.ok()) << names.status();
    nodes_.resize(static_cast<size_t>(cluster_->size()));
    nodes_[node].names.server = std::move(names->server);
    nodes_[node].names.directory = std::move(names->directory);
    auto actors = ActorSystem::Make(manager, *nodes_[node].names.directory,
                                    {.io = &cluster_->io(),
                                     .threads = 0,
                                     .limits = limits_,
                                     .clock = cluster_->shared_clock(),
                                     .log = NullLog(),
                                     .seed = starts_});
    ASSERT_TRUE(actors.ok()) << actors.status();
    nodes_[node].actors = *std::move(actors);
  }
  void Kill(int node) {
    nodes_[node] = Node();
    cluster_->Drain();
    cluster_->Kill(node);
  }

  testing::Cluster& cluster() { return *cluster_; }
  ActorSystem& At(int node) { return *nodes_[node].actors; }

  template <typename Result>
  Result Await(testing::Probe<Result>& probe) {
    EXPECT_TRUE(cluster().RunUntil([&] { return probe.done(); }, std::chrono::minutes(3)));
    return std::move(probe.value());
  }
  absl::StatusOr<ActorHandle> Start(int node, std::string_view name, ActorOptions options = {}) {
    auto& seen = seen_[std::string(name) + "@" + std::to_string(node)];
    if (seen == nullptr) seen = std::make_shared<Seen>();
    testing::Probe<absl::StatusOr<ActorHandle>> started("Start");
    At(node).Start(
        N(name),
        [seen = seen]() -> absl::StatusOr<std::unique_ptr<Actor>> {
          return std::make_unique<Demo>(seen);
        },
        std::move(options), started.Handler());
    return Await(started);
  }
  Seen& SeenBy(int node, std::string_view name) {
    return *seen_[std::string(name) + "@" + std::to_string(node)];
  }
  absl::Status Stop(const ActorHandle& actor, StopMode mode = StopMode::kAfterCurrent) {
    testing::Probe<absl::Status> stopped("Stop");
    actor.Stop(mode, stopped.Handler());
    return Await(stopped);
  }
  absl::StatusOr<Answer<int64_t>> CallAdd(const Recipients& to, int64_t by) {
    testing::Probe<absl::StatusOr<Answer<int64_t>>> answer("Call");
    to.Call(kAdd, Add{.by = by}, answer.Handler());
    return Await(answer);
  }
  template <typename Req, typename Resp>
  absl::Status CallStatus(const Recipients& to, const MessageType<Req, Resp>& type, Req request) {
    testing::Probe<absl::StatusOr<Answer<Resp>>> answer("Call");
    to.Call(type, request, answer.Handler());
    return Await(answer).status();
  }
  GatherResults<Text> Gather(const Recipients& to, std::string text) {
    testing::Probe<GatherResults<Text>> results("Gather");
    to.GatherAll(kEcho, Text{.text = std::move(text)}, results.Handler());
    return Await(results);
  }
  static CallPolicy Once(milliseconds deadline = seconds(5)) {
    CallPolicy policy;
    policy.attempts = 1;
    policy.deadline = deadline;
    return policy;
  }

  ActorLimits limits_;
  std::optional<testing::Cluster> cluster_;
  std::vector<Node> nodes_;
  std::map<std::string, std::shared_ptr<Seen>> seen_;
  uint64_t starts_ = 0;
};

TEST_F(ActorsTest, CallGoesToWhoeverHoldsTheName_AndSaysWhoAnswered) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/counter/a");
  ASSERT_TRUE(actor.ok()) << actor.status();
  for (const int from : {0, 1, 2, 3}) {
    const absl::StatusOr<Answer<int64_t>> answer =
        CallAdd(At(from).To(Only("r/counter/a")), 1 << (4 * from));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->from, actor->target());
    EXPECT_EQ(answer->from.member, cluster().name(1));
  }
  EXPECT_EQ(SeenBy(1, "r/counter/a").added, 0x1111);
  const std::vector<std::string> senders = {cluster().name(0), cluster().name(1), cluster().name(2),
                                            cluster().name(3)};
  EXPECT_EQ(SeenBy(1, "r/counter/a").senders, senders);
  EXPECT_EQ(At(1).Stats().handled, 4u);
}

TEST_F(ActorsTest, StartingAHeldNameSaysWhereItRuns_AndLeavesTheFirstAlive) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/a");
  ASSERT_TRUE(first.ok());
  for (const int node : {1, 2}) {
    const absl::StatusOr<ActorHandle> second = Start(node, "r/k/a");
    const auto holder = HolderOf(second.status());
    ASSERT_TRUE(holder.has_value()) << second.status();
    EXPECT_EQ(holder->member, cluster().name(1));
    EXPECT_EQ(holder->epoch, first->target().epoch);
  }
  EXPECT_TRUE(first->running());
  EXPECT_TRUE(CallAdd(At(3).To(Only("r/k/a")), 1).ok());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 0);
}

TEST_F(ActorsTest, AnActorThatMoves_IsFoundAgain_ByHandlesThatKnewTheOld) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/a");
  ASSERT_TRUE(first.ok());
  const Recipients to = At(3).To(Only("r/k/a"));
  ASSERT_TRUE(CallAdd(to, 1).ok());
  EXPECT_TRUE(Stop(*first).ok());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 1);
  const absl::StatusOr<ActorHandle> second = Start(2, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->target().epoch, first->target().epoch);
  const absl::StatusOr<Answer<int64_t>> answer = CallAdd(to, 2);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->from, second->target());
  EXPECT_EQ(answer->value, 2);
}

TEST_F(ActorsTest, Rule1_AnApplicationErrorReachesItsHandlerExactlyOnce) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  for (const int from : {1, 2}) {
    const absl::Status status = CallStatus(At(from).To(Only("r/k/a")), kAdd, Add{.by = -1});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(DeliveryOf(status), Delivery::kExecuted);
    EXPECT_NE(std::string(status.message()).find("less than nothing"), std::string::npos);
    EXPECT_EQ(At(from).Stats().retries, 0u);
  }
  EXPECT_EQ(At(1).Stats().handled, 2u);
}

TEST_F(ActorsTest, Rule2_NoSuchNameHere_IsAskedForOnceMore) {
  Make();
  EXPECT_EQ(CallStatus(At(1).To(Only("r/k/none")), kAdd, Add{}).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(DeliveryOf(CallStatus(At(1).To(Only("r/k/none")), kAdd, Add{})), Delivery::kNotSent);
}

TEST_F(ActorsTest, Rule3_NeverSilence) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  const TimePoint began = cluster().Now();
  for (const int from : {1, 2}) {
    const Recipients to = At(from).To(Only("r/k/a"), {}, Once());
    const absl::Status dropped = CallStatus(to, kDrop, Text{});
    EXPECT_EQ(dropped.code(), absl::StatusCode::kInternal) << dropped;
    EXPECT_NE(std::string(dropped.message()).find("no reply"), std::string::npos);
    EXPECT_EQ(DeliveryOf(dropped), Delivery::kExecuted);
    const absl::Status unknown = CallStatus(to, kUnknown, Text{});
    EXPECT_EQ(unknown.code(), absl::StatusCode::kUnimplemented) << unknown;
    EXPECT_EQ(DeliveryOf(unknown), Delivery::kRejected);
    const absl::Status thrown = CallStatus(to, kThrow, Text{.text = "what it throws"});
    EXPECT_EQ(thrown.code(), absl::StatusCode::kInternal) << thrown;
    EXPECT_NE(std::string(thrown.message()).find("what it throws"), std::string::npos);
    EXPECT_EQ(DeliveryOf(thrown), Delivery::kExecuted);
  }
  EXPECT_LT(cluster().Now() - began, seconds(1));
  EXPECT_EQ(At(1).Stats().restarts, 2u);
}

TEST_F(ActorsTest, Rule4_StoppingAnswersWhatIsQueuedWithClosedNotExecuted) {
  Make();
  const absl::StatusOr<Mailbox> mailbox = [&] {
    testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
    At(1).OpenMailbox(N("r/box/a"), {}, opened.Handler());
    return Await(opened);
  }();
  ASSERT_TRUE(mailbox.ok()) << mailbox.status();
  std::vector<std::unique_ptr<testing::Probe<absl::StatusOr<Answer<Text>>>>> answers;
  for (const int from : {1, 2, 3}) {
    answers.push_back(std::make_unique<testing::Probe<absl::StatusOr<Answer<Text>>>>("Call"));
    At(from)
        .To(Only("r/box/a"), {}, Once())
        .Call(kEcho, Text{.text = "?"}, answers.back()->Handler());
  }
  cluster().RunFor(seconds(1));
  const_cast<Mailbox&>(*mailbox).Close();
  for (auto& answer : answers) {
    const absl::Status status = Await(*answer).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_NE(std::string(status.message()).find("closed, not executed"), std::string::npos);
    EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  }
}

TEST_F(ActorsTest, Rule8_FanOutSendsOneMessageToEachMember) {
  Make();
  for (const int node : {1, 2, 3}) {
    for (const char* key : {"a", "b", "c"}) {
      ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node) + key).ok());
    }
  }
  const GatherResults<Text> results = Gather(At(0).To(Under("r/k"), Routing::All()), "hello");
  EXPECT_TRUE(results.status().ok());
  EXPECT_EQ(results.size(), 9u);
  for (const auto& [target, value] : results) {
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->text, "hello from " + target.name.text());
  }
  EXPECT_EQ(results.succeeded().size(), 9u);
}

TEST_F(ActorsTest, RowExceptSuccesses_AsksOnlyThoseWhoFailed) {
  Make();
  for (const int node : {1, 2, 3}) ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node)).ok());
  cluster().Partition(0, 2);
  CallPolicy policy = Once(seconds(2));
  GatherResults<Text> results = Gather(At(0).To(Under("r/k"), Routing::All(), policy), "1");
  EXPECT_EQ(results.succeeded(), (std::vector<Name>{N("r/k/1"), N("r/k/3")}));
  EXPECT_EQ(results.failed(), (std::vector<Name>{N("r/k/2")}));
  cluster().Heal(0, 2);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 2, seconds(60)));
  cluster().RunFor(seconds(20));
  const auto rest = [&] {
    return At(0).To(Under("r/k").Except(results.succeeded()), Routing::All(), policy);
  };
  GatherResults<Text> later = Gather(rest(), "2");
  EXPECT_LE(later.size(), 1u);
  results.Merge(std::move(later));
  for (const auto& [target, value] : results) {
    if (value.ok()) {
      EXPECT_EQ(value->text[0], target.name == N("r/k/2") ? '2' : '1');
    }
  }
}

TEST_F(ActorsTest, RowFastest_FirstOne_CancelsTheLosers) {
  Make();
  for (const int node : {1, 2, 3}) ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node)).ok());
  const GatherResults<Text> results = Gather(At(1).To(Under("r/k"), Routing::First(1)), "x");
  size_t succeeded = 0;
  for (const auto& [target, value] : results) succeeded += value.ok() ? 1 : 0;
  EXPECT_EQ(succeeded, 1u);
}

TEST_F(ActorsTest, RowTrustedCallers_IsCheckedByTheReceiver) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a", {.trusted_callers = {"http://node2:9000"}}).ok());
  EXPECT_TRUE(CallAdd(At(2).To(Only("r/k/a")), 1).ok());
  EXPECT_TRUE(CallAdd(At(1).To(Only("r/k/a")), 1).ok());
  const absl::Status refused = CallStatus(At(3).To(Only("r/k/a")), kAdd, Add{});
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << refused;
  EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);
  EXPECT_GE(At(1).Stats().untrusted, 1u);
}

TEST_F(ActorsTest, RowDraining_ResolversSkipIt) {
  Make();
  const absl::StatusOr<ActorHandle> first = Start(1, "r/k/1");
  ASSERT_TRUE(first.ok() && Start(2, "r/k/2").ok());
  testing::Probe<absl::Status> updated("Update");
  first->Update({{kDraining, "true"}}, seconds(5), updated.Handler());
  ASSERT_TRUE(Await(updated).ok());
  const Recipients to = At(0).To(Under("r/k"), Routing::Random());
  for (int i = 0; i < 20; ++i) {
    const absl::StatusOr<Answer<int64_t>> answer = CallAdd(to, 1);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->from.name, N("r/k/2"));
  }
}

// The same call over a connection that breaks while it runs: once, although it is tried again.
TEST_F(ActorsTest, ADeduplicatedCallRunsOnce_ThoughItsConnectionBreaks) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  CallPolicy policy;
  policy.attempts = 20;
  policy.deadline = seconds(60);
  policy.retry_maybe_executed = true;
  policy.deduplicate = std::chrono::minutes(2);
  const Recipients to = At(2).To(Only("r/k/a"), {}, policy);
  ASSERT_TRUE(CallAdd(to, 1).ok());
  int64_t expected = 1;
  for (int round = 0; round < 20; ++round) {
    testing::Probe<absl::StatusOr<Answer<int64_t>>> answer("Call");
    to.Call(kAdd, Add{.by = 1}, answer.Handler());
    cluster().RunFor(std::chrono::microseconds(150 * round));
    cluster().Sever(1, 2);
    const absl::StatusOr<Answer<int64_t>> value = Await(answer);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->value, ++expected);
    ASSERT_TRUE(cluster().RunUntilConnected(1, 2, seconds(60)));
  }
  EXPECT_EQ(SeenBy(1, "r/k/a").added, expected);
  EXPECT_GT(At(1).Stats().remembered, 0u);
}

TEST_F(ActorsTest, ALostLease_StopsAnExclusiveActor_AndTheProcessGoesOn) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/k/a");
  ASSERT_TRUE(actor.ok());
  testing::Probe<absl::Status> stopped("WaitStopped");
  actor->WaitStopped(stopped.Handler());
  cluster().Partition(0, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return SeenBy(1, "r/k/a").stopped == 1; }, seconds(20)));
  EXPECT_FALSE(actor->lease().valid());
  // Nobody has it until the lease has passed; then somebody else may.
  EXPECT_TRUE(HolderOf(Start(2, "r/k/a").status()).has_value());
  cluster().RunFor(seconds(10));
  const absl::StatusOr<ActorHandle> second = Start(2, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  cluster().Heal(0, 1);
  EXPECT_EQ(Await(stopped).code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(actor->running());
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1, seconds(60)));
  EXPECT_TRUE(Start(1, "r/k/b").ok());
  EXPECT_EQ(At(1).Stats().leases_lost, 1u);
  EXPECT_TRUE(second->running());
}

TEST_F(ActorsTest, ALostLease_OfASharedName_IsRegisteredAgain_AndItsActorGoesOn) {
  Make();
  const absl::StatusOr<ActorHandle> actor = Start(1, "r/k/a", {.holding = Holding::kShared});
  ASSERT_TRUE(actor.ok());
  const uint64_t epoch = actor->target().epoch;
  ASSERT_TRUE(CallAdd(At(2).To(Only("r/k/a")), 1).ok());
  cluster().Partition(0, 1);
  cluster().RunFor(seconds(20));
  EXPECT_FALSE(actor->lease().valid());
  cluster().Heal(0, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return actor->target().epoch > epoch; }, seconds(60)));
  const absl::StatusOr<Answer<int64_t>> answer = CallAdd(At(2).To(Only("r/k/a")), 1);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->value, 2);
  EXPECT_EQ(answer->from, actor->target());
  EXPECT_EQ(SeenBy(1, "r/k/a").stopped, 0);
  EXPECT_EQ(At(1).Stats().reclaimed, 1u);
  EXPECT_TRUE(Stop(*actor).ok());
}

TEST_F(ActorsTest, AMemberThatDies_FailsItsCallsAsMaybeExecuted) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  const Recipients to = At(2).To(Only("r/k/a"), {}, Once());
  ASSERT_TRUE(CallAdd(to, 1).ok());
  testing::Probe<absl::StatusOr<Answer<Text>>> answer("Call");
  to.Call(kSleep, Text{}, answer.Handler());
  cluster().RunFor(milliseconds(100));
  Kill(1);
  EXPECT_EQ(DeliveryOf(Await(answer).status()), Delivery::kMaybeExecuted);
}

TEST_F(ActorsTest, CancellingACallReachesTheActor) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  for (const int from : {1, 2}) {
    asio::cancellation_signal signal;
    testing::Probe<absl::StatusOr<Answer<Text>>> answer("Call");
    At(from)
        .To(Only("r/k/a"))
        .Call(kSleep, Text{}, asio::bind_cancellation_slot(signal.slot(), answer.Handler()));
    cluster().RunFor(milliseconds(100));
    signal.emit(asio::cancellation_type::terminal);
    EXPECT_EQ(Await(answer).status().code(), absl::StatusCode::kCancelled);
  }
  cluster().RunFor(seconds(1));
  EXPECT_EQ(At(1).Stats().deliveries, 0u);
}

TEST_F(ActorsTest, AClientHostsNothing_AndCallsInSeveralRealms) {
  Make({.nodes = 4, .clients = {3}});
  ASSERT_TRUE(Start(1, "red/k/a").ok() && Start(2, "blue/k/a").ok());
  EXPECT_EQ(Start(3, "red/k/b").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(CallAdd(At(3).To(Under("red")), 1).ok());
  EXPECT_TRUE(CallAdd(At(3).To(Under("blue")), 1).ok());
  EXPECT_EQ(SeenBy(1, "red/k/a").added, 1);
  EXPECT_EQ(SeenBy(2, "blue/k/a").added, 1);
}

TEST_F(ActorsTest, RowGroupPerVersion_OnePerNextSegment) {
  Make();
  for (const int node : {1, 2}) {
    for (const char* version : {"1.0", "1.1"}) {
      ASSERT_TRUE(
          Start(node, std::string("r/render/farm/") + version, {.holding = Holding::kShared}).ok());
    }
  }
  const GatherResults<Text> results =
      Gather(At(0).To(Under("r/render/farm"), Routing::OnePerNextSegment()), "x");
  std::set<std::string> versions;
  for (const auto& [target, value] : results) {
    EXPECT_TRUE(value.ok()) << value.status();
    versions.insert(target.name.text());
  }
  EXPECT_EQ(results.size(), 2u);
  EXPECT_EQ(versions, (std::set<std::string>{"r/render/farm/1.0", "r/render/farm/1.1"}));
}

TEST_F(ActorsTest, Rule9_StopDrains_AndSaysWhoHadToBeKilled) {
  Make();
  const absl::StatusOr<ActorHandle> idle = Start(1, "r/k/idle");
  ASSERT_TRUE(idle.ok());
  testing::Probe<absl::Status> stopped("Stop");
  At(1).Stop(stopped.Handler());
  EXPECT_TRUE(Await(stopped).ok());
  EXPECT_FALSE(idle->running());
  EXPECT_EQ(Start(1, "r/k/late").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CallStatus(At(1).To(Under("r")), kAdd, Add{}).code(),
            absl::StatusCode::kFailedPrecondition);
  // The name is free.
  EXPECT_TRUE(Start(2, "r/k/idle").ok());
}

TEST_F(ActorsTest, MaxActors_IsALimitThatIsNamed) {
  limits_.max_actors = 2;
  Make();
  ASSERT_TRUE(Start(1, "r/k/1").ok() && Start(1, "r/k/2").ok());
  const absl::Status refused = Start(1, "r/k/3").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_NE(std::string(refused.message()).find("max_actors"), std::string::npos);
  EXPECT_EQ(At(1).Stats().actor_limit, 1u);
}

}  // namespace
}  // namespace grid
