#include "grid/runtime/poll_loop.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace grid {
namespace {

using std::chrono::microseconds;

using Time = PollHistory::Clock::time_point;

// Idle times one after the other, each of which ends `after` its beginning, or is given up then.
int PollsIn(PollHistory& history, int idle_times, bool found, microseconds after, Time* now) {
  int polls = 0;
  for (int i = 0; i < idle_times; ++i) {
    const Time begin = *now;
    *now += after;
    if (!history.ShouldPoll(begin)) continue;
    ++polls;
    if (found) {
      history.Found(begin, *now);
    } else {
      history.Missed(begin, *now);
    }
  }
  return polls;
}

TEST(PollHistory, PollingThatFindsNothing_IsTriedNowAndThenOnly) {
  PollHistory history;
  Time now;
  EXPECT_EQ(PollsIn(history, 16 * PollHistory::kTryEvery, false, microseconds(50), &now), 16);
}

TEST(PollHistory, OneHit_MakesItPollUntilItHasMissedAsOften) {
  PollHistory history;
  Time now;
  EXPECT_EQ(PollsIn(history, PollHistory::kTryEvery, true, microseconds(20), &now), 1);
  EXPECT_EQ(PollsIn(history, 100, true, PollHistory::kWorthwhile, &now), 100);
  EXPECT_EQ(PollsIn(history, PollHistory::kMost + PollHistory::kTryEvery - 1, false,
                    microseconds(50), &now),
            PollHistory::kMost);
}

// A thousand requests a second, each of which polling for a millisecond would find.
TEST(PollHistory, PollingForLong_TakesAnEleventhOfTheTime) {
  PollHistory history;
  Time now;
  EXPECT_EQ(PollsIn(history, PollHistory::kTryEvery, true, microseconds(20), &now), 1);
  const int polls = PollsIn(history, 1100, true, microseconds(1000), &now);
  EXPECT_EQ(polls, 100);
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
