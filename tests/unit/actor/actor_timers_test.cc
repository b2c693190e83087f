#include "grid/actor/actor_timers.h"

#include <gtest/gtest.h>

#include <string>

namespace grid::internal {
namespace {

using std::chrono::milliseconds;
using Repeat = ActorTimers::Repeat;

class ActorTimersTest : public ::testing::Test {
 protected:
  ActorTimer Add(int step, Repeat repeat) {
    return timers_.Add(now_, milliseconds(step), repeat, [](ActorContext&) {});
  }
  // Runs all that is due, each for `takes`: their numbers.
  std::string RunDue(milliseconds takes = milliseconds(0)) {
    std::string ran;
    while (std::optional<ActorTimers::Due> due = timers_.Take(now_)) {
      ran += std::to_string(due->id);
      EXPECT_TRUE(due->function);
      now_ += takes;
      timers_.Done(*std::move(due), now_);
    }
    return ran;
  }
  std::string RunAt(int ms) {
    now_ = kStart + milliseconds(ms);
    return RunDue();
  }

  static constexpr TimePoint kStart{std::chrono::seconds{1000}};
  TimePoint now_ = kStart;
  ActorTimers timers_;
};

TEST_F(ActorTimersTest, Once) {
  Add(10, Repeat::kNever);
  EXPECT_EQ(*timers_.NextDue(), kStart + milliseconds(10));
  EXPECT_EQ(RunAt(9), "");
  EXPECT_EQ(RunAt(10), "1");
  EXPECT_EQ(RunAt(100), "");
  EXPECT_FALSE(timers_.NextDue().has_value());
  EXPECT_EQ(timers_.size(), 0u);
}

TEST_F(ActorTimersTest, InTheOrderOfTime_ThenOfSetting) {
  Add(20, Repeat::kNever);
  Add(10, Repeat::kNever);
  Add(20, Repeat::kNever);
  EXPECT_EQ(RunAt(20), "213");
}

TEST_F(ActorTimersTest, Every_LeavesOutWhatWasMissed) {
  Add(10, Repeat::kPeriod);
  EXPECT_EQ(RunAt(10), "1");
  EXPECT_EQ(RunAt(47), "1");  // for 20, 30 and 40
  EXPECT_EQ(*timers_.NextDue(), kStart + milliseconds(50));
  EXPECT_EQ(RunAt(50), "1");
  EXPECT_EQ(*timers_.NextDue(), kStart + milliseconds(60));
}

TEST_F(ActorTimersTest, AfterEach_CountsFromTheEndOfTheLast) {
  Add(10, Repeat::kPause);
  now_ = kStart + milliseconds(10);
  EXPECT_EQ(RunDue(milliseconds(7)), "1");
  EXPECT_EQ(*timers_.NextDue(), kStart + milliseconds(27));
}

TEST_F(ActorTimersTest, Cancel_AlsoWhenDue_AndWhileItRuns) {
  const ActorTimer due = Add(10, Repeat::kNever);
  const ActorTimer running = Add(10, Repeat::kPeriod);
  now_ += milliseconds(10);
  EXPECT_TRUE(timers_.Cancel(due));
  EXPECT_FALSE(timers_.Cancel(due));
  std::optional<ActorTimers::Due> taken = timers_.Take(now_);
  ASSERT_EQ(taken->id, running.id);
  EXPECT_TRUE(timers_.Cancel(running));
  timers_.Done(*std::move(taken), now_);
  EXPECT_EQ(timers_.size(), 0u);
  EXPECT_FALSE(timers_.NextDue().has_value());

  const ActorTimer once = Add(10, Repeat::kNever);
  now_ += milliseconds(10);
  taken = timers_.Take(now_);
  EXPECT_FALSE(timers_.Cancel(once));  // it has begun, and comes but once
}

}  // namespace
}  // namespace grid::internal
