// The hosted directory's calls, which may end on threads of the system's, and the thread that is
// told of them.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "grid/directory/hosted_directory.h"

namespace grid {
namespace {

// So that who waits for the directory's thread to end may end the thread's io_context as well.
TEST(HostedDirectoryThreadsTest, TheThreadRunsUntilCallsWithoutAManagerHaveEnded) {
  for (int round = 0; round < 500; ++round) {
    asio::io_context io(1);
    bool told = false;
    const auto backend = MakeHostedBackend(Connection(), io);
    backend->End({.member = "http://a:1", .incarnation = 1}, std::chrono::seconds(1),
                 [&](const absl::Status& ended) {
                   EXPECT_FALSE(ended.ok());
                   told = true;
                 });
    io.run();
    ASSERT_TRUE(told) << "round " << round;
  }
}

}  // namespace
}  // namespace grid
