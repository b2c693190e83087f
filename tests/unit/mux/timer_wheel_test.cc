#include "grid/mux/timer_wheel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <vector>

#include "grid/testing/random.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using testing::Random;

constexpr TimePoint kEpoch = TimePoint(std::chrono::hours(5));

class TimerWheelTest : public ::testing::Test {
 protected:
  std::vector<TimerNode*> Advance(TimePoint now) {
    std::vector<TimerNode*> fired;
    wheel_.Advance(now, [&](TimerNode* node) {
      EXPECT_FALSE(node->set());
      fired.push_back(node);
    });
    return fired;
  }

  TimerWheel wheel_{kEpoch};
};

using Fired = std::vector<TimerNode*>;

TEST_F(TimerWheelTest, Empty_HasNoNext) {
  EXPECT_EQ(wheel_.Next(), TimePoint::max());
  EXPECT_TRUE(Advance(kEpoch + 100h).empty());
}

TEST_F(TimerWheelTest, FiresAtItsTimeAndNotBefore) {
  TimerNode node;
  wheel_.Set(&node, kEpoch + 10ms);
  EXPECT_TRUE(node.set());
  EXPECT_TRUE(Advance(kEpoch + 10ms - 1ns).empty());
  EXPECT_EQ(Advance(kEpoch + 10ms), Fired{&node});
  EXPECT_TRUE(Advance(kEpoch + 1h).empty());
}

TEST_F(TimerWheelTest, FractionsOfAMillisecond_AreRoundedUp) {
  TimerNode node;
  wheel_.Set(&node, kEpoch + 10ms + 1ns);
  EXPECT_TRUE(Advance(kEpoch + 10ms).empty());
  EXPECT_TRUE(Advance(kEpoch + 11ms - 1ns).empty());
  EXPECT_EQ(Advance(kEpoch + 11ms), Fired{&node});
}

TEST_F(TimerWheelTest, EachLevel_CascadesToTheExactMillisecond) {
  // Just below, at and above the span of each level.
  std::vector<Duration> delays;
  for (int level = 0; level <= 6; ++level) {
    const auto span = std::chrono::milliseconds(int64_t{1} << (6 * level));
    for (const auto delay : {span - 1ms, span, span + 1ms, 63 * span, 63 * span + 1ms}) {
      delays.push_back(delay);
    }
  }
  for (const Duration offset : {0ms, 1ms, 63ms, 64ms, 4095ms, 4097ms}) {
    for (const Duration delay : delays) {
      if (delay == Duration::zero()) continue;
      TimerWheel wheel(kEpoch);
      int fired = 0;
      const auto count = [&](TimerNode*) { ++fired; };
      wheel.Advance(kEpoch + offset, count);
      TimerNode node;
      wheel.Set(&node, kEpoch + offset + delay);
      wheel.Advance(kEpoch + offset + delay - 1ns, count);
      ASSERT_EQ(fired, 0) << delay.count();
      wheel.Advance(kEpoch + offset + delay, count);
      ASSERT_EQ(fired, 1) << delay.count();
    }
  }
}

TEST_F(TimerWheelTest, InThePast_FiresInTheNextAdvance) {
  Advance(kEpoch + 5s);
  TimerNode node, ancient;
  wheel_.Set(&node, kEpoch + 1s);
  wheel_.Set(&ancient, kEpoch - 1s);
  EXPECT_LE(wheel_.Next(), kEpoch + 5s);
  EXPECT_EQ(Advance(kEpoch + 5s), (Fired{&node, &ancient}));
}

TEST_F(TimerWheelTest, InThePast_DoesNotTurnTimeBack) {
  Advance(kEpoch + 5s);
  TimerNode past, future;
  wheel_.Set(&past, kEpoch);
  wheel_.Set(&future, kEpoch + 6s);
  // Time that goes backwards is no reason to fire or to forget.
  EXPECT_TRUE(Advance(kEpoch + 4s).empty());
  EXPECT_EQ(Advance(kEpoch + 5s), Fired{&past});
  EXPECT_EQ(Advance(kEpoch + 6s), Fired{&future});
}

TEST_F(TimerWheelTest, Never_IsFarAway) {
  TimerNode node;
  wheel_.Set(&node, TimePoint::max());
  EXPECT_TRUE(Advance(kEpoch + 24h * 365 * 50).empty());
  EXPECT_TRUE(node.set());
  wheel_.Clear(&node);
  EXPECT_EQ(wheel_.Next(), TimePoint::max());
}

TEST_F(TimerWheelTest, Clear_IsFinalAndIdempotent) {
  TimerNode node;
  wheel_.Clear(&node);
  wheel_.Set(&node, kEpoch + 1s);
  wheel_.Clear(&node);
  wheel_.Clear(&node);
  EXPECT_FALSE(node.set());
  EXPECT_EQ(wheel_.Next(), TimePoint::max());
  EXPECT_TRUE(Advance(kEpoch + 1h).empty());
}

TEST_F(TimerWheelTest, Clear_LeavesOthersOfTheSameSlot) {
  TimerNode first, second, third;
  for (TimerNode* node : {&first, &second, &third}) wheel_.Set(node, kEpoch + 100ms);
  wheel_.Clear(&second);
  EXPECT_EQ(Advance(kEpoch + 100ms), (Fired{&first, &third}));
}

TEST_F(TimerWheelTest, Set_ReplacesTheEarlierSetting) {
  TimerNode node;
  wheel_.Set(&node, kEpoch + 1s);
  wheel_.Set(&node, kEpoch + 10s);
  EXPECT_TRUE(Advance(kEpoch + 9s).empty());
  wheel_.Set(&node, kEpoch + 9500ms);
  EXPECT_EQ(Advance(kEpoch + 9500ms), Fired{&node});
  EXPECT_TRUE(Advance(kEpoch + 1h).empty());
}

TEST_F(TimerWheelTest, FiresInTheOrderOfTime) {
  TimerNode a, b, c;
  wheel_.Set(&c, kEpoch + 5h);
  wheel_.Set(&a, kEpoch + 3ms);
  wheel_.Set(&b, kEpoch + 3s);
  EXPECT_EQ(Advance(kEpoch + 24h), (Fired{&a, &b, &c}));
}

TEST_F(TimerWheelTest, FireMaySetItself) {
  TimerNode node;
  int fired = 0;
  wheel_.Set(&node, kEpoch + 100ms);
  wheel_.Advance(kEpoch + 1s, [&](TimerNode* due) {
    ASSERT_EQ(due, &node);
    ++fired;
    wheel_.Set(&node, kEpoch + 100ms * (fired + 1));
  });
  EXPECT_EQ(fired, 10);
  EXPECT_TRUE(node.set());
}

TEST_F(TimerWheelTest, FireMayClearOthersThatAreDueAsWell) {
  TimerNode first, second, third;
  for (TimerNode* node : {&first, &second, &third}) wheel_.Set(node, kEpoch + 100ms);
  Fired fired;
  wheel_.Advance(kEpoch + 100ms, [&](TimerNode* due) {
    fired.push_back(due);
    wheel_.Clear(&second);
    if (due == &first) wheel_.Set(&third, kEpoch + 200ms);
  });
  EXPECT_EQ(fired, Fired{&first});
  EXPECT_EQ(Advance(kEpoch + 200ms), Fired{&third});
}

TEST_F(TimerWheelTest, FireMaySetATimerThatIsDueAtOnce) {
  TimerNode first, second;
  wheel_.Set(&first, kEpoch + 100ms);
  Fired fired;
  wheel_.Advance(kEpoch + 1s, [&](TimerNode* due) {
    fired.push_back(due);
    if (due == &first) wheel_.Set(&second, kEpoch + 50ms);
  });
  EXPECT_EQ(fired, (Fired{&first, &second}));
}

TEST_F(TimerWheelTest, Next_IsExactWithinALevelAndNeverLateBeyond) {
  TimerNode node;
  wheel_.Set(&node, kEpoch + 20ms);
  EXPECT_EQ(wheel_.Next(), kEpoch + 20ms);
  wheel_.Set(&node, kEpoch + 5h + 3ms);
  int wakeups = 0;
  TimePoint now = kEpoch;
  while (node.set()) {
    ASSERT_LE(wheel_.Next(), kEpoch + 5h + 3ms);
    ASSERT_GE(wheel_.Next(), now);
    now = wheel_.Next();
    Advance(now);
    ++wakeups;
  }
  EXPECT_EQ(now, kEpoch + 5h + 3ms);
  EXPECT_LE(wakeups, 7);  // at most one for each level
}

// Against a plain sorted map: the same timers fire, in the same steps.
TEST_F(TimerWheelTest, RandomUse_AgreesWithASortedMap) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    TimerWheel wheel(kEpoch);
    std::deque<TimerNode> nodes(50);
    std::map<TimerNode*, TimePoint> reference;
    TimePoint now = kEpoch;
    const auto delay = [&]() -> Duration {
      // All levels alike: the exponent is uniform.
      const int bits = static_cast<int>(random.Below(36));
      return Duration(1us) * static_cast<int64_t>(random.Below(uint64_t{1000} << bits)) - 1ms;
    };
    for (int step = 0; step < 2000; ++step) {
      TimerNode& node = nodes[random.Below(nodes.size())];
      switch (random.Below(4)) {
        case 0:
        case 1: {
          const TimePoint at = now + delay();
          wheel.Set(&node, at);
          reference[&node] = at;
          break;
        }
        case 2:
          wheel.Clear(&node);
          reference.erase(&node);
          break;
        default: {
          // As the runtime does, or wherever the time happens to be.
          const bool exact = random.OneIn(2) && wheel.Next() != TimePoint::max();
          now = std::max(now, exact ? wheel.Next() : now + delay() / 4);
          wheel.Advance(now, [&](TimerNode* due) {
            const auto it = reference.find(due);
            ASSERT_NE(it, reference.end());
            EXPECT_LE(it->second, now) << "early";
            reference.erase(it);
          });
          for (const auto& [left, at] : reference) {
            EXPECT_TRUE(left->set());
            // The wheel counts whole milliseconds from its epoch.
            EXPECT_GT(at, now - 1ms) << "late";
          }
        }
      }
      TimePoint earliest = TimePoint::max();
      for (const auto& [left, at] : reference) earliest = std::min(earliest, at);
      if (earliest != TimePoint::max()) {
        EXPECT_LT(wheel.Next(), std::max(earliest, now) + 1ms);
      } else {
        EXPECT_EQ(wheel.Next(), TimePoint::max());
      }
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace grid
