// Calls and watches of a hosted directory that were under way when it ended, and came back to a
// thread that had ended with it.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "grid/directory/hosted_directory.h"
#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Node 0 serves and node 1 asks, each on an io_context of its own, which may go before the cluster.
class HostedDirectoryLifetimeTest : public ::testing::Test {
 protected:
  struct Node {
    std::unique_ptr<asio::io_context> io = std::make_unique<asio::io_context>();
    HostedDirectory names;
  };

  void SetUp() override {
    ASSERT_TRUE(cluster_.StartAll());
    Make(0, server_);
    Make(1, asker_);
    testing::Probe<absl::Status> ready("ready");
    asker_.names.directory->WaitReady(seconds(10), ready.Handler());
    RunUntil([&] { return ready.done(); });
    ASSERT_TRUE(ready.value().ok()) << ready.value();
  }
  void Make(int number, Node& node) {
    DirectoryOptions options;
    options.io = node.io.get();
    options.clock = cluster_.shared_clock();
    options.log = NullLog();
    auto made = MakeHostedDirectory(cluster_.manager(number), {cluster_.name(0), cluster_.name(1)},
                                    options);
    ASSERT_TRUE(made.ok()) << made.status();
    node.names = *std::move(made);
  }

  void RunUntil(absl::FunctionRef<bool()> holds) {
    for (int i = 0; i < 100 && !holds(); ++i) {
      cluster_.RunFor(milliseconds(50));
      for (Node* node : {&server_, &asker_}) Poll(*node);
    }
    EXPECT_TRUE(holds());
  }
  static void Poll(Node& node) {
    if (node.io == nullptr) return;
    node.io->restart();
    node.io->poll();
  }

  Node server_, asker_;
  testing::Cluster cluster_;
};

TEST_F(HostedDirectoryLifetimeTest, ThreadMayGoOnceTheEndHasRun) {
  cluster_.Stall(0, 1);
  testing::Probe<absl::StatusOr<Resolution>> found("found");
  testing::Probe<absl::StatusOr<uint64_t>> flushed("flushed");
  asker_.names.directory->Resolve(Selector::Under(Path::Root()), seconds(60), found.Handler());
  asker_.names.directory->Flush(seconds(60), flushed.Handler());
  Poll(asker_);
  asker_.names.directory.reset();
  Poll(asker_);
  EXPECT_TRUE(found.done() && flushed.done());
  asker_.io.reset();
  // The calls end by themselves.
  cluster_.RunFor(seconds(10));
}

TEST_F(HostedDirectoryLifetimeTest, ThreadMayGoOnceStopped) {
  cluster_.Stall(0, 1);
  testing::Probe<absl::StatusOr<Resolution>> found("found");
  testing::Probe<absl::Status> stopped("stopped"), again("stopped again");
  asker_.names.directory->Resolve(Selector::Under(Path::Root()), seconds(60), found.Handler());
  asker_.names.directory->Stop(stopped.Handler());
  asker_.names.directory->Stop(again.Handler());
  RunUntil([&] { return stopped.done(); });
  EXPECT_TRUE(found.done() && again.done());
  EXPECT_GT(asker_.names.directory->Stats().renewals, 0u);
  asker_.names.directory.reset();
  asker_.io.reset();
  cluster_.RunFor(seconds(10));
}

TEST_F(HostedDirectoryLifetimeTest, ServersThreadMayGoWithWatchesOpen) {
  absl::StatusOr<Watcher> watcher = asker_.names.directory->Watch(Selector::Under(Path::Root()));
  ASSERT_TRUE(watcher.ok());
  testing::Probe<absl::StatusOr<WatchEvent>> event("event");
  watcher->Next(event.Handler());
  RunUntil([&] { return event.done(); });
  server_.names.directory.reset();
  server_.names.server.reset();
  Poll(server_);
  server_.io.reset();
  // The watch has ended, and what is asked now is refused: neither hangs.
  testing::Probe<absl::StatusOr<Registration>> held("held");
  asker_.names.directory->Register(*Name::Parse("r/k/a"), Holding::kExclusive, {}, seconds(2),
                                   held.Handler());
  RunUntil([&] { return held.done(); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(held.value().status())) << held.value().status();
  EXPECT_NE(held.value().status().message().find("served no longer"), std::string::npos)
      << held.value().status();
  asker_.names.directory.reset();
  Poll(asker_);
}

}  // namespace
}  // namespace grid
