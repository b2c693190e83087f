// Timers as turns of an actor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "grid/actor/actor_cell.h"
#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using internal::ActorCell;
using ::testing::HasSubstr;

class ActorTimerTest : public ActorTest {
 protected:
  // An actor whose OnStart is `start`, which does not wait.
  std::shared_ptr<ActorCell> StartTimers(std::function<void(ActorContext&)> start,
                                         ActorOptions options = Shared()) {
    return Start(std::move(options), [this, start](TestActor& actor) {
      actor.on_start = [start](ActorContext& context) -> asio::awaitable<absl::Status> {
        start(context);
        co_return absl::OkStatus();
      };
      actor.On(
          kAdd,
          [this](const Add&, ActorContext& context) -> asio::awaitable<absl::StatusOr<int64_t>> {
            if (on_add_) on_add_(context);
            co_await gate_.Wait();
            co_return 0;
          });
      actor.On(kTell, [](const std::string&, ActorContext&) -> absl::Status {
        throw std::runtime_error("told");
      });
    });
  }
  ActorContext::TimerFunction Note(const std::string& what) {
    return [this, what](ActorContext& context) {
      EXPECT_EQ(context.deadline(), Letter::kNoDeadline);
      const auto at = std::chrono::duration_cast<milliseconds>(clock_->Now() - start_).count();
      ran_ += what + std::to_string(at) + " ";
    };
  }

  const TimePoint start_ = clock_->Now();
  Gate gate_{io_};
  std::function<void(ActorContext&)> on_add_;
  std::string ran_;
};

TEST_F(ActorTimerTest, Once_Every_AfterEach) {
  StartTimers([this](ActorContext& context) {
    EXPECT_TRUE(context.Once(milliseconds(25), Note("once")).ok());
    EXPECT_TRUE(context.Every(milliseconds(10), Note("every")).ok());
    EXPECT_TRUE(context.AfterEach(milliseconds(15), Note("after")).ok());
  });
  RunFor(milliseconds(31));
  EXPECT_EQ(ran_, "every10 after15 every20 once25 every30 after30 ");
  EXPECT_EQ(counters().timers_run, 6u);
}

TEST_F(ActorTimerTest, NeverBesideAHandler_MissedTurnsAreLeftOut) {
  auto cell = StartTimers([this](ActorContext& context) {
    EXPECT_TRUE(context.Every(milliseconds(10), Note("every")).ok());
    EXPECT_TRUE(context.AfterEach(milliseconds(10), Note("after")).ok());
  });
  Outcome outcome = AskAdd(*cell, 1);
  RunFor(milliseconds(35));
  EXPECT_EQ(ran_, "");
  gate_.Open();
  RunFor(milliseconds(11));
  EXPECT_EQ(ran_, "every35 after35 every40 after45 ");
  EXPECT_TRUE(outcome.done());
}

TEST_F(ActorTimerTest, Concurrent_BesideHandlersThatWait) {
  ActorOptions options = Shared();
  options.concurrency = 2;
  auto cell = StartTimers(
      [this](ActorContext& context) {
        EXPECT_TRUE(context.Once(milliseconds(10), Note("once")).ok());
      },
      options);
  Outcome outcome = AskAdd(*cell, 1);
  RunFor(milliseconds(10));
  EXPECT_EQ(ran_, "once10 ");
  gate_.Open();
  Run();
  EXPECT_TRUE(outcome.done());
}

TEST_F(ActorTimerTest, Cancelled_AlsoWhenItIsDue) {
  ActorTimer first, second;
  StartTimers([&](ActorContext& context) {
    const absl::StatusOr<ActorTimer> never = context.Once(milliseconds(10), Note("never"));
    EXPECT_TRUE(context.CancelTimer(*never));
    EXPECT_FALSE(context.CancelTimer(*never));
    // Both are due at once; the first one cancels the second, and has itself begun.
    first = *context.Once(milliseconds(10), [&](ActorContext& later) {
      EXPECT_TRUE(later.CancelTimer(second));
      EXPECT_FALSE(later.CancelTimer(first));
    });
    second = *context.Every(milliseconds(10), Note("never"));
  });
  RunFor(milliseconds(50));
  EXPECT_EQ(ran_, "");
  EXPECT_EQ(counters().timers_run, 1u);
}

TEST_F(ActorTimerTest, Bounded_AndInRange) {
  ActorOptions options = Shared();
  options.max_timers = 2;
  StartTimers(
      [this](ActorContext& context) {
        EXPECT_EQ(context.Once(milliseconds(0), Note("x")).status().code(),
                  absl::StatusCode::kInvalidArgument);
        EXPECT_EQ(context.Once(milliseconds(int64_t{UINT32_MAX} + 1), Note("x")).status().code(),
                  absl::StatusCode::kInvalidArgument);
        EXPECT_TRUE(context.Once(milliseconds(1), Note("a")).ok());
        EXPECT_TRUE(context.Every(milliseconds(2), Note("b")).ok());
        const absl::Status limit = context.Once(milliseconds(1), Note("x")).status();
        EXPECT_EQ(limit.code(), absl::StatusCode::kResourceExhausted);
        EXPECT_THAT(std::string(limit.message()), HasSubstr("max_timers"));
      },
      options);
  EXPECT_EQ(counters().timer_limit, 1u);
}

TEST_F(ActorTimerTest, EndWithTheActor_AndAtARestart) {
  int starts = 0;
  auto cell = StartTimers([&](ActorContext& context) {
    EXPECT_TRUE(context.Every(milliseconds(10), Note(std::to_string(++starts) + "@")).ok());
  });
  RunFor(milliseconds(15));
  Outcome thrown = Ask(*cell, kTell, std::string());
  RunFor(milliseconds(15));
  EXPECT_EQ(ran_, "1@10 2@25 ");
  cell->Stop(StopMode::kAfterCurrent);
  RunFor(milliseconds(100));
  EXPECT_EQ(ran_, "1@10 2@25 ");
  EXPECT_TRUE(thrown.done());
  EXPECT_EQ(clock_->pending(), 0u);
}

TEST_F(ActorTimerTest, AnExceptionOutOfOne_RestartsTheActor) {
  int starts = 0;
  StartTimers([&](ActorContext& context) {
    if (++starts > 1) return;
    EXPECT_TRUE(
        context.Once(milliseconds(5), [](ActorContext&) { throw std::runtime_error("tick"); })
            .ok());
    EXPECT_TRUE(context.Once(milliseconds(5), Note("never")).ok());
  });
  RunFor(milliseconds(50));
  EXPECT_EQ(starts, 2);
  EXPECT_EQ(ran_, "");
  EXPECT_EQ(log_->Count("a timer let out an exception: tick"), 1u);
}

}  // namespace
}  // namespace grid
