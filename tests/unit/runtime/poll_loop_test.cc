#include "grid/runtime/poll_loop.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace grid {
namespace {

using std::chrono::microseconds;

int PollsIn(PollHistory& history, int idle_times, bool found) {
  int polls = 0;
  for (int i = 0; i < idle_times; ++i) {
    if (!history.ShouldPoll()) continue;
    ++polls;
    if (found) {
      history.Found();
    } else {
      history.Missed();
    }
  }
  return polls;
}

TEST(PollHistory, PollingThatFindsNothing_IsTriedNowAndThenOnly) {
  PollHistory history;
  EXPECT_EQ(PollsIn(history, 16 * PollHistory::kTryEvery, false), 16);
}

TEST(PollHistory, OneHit_MakesItPollUntilItHasMissedAsOften) {
  PollHistory history;
  EXPECT_EQ(PollsIn(history, PollHistory::kTryEvery, true), 1);
  EXPECT_EQ(PollsIn(history, 100, true), 100);
  EXPECT_EQ(PollsIn(history, PollHistory::kMost + PollHistory::kTryEvery - 1, false),
            PollHistory::kMost);
}

TEST(RunPolling, RunsEverythingAndReturnsWhenStopped) {
  for (const microseconds budget : {microseconds(0), microseconds(20)}) {
    boost::asio::io_context io;
    int ran = 0;
    for (int i = 0; i < 10; ++i) boost::asio::post(io, [&] { ++ran; });
    boost::asio::post(io, [&] {
      boost::asio::post(io, [&] {
        ++ran;
        io.stop();
      });
    });
    const auto guard = boost::asio::make_work_guard(io);
    RunPolling(io, budget);
    EXPECT_EQ(ran, 11);
  }
}

TEST(RunPolling, ReturnsWhenOutOfWork) {
  boost::asio::io_context io;
  int ran = 0;
  boost::asio::post(io, [&] { ++ran; });
  RunPolling(io, microseconds(20));
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace grid
