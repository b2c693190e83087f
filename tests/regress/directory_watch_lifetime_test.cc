// A Watcher that went after its Directory, before the directory's thread had come to its end, left
// the directory with a watch that was no more.
#include <gtest/gtest.h>

#include "grid/directory/local_directory.h"
#include "grid/testing/virtual_clock.h"

namespace grid {
namespace {

TEST(DirectoryWatchLifetimeTest, AWatcherMayGoAfterItsDirectory) {
  const auto clock = std::make_shared<testing::VirtualClock>();
  asio::io_context io;
  LocalDirectory table({.io = &io, .clock = clock});
  DirectoryOptions options;
  options.io = &io;
  options.member = "a";
  options.clock = clock;
  options.log = NullLog();
  absl::StatusOr<std::unique_ptr<Directory>> directory = table.Join(options);
  ASSERT_TRUE(directory.ok());
  absl::StatusOr<Watcher> watcher = (*directory)->Watch(Selector::Under(*Path::Parse("a")));
  ASSERT_TRUE(watcher.ok());
  testing::RunFor(io, *clock, std::chrono::seconds(1));
  directory->reset();
  *watcher = Watcher();
  testing::Drain(io);
}

}  // namespace
}  // namespace grid
