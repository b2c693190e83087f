// The contract of directories, on the hosted one; and what is its own.
#include "grid/directory/hosted_directory.h"

#include <gtest/gtest.h>

#include "grid/directory/hosted_protocol.h"
#include "grid/testing/cluster.h"
#include "tests/directory/contract.h"

namespace grid {
namespace {

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

std::unique_ptr<World> MakeHostedWorld(WorldOptions options) {
  return std::make_unique<HostedWorld>(std::move(options));
}
// Answers carry what matters themselves, whatever the connection can do.
std::unique_ptr<World> MakeVersion1World(WorldOptions options) {
  return std::make_unique<HostedWorld>(
      std::move(options), testing::ClusterOptions{.adjust = [](int, ManagerOptions& manager) {
        manager.extensions = {.credits = false,
                              .status = false,
                              .fragment_bytes = 0,
                              .goaway = false,
                              .client = false};
      }});
}
std::unique_ptr<World> MakeInterleavedWorld(WorldOptions options) {
  return std::make_unique<HostedWorld>(std::move(options),
                                       testing::ClusterOptions{.seed = 7, .interleave = true});
}

INSTANTIATE_TEST_SUITE_P(Hosted, DirectoryContract,
                         ::testing::Values(&MakeHostedWorld, &MakeVersion1World,
                                           &MakeInterleavedWorld));

}  // namespace
}  // namespace grid
