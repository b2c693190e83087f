// How an actor starts, or doesn't.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "grid/actor/actor_cell.h"
#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using ::testing::HasSubstr;

class ActorStartTest : public ActorTest {
 protected:
  absl::Status StartWith(ActorFactory factory) {
    auto cell = Make(Shared(), std::move(factory));
    Outcome letter = AskAdd(*cell, 1);
    testing::Probe<absl::Status> started;
    cell->Start(1, LeaseToken(), Completion<absl::Status>(started.Handler()));
    cell->OnStopped([&](const absl::Status& why) { why_ = why; });
    Run();
    EXPECT_EQ(letter.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(letter.delivery(), Delivery::kRejected);
    Outcome late = AskAdd(*cell, 1);
    EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(why_, started.value());
    return started.value();
  }
  absl::Status StartWith(std::function<asio::awaitable<absl::Status>(ActorContext&)> on_start) {
    return StartWith(ActorFactory([this, on_start] {
      auto actor = std::make_unique<TestActor>();
      actor->on_start = on_start;
      actor->on_stop = [this](const absl::Status&) { ++stopped_; };
      return actor;
    }));
  }

  absl::Status why_;
  int stopped_ = 0;
};

TEST_F(ActorStartTest, WhatTheFactoryFailsWith_IsTheOutcome) {
  EXPECT_EQ(StartWith(ActorFactory([] { return absl::NotFoundError("no disk"); })),
            absl::NotFoundError("no disk"));
  EXPECT_EQ(StartWith(ActorFactory([] { return std::unique_ptr<Actor>(); })).code(),
            absl::StatusCode::kInternal);
  const absl::Status thrown =
      StartWith(ActorFactory([]() -> std::unique_ptr<Actor> { throw std::runtime_error("bang"); }));
  EXPECT_EQ(thrown.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(thrown.message()), HasSubstr("bang"));
}

TEST_F(ActorStartTest, WhatOnStartFailsWith_IsTheOutcome_AndOnStopIsNotCalled) {
  EXPECT_EQ(StartWith([](ActorContext&) -> asio::awaitable<absl::Status> {
              co_return absl::NotFoundError("no disk");
            }),
            absl::NotFoundError("no disk"));
  EXPECT_EQ(StartWith([](ActorContext&) -> asio::awaitable<absl::Status> {
              throw std::runtime_error("bang");
              co_return absl::OkStatus();
            }).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(log_->Count("OnStart let out an exception: bang"), 1u);
  EXPECT_EQ(StartWith([](ActorContext&) -> asio::awaitable<absl::Status> {
              throw std::runtime_error("not even a coroutine");
            }).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(stopped_, 0);
}

TEST_F(ActorStartTest, StoppedBeforeIt_Fails) {
  for (const StopMode mode : {StopMode::kAfterQueue, StopMode::kAfterCurrent, StopMode::kKill}) {
    for (const bool run : {false, true}) {
      auto cell = Make(Shared(), [](TestActor&) {});
      cell->Stop(mode);
      if (run) Run();
      testing::Probe<absl::Status> started;
      cell->Start(1, LeaseToken(), Completion<absl::Status>(started.Handler()));
      Run();
      ASSERT_TRUE(started.done());
      EXPECT_EQ(started.value().code(), absl::StatusCode::kCancelled);
      int stopped = 0;
      cell->OnStopped([&](const absl::Status&) { ++stopped; });
      EXPECT_EQ(stopped, 1);
    }
  }
  EXPECT_EQ(made_, 0);
}

TEST_F(ActorStartTest, KilledMeanwhile_Fails_StoppedMeanwhile_ComesFirst) {
  for (const StopMode mode : {StopMode::kAfterQueue, StopMode::kAfterCurrent, StopMode::kKill}) {
    Gate gate(io_);
    auto cell = Make(Shared(), [&](TestActor& actor) {
      actor.on_start = [&](ActorContext&) -> asio::awaitable<absl::Status> {
        co_await gate.Wait();
        co_return absl::OkStatus();
      };
    });
    testing::Probe<absl::Status> started;
    int stopped = 0;
    cell->OnStopped([&](const absl::Status&) { ++stopped; });
    cell->Start(1, LeaseToken(), Completion<absl::Status>(started.Handler()));
    Run();
    cell->Stop(mode);
    Run();
    EXPECT_EQ(started.done(), mode == StopMode::kKill);
    gate.Open();
    Run();
    ASSERT_TRUE(started.done());
    EXPECT_EQ(started.value().code(),
              mode == StopMode::kKill ? absl::StatusCode::kCancelled : absl::StatusCode::kOk);
    EXPECT_EQ(stopped, 1);
  }
}

}  // namespace
}  // namespace grid
