// HostedWorld: a hosted directory and three members of it, in memory.
#ifndef GRID_TESTS_DIRECTORY_HOSTED_WORLD_H_
#define GRID_TESTS_DIRECTORY_HOSTED_WORLD_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grid/directory/hosted_directory.h"
#include "grid/testing/cluster.h"
#include "tests/directory/world.h"

namespace grid {

// Node 0 serves, the members are nodes 1 to 3.
class HostedWorld final : public World {
 public:
  explicit HostedWorld(WorldOptions options, testing::ClusterOptions cluster = {})
      : options_(std::move(options)), cluster_(WithNodes(std::move(cluster))) {
    for (int node = 0; node < cluster_.size(); ++node) StartNode(node);
  }
  ~HostedWorld() override {
    for (auto& hosted : hosted_) Drop(hosted);
  }

  Directory& At(int member) override { return *hosted_[member + 1].directory; }
  std::string MemberName(int member) override { return cluster_.name(member + 1); }
  void Kill(int member) override { KillNode(member + 1); }
  void Start(int member) override { StartNode(member + 1); }
  void Cut(int member) override { cluster_.Partition(0, member + 1); }
  void Heal(int member) override { cluster_.Heal(0, member + 1); }
  void KillServer() override { KillNode(0); }
  void StartServer() override { StartNode(0); }
  bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) override {
    return cluster_.RunUntil(predicate, limit);
  }
  TimePoint Now() override { return cluster_.Now(); }
  milliseconds Lease() override { return options_.lease; }

  testing::Cluster& cluster() { return cluster_; }
  DirectoryServer& server() { return *hosted_[0].server; }
  Directory& ServersOwn() { return *hosted_[0].directory; }

  void KillNode(int node) {
    Drop(hosted_[node]);
    cluster_.Kill(node);
  }
  void StartNode(int node) {
    ASSERT_TRUE(cluster_.Start(node).ok());
    DirectoryOptions options;
    options.io = &cluster_.io();
    options.lease = options_.lease;
    options.clock = cluster_.shared_clock();
    options.log = NullLog();
    options.seed = 1000 + ++starts_;
    options_.adjust(node - 1, options);
    std::vector<std::string> hosts;
    for (int host = 0; host < cluster_.size(); ++host) hosts.push_back(cluster_.name(host));
    auto hosted = MakeHostedDirectory(cluster_.manager(node), hosts, options);
    ASSERT_TRUE(hosted.ok()) << hosted.status();
    hosted_[node].server = std::move(hosted->server);
    hosted_[node].directory = std::move(hosted->directory);
  }

 private:
  static testing::ClusterOptions WithNodes(testing::ClusterOptions options) {
    options.nodes = kMembers + 1;
    return options;
  }
  void Drop(HostedDirectory& hosted) {
    hosted.directory.reset();
    hosted.server.reset();
    cluster_.Drain();
  }

  const WorldOptions options_;
  testing::Cluster cluster_;
  HostedDirectory hosted_[kMembers + 1];
  uint64_t starts_ = 0;
};

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_HOSTED_WORLD_H_
