#include "grid/transport/loop_timer.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "grid/testing/virtual_clock.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LoopTimerTest : public ::testing::Test {
 protected:
  void RunFor(Duration duration) { testing::RunFor(io_, clock_, duration); }

  testing::VirtualClock clock_;
  testing::asio::io_context io_;
  const TimePoint start_ = clock_.Now();
};

TEST_F(LoopTimerTest, FiresOnceAtItsTimeOnTheIoThread) {
  std::vector<Duration> fired;
  LoopTimer timer(io_, clock_, [&] {
    EXPECT_TRUE(io_.get_executor().running_in_this_thread());
    fired.push_back(clock_.Now() - start_);
  });
  timer.Set(start_ + milliseconds(70));
  RunFor(seconds(1));
  EXPECT_EQ(fired, std::vector<Duration>{milliseconds(70)});
}

TEST_F(LoopTimerTest, NeverFiresFromInsideSet) {
  int fired = 0;
  LoopTimer timer(io_, clock_, [&] { ++fired; });
  timer.Set(start_ - seconds(1));
  EXPECT_EQ(fired, 0);
  RunFor(Duration::zero());
  EXPECT_EQ(fired, 1);
}

TEST_F(LoopTimerTest, SetReplacesAnEarlierSetting) {
  std::vector<Duration> fired;
  LoopTimer timer(io_, clock_, [&] { fired.push_back(clock_.Now() - start_); });
  timer.Set(start_ + seconds(1));
  timer.Set(start_ + seconds(3));
  RunFor(seconds(2));
  EXPECT_TRUE(fired.empty());
  timer.Set(start_ + milliseconds(2500));
  RunFor(seconds(10));
  EXPECT_EQ(fired, std::vector<Duration>{milliseconds(2500)});
}

TEST_F(LoopTimerTest, ClearStopsIt) {
  int fired = 0;
  LoopTimer timer(io_, clock_, [&] { ++fired; });
  timer.Clear();
  timer.Set(start_ + seconds(1));
  timer.Clear();
  RunFor(seconds(5));
  EXPECT_EQ(fired, 0);
  timer.Set(clock_.Now() + seconds(1));
  RunFor(seconds(5));
  EXPECT_EQ(fired, 1);
}

TEST_F(LoopTimerTest, MayBeSetAgainFromItsOwnCallback) {
  int fired = 0;
  std::optional<LoopTimer> timer;
  timer.emplace(io_, clock_, [&] {
    if (++fired < 3) timer->Set(clock_.Now() + seconds(1));
  });
  timer->Set(start_ + seconds(1));
  RunFor(seconds(10));
  EXPECT_EQ(fired, 3);
}

TEST_F(LoopTimerTest, DestroyedBeforeItsTime_NeverFires) {
  auto timer = std::make_unique<LoopTimer>(io_, clock_, [] { FAIL(); });
  timer->Set(start_ + seconds(1));
  timer.reset();
  RunFor(seconds(5));
  EXPECT_EQ(clock_.pending(), 0u);
}

TEST_F(LoopTimerTest, DestroyedByAnotherThatIsDueAtTheSameTime_NeverFires) {
  auto second = std::make_unique<LoopTimer>(io_, clock_, [] { FAIL(); });
  LoopTimer first(io_, clock_, [&] { second.reset(); });
  first.Set(start_ + seconds(1));
  second->Set(start_ + seconds(1));
  RunFor(seconds(5));
  EXPECT_EQ(second, nullptr);
}

// What the callback owns must live until it returns, as it does on a real clock.
TEST_F(LoopTimerTest, DestroyedByItsOwnCallback_KeepsTheCallbackAliveUntilItReturns) {
  std::unique_ptr<LoopTimer> timer;
  const auto witness = std::make_shared<int>(0);
  timer = std::make_unique<LoopTimer>(io_, clock_, [&timer, witness] {
    timer.reset();
    EXPECT_EQ(witness.use_count(), 2);
    *witness = 1;
  });
  timer->Set(start_);
  RunFor(seconds(1));
  EXPECT_EQ(*witness, 1);
  EXPECT_EQ(witness.use_count(), 1);
}

}  // namespace
}  // namespace grid
