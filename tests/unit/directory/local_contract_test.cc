// The contract of directories, on the local one.
#include <gtest/gtest.h>

#include "grid/directory/local_directory.h"
#include "grid/testing/virtual_clock.h"
#include "tests/directory/contract.h"

namespace grid {
namespace {

class LocalWorld final : public World {
 public:
  explicit LocalWorld(WorldOptions options)
      : options_(std::move(options)),
        table_({.io = &io_, .lease = options_.lease, .clock = clock_}) {
    for (int member = 0; member < kMembers; ++member) Start(member);
  }
  ~LocalWorld() override {
    for (auto& directory : directories_) directory.reset();
    testing::Drain(io_);
  }

  Directory& At(int member) override { return *directories_[member]; }
  std::string MemberName(int member) override { return "http://node" + std::to_string(member); }
  void Kill(int member) override {
    // Nothing reaches the table any more.
    table_.SetReachable(MemberName(member), false);
    directories_[member].reset();
    testing::Drain(io_);
  }
  void Start(int member) override {
    if (server_) table_.SetReachable(MemberName(member), true);
    DirectoryOptions options;
    options.io = &io_;
    options.member = MemberName(member);
    options.lease = options_.lease;
    options.clock = clock_;
    options.log = NullLog();
    options.seed = ++starts_;
    options_.adjust(member, options);
    auto directory = table_.Join(options);
    ASSERT_TRUE(directory.ok()) << directory.status();
    directories_[member] = *std::move(directory);
  }
  void Cut(int member) override { table_.SetReachable(MemberName(member), false); }
  void Heal(int member) override { table_.SetReachable(MemberName(member), true); }
  void KillServer() override { ReachAll(false); }
  void StartServer() override { ReachAll(true); }
  bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) override {
    return testing::RunUntil(io_, *clock_, predicate, limit);
  }
  TimePoint Now() override { return clock_->Now(); }
  milliseconds Lease() override { return options_.lease; }

 private:
  void ReachAll(bool reachable) {
    server_ = reachable;
    for (int member = 0; member < kMembers; ++member) {
      table_.SetReachable(MemberName(member), reachable);
    }
  }

  const WorldOptions options_;
  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  asio::io_context io_;
  LocalDirectory table_;
  std::unique_ptr<Directory> directories_[kMembers];
  bool server_ = true;
  uint64_t starts_ = 0;
};

std::unique_ptr<World> MakeLocalWorld(WorldOptions options) {
  return std::make_unique<LocalWorld>(std::move(options));
}

INSTANTIATE_TEST_SUITE_P(Local, DirectoryContract, ::testing::Values(&MakeLocalWorld),
                         [](const auto&) { return std::string("Directory"); });

}  // namespace
}  // namespace grid
