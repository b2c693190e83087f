// Kinds on a mesh: starts and stops over grid, by every way that they can fail there.
#include <gtest/gtest.h>

#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "grid/actor/kind_host.h"
#include "grid/actor/kind_starter.h"
#include "grid/directory/local_directory.h"
#include "grid/membership/static_membership.h"
#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"
#include "handlers/delivery.h"
#include "tests/unit/actor/kind_world.h"

namespace grid {
namespace {

class KindsTest : public ::testing::Test {
 protected:
  struct Node {
    std::unique_ptr<Directory> names;
    std::unique_ptr<Membership> members;
    std::unique_ptr<FakeActors> actors;
    std::unique_ptr<KindHost> kinds;
    std::unique_ptr<KindStarter> starter;
  };

  // Three nodes; the kind test/worker is hosted by 1 and 2. `extensions`: what they speak beyond
  // version 1.
  void Make(bool extensions) {
    testing::ClusterOptions options;
    options.nodes = 3;
    options.adjust = [extensions](int, ManagerOptions& manager) {
      if (extensions) return;
      manager.extensions.credits = manager.extensions.status = manager.extensions.meta = false;
      manager.extensions.handlers16 = manager.extensions.goaway = false;
    };
    options.setup = [this](int node, Manager& manager) { MakeNode(node, manager); };
    cluster_ = std::make_unique<testing::Cluster>(std::move(options));
    table_ = std::make_unique<LocalDirectory>(
        LocalDirectoryOptions{.io = &cluster_->io(), .clock = cluster_->shared_clock()});
    ASSERT_TRUE(cluster_->StartAll()) << cluster_->LogText();
  }
  void MakeNode(int number, Manager& manager) {
    Node& node = nodes_[number];
    DirectoryOptions names;
    names.io = &cluster_->io();
    names.member = manager.local();
    names.clock = cluster_->shared_clock();
    names.log = NullLog();
    names.seed = static_cast<uint64_t>(number) + 1;
    node.names = *table_->Join(names);
    std::vector<Member> list;
    for (int i = 0; i < 3; ++i) {
      list.push_back({.name = cluster_->name(i),
                      .attributes = {{Member::kKinds, i == 0 ? "" : "test/worker"}}});
    }
    node.members =
        *MakeStaticMembership({.io = &cluster_->io(), .self = manager.local(), .members = list});
    node.actors = std::make_unique<FakeActors>(cluster_->io(), cluster_->shared_clock(),
                                               *node.names, manager.local());
    KindTable table;
    if (number > 0) {
      Kind kind{.path = *Path::Parse("test/worker"), .factory = [](const StartArguments&) {
                  return absl::StatusOr<std::unique_ptr<Actor>>(std::unique_ptr<Actor>());
                }};
      kind.admit = [](const StartArguments& start) {
        return start.parameters.contains("_forbidden")
                   ? absl::PermissionDeniedError("not for " + start.caller.host)
                   : absl::OkStatus();
      };
      ASSERT_TRUE(table.Add(kind).ok());
    }
    node.kinds = std::make_unique<KindHost>(
        std::move(table), *node.actors,
        KindHostOptions{
            .io = &cluster_->io(), .clock = cluster_->shared_clock(), .log = NullLog()});
    ASSERT_TRUE(node.kinds->Serve(manager).ok());
    node.starter =
        std::make_unique<KindStarter>(*node.names, *node.members, manager,
                                      KindStarterOptions{.io = &cluster_->io(),
                                                         .host = node.kinds.get(),
                                                         .clock = cluster_->shared_clock(),
                                                         .seed = 1});
  }
  ~KindsTest() override {
    for (Node& node : nodes_) {
      node.starter.reset();
      node.kinds.reset();
      node.actors.reset();
      node.members.reset();
      node.names.reset();
    }
    if (cluster_ != nullptr) cluster_->Drain();
    table_.reset();
  }

  absl::StatusOr<StartResult> Start(int from, StartRequest request) {
    testing::Probe<absl::StatusOr<StartResult>> done("Start");
    nodes_[from].starter->Start(std::move(request), done.Handler());
    cluster_->RunUntil([&] { return done.done(); }, std::chrono::minutes(3));
    return done.done() ? std::move(done.value()) : absl::InternalError("never completed");
  }
  StartRequest Worker(std::string_view key, int on) {
    return {.name = *Name::Parse("test/worker/" + std::string(key)),
            .placement = Placement::On(cluster_->name(on))};
  }

  std::unique_ptr<testing::Cluster> cluster_;
  std::unique_ptr<LocalDirectory> table_;
  Node nodes_[3];
};

class KindsWithAndWithoutExtensionsTest : public KindsTest,
                                          public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Extensions, KindsWithAndWithoutExtensionsTest, ::testing::Bool());

TEST_P(KindsWithAndWithoutExtensionsTest, StartedAlreadyRunningRefusedNoKindStopped) {
  Make(GetParam());
  const auto started = Start(0, Worker("1", 1));
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_FALSE(started->already_running);
  EXPECT_EQ(started->member, cluster_->name(1));
  const auto again = Start(1, Worker("1", 2));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->already_running);
  EXPECT_EQ(again->member, cluster_->name(1));
  EXPECT_EQ(again->epoch, started->epoch);

  StartRequest forbidden = Worker("2", 2);
  forbidden.parameters = {{"_forbidden", "yes"}};
  const absl::Status refused = Start(0, forbidden).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(), "at " + cluster_->name(2) + ": not for " + cluster_->name(0));
  EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);

  // Our own member is reached without a connection, and says the same.
  EXPECT_EQ(Start(2, forbidden).status().message(),
            "at " + cluster_->name(2) + ": not for " + cluster_->name(2));
  EXPECT_EQ(Start(0, {.name = *Name::Parse("test/other/1")}).status().code(),
            absl::StatusCode::kUnavailable);

  testing::Probe<absl::StatusOr<StopResult>> stopped("Stop");
  nodes_[2].starter->Stop(
      {.name = *Name::Parse("test/worker/1"), .member = started->member, .epoch = started->epoch},
      stopped.Handler());
  cluster_->RunFor(std::chrono::seconds(1));
  ASSERT_TRUE(stopped.done());
  EXPECT_TRUE(stopped.value().ok()) << stopped.value().status();
  EXPECT_TRUE(nodes_[1].actors->Held().empty());
}

TEST_F(KindsTest, AMemberThatCannotBeReachedIsPassedOver) {
  Make(true);
  cluster_->Partition(0, 1);
  cluster_->RunFor(std::chrono::minutes(1));
  const absl::Status status = Start(0, Worker("1", 1)).status();
  EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent) << status;
  for (int i = 0; i < 6; ++i) {
    StartRequest request = Worker(std::to_string(i), 1);
    request.placement = Placement::RoundRobin();
    const auto started = Start(0, request);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->member, cluster_->name(2));
  }
}

TEST_F(KindsTest, AHostThatIsGoneRefuses) {
  Make(true);
  nodes_[1].kinds.reset();
  const absl::Status status = Start(0, Worker("1", 1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
}

}  // namespace
}  // namespace grid
