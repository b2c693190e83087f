#include "grid/testing/virtual_clock.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace grid::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(VirtualClockTest, TimeStandsStillUntilItIsMoved) {
  VirtualClock clock;
  const TimePoint start = clock.Now();
  const WallTime wall = clock.WallNow();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(milliseconds(1500));
  EXPECT_EQ(clock.Now() - start, milliseconds(1500));
  EXPECT_EQ(clock.WallNow() - wall, milliseconds(1500));
}

TEST(VirtualClockTest, TwoClocksShowTheSameTimes) {
  VirtualClock a, b;
  EXPECT_EQ(a.Now(), b.Now());
  EXPECT_EQ(a.WallNow(), b.WallNow());
}

TEST(VirtualClockTest, AlarmsFireInOrderOfTimeThenOfSetting) {
  VirtualClock clock;
  const TimePoint start = clock.Now();
  std::string order;
  auto a = clock.NewAlarm([&] { order += 'a'; });
  auto b = clock.NewAlarm([&] { order += 'b'; });
  auto c = clock.NewAlarm([&] { order += 'c'; });
  a->Set(start + seconds(2));
  b->Set(start + seconds(1));
  c->Set(start + seconds(1));
  b->Set(start + seconds(1));  // anew: now behind c
  EXPECT_EQ(clock.pending(), 3u);
  EXPECT_EQ(clock.NextAlarm(), start + seconds(1));
  EXPECT_TRUE(clock.AdvanceToNextAlarm());
  EXPECT_EQ(order, "c");
  EXPECT_EQ(clock.Now(), start + seconds(1));
  clock.Advance(seconds(5));
  EXPECT_EQ(order, "cba");
  EXPECT_EQ(clock.Now(), start + seconds(6));
  EXPECT_FALSE(clock.AdvanceToNextAlarm());
  EXPECT_EQ(clock.NextAlarm(), std::nullopt);
}

TEST(VirtualClockTest, EachAlarmSeesItsOwnTimeAndMaySetItselfAgain) {
  VirtualClock clock;
  const TimePoint start = clock.Now();
  std::vector<Duration> fired;
  std::unique_ptr<Alarm> alarm;
  alarm = clock.NewAlarm([&] {
    fired.push_back(clock.Now() - start);
    alarm->Set(clock.Now() + milliseconds(10));
  });
  alarm->Set(start + milliseconds(10));
  clock.Advance(milliseconds(35));
  EXPECT_EQ(fired, (std::vector<Duration>{milliseconds(10), milliseconds(20), milliseconds(30)}));
  EXPECT_EQ(clock.NextAlarm(), start + milliseconds(40));
}

TEST(VirtualClockTest, AnAlarmForThePastFiresAtOnceAndTimeDoesNotGoBack) {
  VirtualClock clock;
  const TimePoint start = clock.Now();
  int fired = 0;
  auto alarm = clock.NewAlarm([&] { ++fired; });
  alarm->Set(start - hours(1));
  EXPECT_EQ(fired, 0);
  clock.Advance(Duration::zero());
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(clock.Now(), start);
}

TEST(VirtualClockTest, ClearedAndDestroyedAlarmsNeverFire) {
  VirtualClock clock;
  int fired = 0;
  auto cleared = clock.NewAlarm([&] { ++fired; });
  auto destroyed = clock.NewAlarm([&] { ++fired; });
  cleared->Set(clock.Now());
  destroyed->Set(clock.Now());
  cleared->Clear();
  cleared->Clear();
  destroyed.reset();
  clock.Advance(seconds(1));
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(clock.pending(), 0u);
}

TEST(VirtualClockTest, AnAlarmMayDestroyItselfAndOthersWhileItFires) {
  VirtualClock clock;
  const auto witness = std::make_shared<std::string>();
  std::unique_ptr<Alarm> self, other;
  self = clock.NewAlarm([&self, &other, witness] {
    other.reset();
    self.reset();
    *witness = "alive";  // what the callback owns lives until it returns
  });
  other = clock.NewAlarm([witness] { *witness = "other"; });
  self->Set(clock.Now());
  other->Set(clock.Now());
  clock.Advance(seconds(1));
  EXPECT_EQ(*witness, "alive");
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(VirtualClockTest, AlarmsMayOutliveTheClock) {
  auto clock = std::make_unique<VirtualClock>();
  auto alarm = clock->NewAlarm([] { FAIL(); });
  alarm->Set(clock->Now() + seconds(1));
  clock.reset();
  alarm->Set(TimePoint{});
  alarm->Clear();
}

TEST(VirtualClockTest, MoveToNeverPassesAnAlarmNorGoesBack) {
  VirtualClock clock;
  const TimePoint start = clock.Now();
  auto alarm = clock.NewAlarm([] { FAIL(); });
  alarm->Set(start + seconds(3));
  clock.MoveTo(start + seconds(5));
  EXPECT_EQ(clock.Now(), start + seconds(3));
  clock.MoveTo(start);
  EXPECT_EQ(clock.Now(), start + seconds(3));
}

TEST(SkewedClockTest, ShiftsTheWallOnly) {
  const auto base = std::make_shared<VirtualClock>();
  SkewedClock clock(base, minutes(6));
  EXPECT_EQ(clock.Now(), base->Now());
  EXPECT_EQ(clock.WallNow() - base->WallNow(), minutes(6));
  int fired = 0;
  auto alarm = clock.NewAlarm([&] { ++fired; });
  alarm->Set(clock.Now() + seconds(1));
  base->Advance(seconds(1));
  EXPECT_EQ(fired, 1);
}

TEST(RunUntilTest, RunsWhatIsReadyBeforeTimeMoves) {
  VirtualClock clock;
  asio::io_context io;
  std::string order;
  auto alarm = clock.NewAlarm([&] {
    order += "alarm ";
    asio::post(io, [&] { order += "posted "; });
  });
  auto later = clock.NewAlarm([&] { order += "later"; });
  alarm->Set(clock.Now() + seconds(1));
  later->Set(clock.Now() + seconds(1));
  asio::post(io, [&] {
    order += "first ";
    asio::post(io, [&] { order += "second "; });
  });
  EXPECT_FALSE(RunUntil(
      io, clock, [] { return false; }, seconds(2)));
  EXPECT_EQ(order, "first second alarm posted later");
}

TEST(RunUntilTest, StopsAsSoonAsThePredicateHolds) {
  VirtualClock clock;
  asio::io_context io;
  const TimePoint start = clock.Now();
  bool done = false;
  auto alarm = clock.NewAlarm([&] { done = true; });
  alarm->Set(start + milliseconds(250));
  EXPECT_TRUE(RunUntil(
      io, clock, [&] { return done; }, hours(1)));
  EXPECT_EQ(clock.Now() - start, milliseconds(250));
}

TEST(RunUntilTest, StopsExactlyAtTheLimit) {
  VirtualClock clock;
  asio::io_context io;
  const TimePoint start = clock.Now();
  int fired = 0;
  auto at = clock.NewAlarm([&] { ++fired; });
  auto after = clock.NewAlarm([&] { ++fired; });
  at->Set(start + seconds(5));
  after->Set(start + seconds(5) + Duration(1));
  RunFor(io, clock, seconds(5));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(clock.Now() - start, seconds(5));
}

TEST(RunUntilTest, FiresAlarmsInsideTheIoContext) {
  VirtualClock clock;
  asio::io_context io;
  bool inside = false;
  auto alarm = clock.NewAlarm([&] { inside = io.get_executor().running_in_this_thread(); });
  alarm->Set(clock.Now());
  RunFor(io, clock, seconds(1));
  EXPECT_TRUE(inside);
}

TEST(RunUntilTest, ReportsHandlersThatNeverEnd) {
  VirtualClock clock;
  asio::io_context io;
  std::function<void()> again = [&] { asio::post(io, again); };
  asio::post(io, again);
  EXPECT_THROW(RunFor(io, clock, seconds(1)), std::runtime_error);
}

TEST(SleepTest, TakesVirtualTimeOnly) {
  VirtualClock clock;
  asio::io_context io;
  const TimePoint start = clock.Now();
  std::vector<Duration> woken;
  for (const int ms : {30, 10, 20}) {
    asio::co_spawn(
        io,
        [&, ms]() -> asio::awaitable<void> {
          co_await Sleep(io, clock, milliseconds(ms));
          woken.push_back(clock.Now() - start);
        },
        asio::detached);
  }
  RunFor(io, clock, milliseconds(25));
  EXPECT_EQ(woken, (std::vector<Duration>{milliseconds(10), milliseconds(20)}));
  RunFor(io, clock, hours(24));
  EXPECT_EQ(woken.size(), 3u);
}

TEST(SleepTest, AnIoContextThatGoesTakesTheSleeperWithIt) {
  VirtualClock clock;
  const auto owned = std::make_shared<int>(0);
  {
    asio::io_context io;
    asio::co_spawn(
        io,
        [&io, &clock, owned]() -> asio::awaitable<void> {
          co_await Sleep(io, clock, hours(1));
          ADD_FAILURE() << "woke up";
        },
        asio::detached);
    RunFor(io, clock, seconds(1));
    EXPECT_EQ(clock.pending(), 1u);
  }
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(clock.pending(), 0u);
}

}  // namespace
}  // namespace grid::testing
