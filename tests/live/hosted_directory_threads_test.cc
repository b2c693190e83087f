// A hosted directory whose parts end in any order, with calls under way: nobody may use the thread
// of a Directory, or of a DirectoryServer, once it is gone. For the sanitizers as much as for what
// it checks.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "grid/directory/hosted_directory.h"
#include "tests/live/embedding_kit.h"
#include "tests/live/ending_thread.h"
#include "tests/live/etcd_process.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One member, with its directory on a thread of its own.
class Member {
 public:
  Member(Manager& manager, const std::string& host) {
    DirectoryOptions options;
    options.io = &thread_->io();
    options.log = NullLog();
    options.back_off = {.first = milliseconds(0), .most = milliseconds(1)};
    auto names = MakeHostedDirectory(manager, {host, manager.local()}, options);
    EXPECT_TRUE(names.ok()) << names.status();
    names_ = *std::move(names);
  }

  // Something of each kind, which is told of its end.
  void Ask() {
    const auto tell = [told = told_](const auto&) { ++*told; };
    Directory& names = *names_.directory;
    names.Resolve(Selector::Under(Path::Root()), seconds(60), tell);
    names.Register(*Name::Parse("r/k/a"), Holding::kShared, {}, seconds(60), tell);
    names.WaitReady(seconds(60), tell);
    names.Flush(seconds(60), tell);
    watcher_ = *names.Watch(Selector::Under(Path::Root()));
    watcher_.Next(tell);
  }
  bool AllTold() const { return *told_ == 5; }
  uint64_t retries() const { return names_.directory->Stats().retries; }
  void WaitReady() {
    const absl::Status ready = names_.directory->WaitReady(seconds(60), asio::use_future).get();
    EXPECT_TRUE(ready.ok()) << ready;
  }

  // --- The end ---

  void Stop() { EXPECT_TRUE(names_.directory->Stop(asio::use_future).get().ok()); }
  void DropNames() {
    names_.directory.reset();
    names_.server.reset();
  }
  void StopThread() { thread_->Stop(); }
  void DropThread() { thread_.reset(); }
  // All of it, without Stop: what that has posted is run.
  void Drop() {
    DropNames();
    thread_->RunOut();
    DropThread();
    EXPECT_TRUE(AllTold());
  }

 private:
  std::unique_ptr<EndingThread> thread_ = std::make_unique<EndingThread>();
  HostedDirectory names_;
  Watcher watcher_;  // outlives them
  std::shared_ptr<std::atomic<int>> told_ = std::make_shared<std::atomic<int>>(0);
};

// Not started yet; small, as there are many.
std::unique_ptr<Manager> SmallNode(const std::string& local, const std::string& peer) {
  ManagerOptions options = NodeOptions(local);
  options.worker_threads = 1;
  return NewNode(std::move(options), peer, /*start=*/false);
}

// Calls that fail at once, on the manager's threads, and after its end where they are made.
TEST(HostedDirectoryThreadsTest, HostThatIsNotThere_EveryOrderOfTheEnd) {
  const std::string host = "http://127.0.0.1:1";
  for (uint64_t round = 0; round < 80 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    auto manager = SmallNode(NameFor(host), host);
    Member member(*manager, host);
    ASSERT_TRUE(manager->Start().ok());
    member.Ask();
    while (member.retries() < round / 4 % 4) std::this_thread::yield();
    switch (round % 4) {
      case 0:  // the directory first: only what it posted is run
        member.Drop();
        break;
      case 1:  // the manager first
        manager.reset();
        member.Drop();
        break;
      case 2:  // stopped: then nothing has to be run any more
        member.Stop();
        EXPECT_TRUE(member.AllTold());
        member.StopThread();
        member.DropNames();
        member.DropThread();
        break;
      case 3:  // both at once
        std::thread stop([&] { manager->Stop(); });
        member.Stop();
        EXPECT_TRUE(member.AllTold());
        member.DropNames();
        member.StopThread();
        member.DropThread();
        stop.join();
        break;
    }
  }
}

// Calls and watches that are under way, at either end.
TEST(HostedDirectoryThreadsTest, HostThatServes_EveryOrderOfTheEnd) {
  for (int round = 0; round < 30 && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const uint16_t port = FreePort();
    auto host = SmallNode(NameOf(port), "");
    auto manager = SmallNode(NameFor(host->local()), host->local());
    ASSERT_TRUE(host->AddPeer(manager->local()).ok());
    Member server(*host, host->local()), member(*manager, host->local());
    for (Manager* node : {host.get(), manager.get()}) ASSERT_TRUE(node->Start().ok());
    ASSERT_TRUE(host->Listen("127.0.0.1:" + std::to_string(port)).ok());
    member.WaitReady();
    server.Ask();
    member.Ask();
    switch (round % 3) {
      case 0:  // the directories, while the managers go on
        server.Drop();
        member.Drop();
        break;
      case 1:  // the managers
        host.reset();
        manager.reset();
        member.Drop();
        server.Drop();
        break;
      case 2:  // the threads, in between
        for (Member* one : {&member, &server}) {
          one->Stop();
          EXPECT_TRUE(one->AllTold());
          one->StopThread();
          one->DropNames();
          one->DropThread();
        }
        break;
    }
  }
}

// So that who waits for the directory's thread to end may end the thread's io_context as well.
TEST(HostedDirectoryThreadsTest, TheThreadRunsUntilCallsWithoutAManagerHaveEnded) {
  for (int round = 0; round < 500; ++round) {
    asio::io_context io(1);
    bool told = false;
    const auto backend = MakeHostedBackend(Connection(), io);
    backend->End({.member = "http://a:1", .incarnation = 1}, seconds(1),
                 [&](const absl::Status& ended) {
                   EXPECT_FALSE(ended.ok());
                   told = true;
                 });
    io.run();
    ASSERT_TRUE(told) << "round " << round;
  }
}

}  // namespace
}  // namespace grid::live
