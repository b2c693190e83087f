// ActorMesh: members on a mesh in memory, each with a directory (node 0 serves it), an actor
// system, a membership and the kind r/demo; and Demo, the actor that the tests start.
#ifndef GRID_TESTS_SCENARIO_ACTOR_MESH_H_
#define GRID_TESTS_SCENARIO_ACTOR_MESH_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/actor/actor_system.h"
#include "grid/actor/kind_host.h"
#include "grid/actor/kind_starter.h"
#include "grid/actor/member_drain.h"
#include "grid/actor/patrol.h"
#include "grid/directory/hosted_directory.h"
#include "grid/membership/directory_membership.h"
#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"

namespace grid::actors_test {

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

inline constexpr MessageType<Add, int64_t> kAdd{"counter.add"};
inline constexpr MessageType<Text, Text> kEcho{"echo"};
inline constexpr MessageType<Text, Text> kSleep{"sleep"};
inline constexpr MessageType<Text> kDrop{"drop"};
inline constexpr MessageType<Text> kThrow{"throw"};
inline constexpr MessageType<Text> kUnknown{"unknown"};

inline Name N(std::string_view text) { return *Name::Parse(text); }
inline Selector Only(std::string_view name) { return Selector::Of({N(name)}); }
inline Selector Under(std::string_view path) { return Selector::Under(*Path::Parse(path)); }

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

class ActorMesh : public ::testing::Test {
 protected:
  // Node 0 serves the directory.
  void Make(testing::ClusterOptions options = {}) {
    if (options.nodes == 2) options.nodes = 4;
    options.setup = [this](int node, Manager& manager) { StartNode(node, manager); };
    // StartNode adds them: a directory must know its host.
    options.add_peers = false;
    clients_ = {options.clients.begin(), options.clients.end()};
    cluster_.emplace(std::move(options));
    nodes_.resize(static_cast<size_t>(cluster_->size()));
    ASSERT_TRUE(cluster_->StartAll()) << cluster_->LogText();
  }
  void TearDown() override {
    if (!cluster_.has_value()) return;
    for (Node& node : nodes_) node.Clear();
    cluster_->Drain();
  }

  struct Node {
    HostedDirectory names;
    std::unique_ptr<ActorSystem> actors;
    std::unique_ptr<Membership> members;
    std::unique_ptr<KindHost> kinds;
    std::unique_ptr<KindStarter> starter;
    std::unique_ptr<MemberDrain> drain;
    std::unique_ptr<Patrol> patrol;

    // What stands on the others first.
    void Clear() {
      patrol.reset();
      drain.reset();
      starter.reset();
      kinds.reset();
      members.reset();
      actors.reset();
      names.directory.reset();
      names.server.reset();
    }
  };

  void StartNode(int node, Manager& manager) {
    DirectoryOptions options;
    options.io = &cluster_->io();
    options.clock = cluster_->shared_clock();
    options.log = NullLog();
    options.seed = 1000 + ++starts_;
    options.client = manager.is_client();
    std::vector<std::string> hosts;
    for (int host = 0; host < cluster_->size(); ++host) {
      hosts.push_back(cluster_->name(host));
      if (host == node || clients_.contains(host)) continue;
      ASSERT_TRUE(manager.AddPeer(cluster_->name(host)).ok());
    }
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
    MakeKinds(nodes_[node], manager);
  }
  void MakeKinds(Node& node, Manager& manager) {
    asio::io_context& io = cluster_->io();
    const std::shared_ptr<Clock> clock = cluster_->shared_clock();
    Kind kind{.path = *Path::Parse("r/demo"),
              .factory = [this, member = manager.local()](const StartArguments& start)
                  -> absl::StatusOr<std::unique_ptr<Actor>> {
                auto& seen = seen_[start.name.text() + "@" + member];
                if (seen == nullptr) seen = std::make_shared<Seen>();
                return std::make_unique<Demo>(seen);
              }};
    KindTable table;
    // Not node 0, without which there is no directory.
    if (!manager.is_client() && manager.local() != cluster_->name(0)) {
      ASSERT_TRUE(table.Add(kind).ok());
    }
    node.kinds =
        std::make_unique<KindHost>(std::move(table), *node.actors,
                                   KindHostOptions{.io = &io, .clock = clock, .log = NullLog()});
    if (!manager.is_client()) {
      ASSERT_TRUE(node.kinds->Serve(manager).ok());
    }
    auto members = MakeDirectoryMembership(
        *node.names.directory, {.io = &io,
                                .member = manager.local(),
                                .client = manager.is_client(),
                                .attributes = {{Member::kKinds, node.kinds->kinds().Paths()}},
                                .clock = clock,
                                .log = NullLog(),
                                .seed = starts_});
    ASSERT_TRUE(members.ok()) << members.status();
    node.members = *std::move(members);
    node.drain = std::make_unique<MemberDrain>(*node.kinds, *node.actors, *node.members);
    if (!manager.is_client()) {
      ASSERT_TRUE(node.drain->Serve(manager).ok());
    }
    node.starter = std::make_unique<KindStarter>(
        *node.names.directory, *node.members, manager,
        KindStarterOptions{.io = &io, .host = node.kinds.get(), .clock = clock, .seed = starts_});
  }
  // Each of `members` patrols the kind r/demo.
  void PatrolFrom(const std::vector<int>& members, size_t count) {
    for (const int member : members) {
      Node& node = nodes_[member];
      auto patrol = Patrol::Make(*node.names.directory, *node.members, *node.starter,
                                 {.io = &cluster_->io(),
                                  .path = *Path::Parse("r/demo"),
                                  .count = Activation::Count(count).count(),
                                  .clock = cluster_->shared_clock(),
                                  .log = NullLog(),
                                  .seed = 77});
      ASSERT_TRUE(patrol.ok()) << patrol.status();
      node.patrol = *std::move(patrol);
    }
  }
  void Kill(int node) {
    nodes_[node].Clear();
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
  std::set<int> clients_;
  std::vector<Node> nodes_;
  std::map<std::string, std::shared_ptr<Seen>> seen_;
  uint64_t starts_ = 0;
};

}  // namespace grid::actors_test

#endif  // GRID_TESTS_SCENARIO_ACTOR_MESH_H_
