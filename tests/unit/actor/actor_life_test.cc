// How an actor fails, restarts and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "grid/actor/actor_cell.h"
#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using internal::ActorCell;
using ::testing::HasSubstr;

class ActorLifeTest : public ActorTest {
 protected:
  // Adds; behind the gate where it is negative; throws at 13.
  void Equip(TestActor& actor) {
    actor.On(kAdd,
             [this](const Add& add, ActorContext&) -> asio::awaitable<absl::StatusOr<int64_t>> {
               if (add.by < 0) co_await gate_.Wait();
               if (add.by == 13) throw std::runtime_error("thirteen");
               co_return total_ += add.by;
             });
    actor.On(kTell, [this](const std::string& text, ActorContext& context) {
      if (text == "throw") throw std::runtime_error("plain");
      if (text == "odd") throw 42;
      if (text == "stop") context.Stop();
      if (text == "stop after queue") context.Stop(StopMode::kAfterQueue);
      told_ += text;
      return absl::OkStatus();
    });
    actor.on_stop = [this](const absl::Status& why) {
      stopped_.push_back(why);
      order_ += "OnStop ";
    };
  }
  std::shared_ptr<ActorCell> StartIt(ActorOptions options = Shared()) {
    auto cell = Start(std::move(options), [this](TestActor& actor) { Equip(actor); });
    cell->OnStopped([this](const absl::Status& why) {
      ++ended_;
      why_ = why;
      order_ += "OnStopped ";
    });
    return cell;
  }
  Outcome Tell(ActorCell& cell, const std::string& text) { return Ask(cell, kTell, text); }

  Gate gate_{io_};
  int64_t total_ = 0;
  std::string told_;
  std::vector<absl::Status> stopped_;
  int ended_ = 0;
  absl::Status why_;
  std::string order_;
};

// ---- Stopping

TEST_F(ActorLifeTest, StopAfterCurrent_FinishesIt_AndAnswersWhatWaits) {
  auto cell = StartIt();
  Outcome current = AskAdd(*cell, -1);
  Outcome waiting = AskAdd(*cell, 2);
  Run();
  Outcome behind = AskAdd(*cell, 3);
  cell->Stop(StopMode::kAfterCurrent);
  Run();
  for (Outcome* outcome : {&waiting, &behind}) {
    ASSERT_TRUE(outcome->done()) << "at once, also those that were taken out already";
    EXPECT_THAT(outcome->text(), HasSubstr("closed, not executed"));
    EXPECT_EQ(outcome->delivery(), Delivery::kRejected);
  }
  EXPECT_FALSE(current.done());
  EXPECT_EQ(ended_, 0);
  gate_.Open();
  Run();
  EXPECT_EQ(current.As<int64_t>(), -1);
  EXPECT_EQ(order_, "OnStop OnStopped ");
  EXPECT_TRUE(why_.ok() && stopped_[0].ok());
  Outcome late = AskAdd(*cell, 4);
  EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(counters().closed, 3u);
  int again = 0;
  cell->OnStopped([&](const absl::Status&) { ++again; });
  EXPECT_EQ(again, 1);
}

TEST_F(ActorLifeTest, StopAfterQueue_FinishesIt_AndRefusesWhatComes) {
  ActorOptions options = Shared();
  options.mailbox = {.capacity = 1, .overflow = Overflow::kWaitForCredit};
  auto cell = StartIt(options);
  Outcome current = AskAdd(*cell, -1);
  Run();
  Outcome queued = AskAdd(*cell, 2);
  Outcome waiting = AskAdd(*cell, 3);
  cell->Stop(StopMode::kAfterQueue);
  Outcome late = AskAdd(*cell, 4);
  EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable);
  Run();
  EXPECT_EQ(ended_, 0);
  gate_.Open();
  Run();
  EXPECT_EQ(waiting.As<int64_t>(), 4);
  EXPECT_TRUE(current.status().ok() && queued.status().ok());
  EXPECT_EQ(ended_, 1);
}

TEST_F(ActorLifeTest, TheStrictestStop_Holds) {
  auto cell = StartIt();
  Outcome current = AskAdd(*cell, -1);
  Outcome waiting = AskAdd(*cell, 2);
  Run();
  cell->Stop(StopMode::kAfterQueue);
  cell->Stop(StopMode::kAfterCurrent);
  cell->Stop(StopMode::kAfterQueue);
  Run();
  EXPECT_EQ(waiting.code(), absl::StatusCode::kUnavailable);
  cell->Stop(StopMode::kKill);
  Run();
  EXPECT_EQ(current.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ended_, 1);
}

TEST_F(ActorLifeTest, Kill_CancelsACoroutine_InItsMiddle) {
  auto cell = StartIt();
  Outcome current = AskAdd(*cell, -1);
  Outcome waiting = AskAdd(*cell, 2);
  Run();
  cell->Stop(StopMode::kKill);
  Run();
  EXPECT_EQ(current.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(current.delivery(), Delivery::kMaybeExecuted);
  EXPECT_EQ(waiting.delivery(), Delivery::kRejected);
  EXPECT_EQ(order_, "OnStop OnStopped ");
  EXPECT_EQ(total_, 0);
  EXPECT_EQ(counters().exceptions, 0u) << "a kill is no failure";
  EXPECT_EQ(counters().no_reply, 0u);
}

TEST_F(ActorLifeTest, Killed_WhatAPlainFunctionAnswers_IsUnheard) {
  std::shared_ptr<ActorCell> cell;
  cell = Start(Shared(), [&](TestActor& actor) {
    actor.On(kAdd, [&](const Add&, ActorContext& context) -> absl::StatusOr<int64_t> {
      context.Stop(StopMode::kKill);
      return 1;
    });
  });
  Outcome outcome = AskAdd(*cell, 1);
  Outcome waiting = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(outcome.delivery(), Delivery::kMaybeExecuted);
  EXPECT_EQ(waiting.delivery(), Delivery::kRejected);
}

TEST_F(ActorLifeTest, AnActor_StopsItself) {
  auto cell = StartIt();
  Outcome stop = Tell(*cell, "stop");
  Outcome behind = Tell(*cell, "x");
  Run();
  EXPECT_TRUE(stop.status().ok());
  EXPECT_EQ(behind.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ended_, 1);

  auto other = StartIt();
  Outcome after = Tell(*other, "stop after queue");
  Outcome handled = Tell(*other, "y");
  Run();
  EXPECT_TRUE(handled.status().ok() && after.status().ok());
  EXPECT_EQ(ended_, 2);
}

// ---- Exceptions

TEST_F(ActorLifeTest, AnException_AnswersTheSender_AndRestarts_WithTheMailboxKept) {
  auto cell = StartIt();
  Outcome plain = Tell(*cell, "throw");
  Outcome between = AskAdd(*cell, 1);
  Outcome coroutine = AskAdd(*cell, 13);
  Outcome after = AskAdd(*cell, 2);
  Outcome odd = Tell(*cell, "odd");
  Run();
  for (Outcome* outcome : {&plain, &coroutine, &odd}) {
    EXPECT_EQ(outcome->code(), absl::StatusCode::kInternal);
    EXPECT_EQ(outcome->delivery(), Delivery::kExecuted);
  }
  EXPECT_THAT(plain.text(), HasSubstr("plain"));
  EXPECT_THAT(coroutine.text(), HasSubstr("thirteen"));
  EXPECT_EQ(between.As<int64_t>(), 1);
  EXPECT_EQ(after.As<int64_t>(), 3);
  EXPECT_EQ(made_, 4);
  EXPECT_TRUE(stopped_.empty()) << "a restart is no stop";
  EXPECT_EQ(counters().exceptions, 3u);
  EXPECT_EQ(counters().restarts, 3u);
  EXPECT_EQ(
      log_->Count("actor test/actor/1: test.add let out an exception: thirteen", LogLevel::kError),
      1u);
  EXPECT_EQ(ended_, 0);
}

TEST_F(ActorLifeTest, AnException_Stops_WhereThatIsAskedFor) {
  ActorOptions options = Shared();
  options.on_exception = OnException::kStop;
  auto cell = StartIt(options);
  Outcome thrown = Tell(*cell, "throw");
  Outcome behind = Tell(*cell, "x");
  Run();
  EXPECT_EQ(behind.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(thrown.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(why_.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(stopped_.at(0).message()), HasSubstr("plain"));
  EXPECT_EQ(made_, 1);
}

TEST_F(ActorLifeTest, TooManyRestarts_WithinTheWindow_Stop) {
  ActorOptions options = Shared();
  options.max_restarts = 2;
  options.restart_window = seconds(10);
  auto cell = StartIt(options);
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 4; ++i) {  // at 0, 6, 12 and 18 s: never three within 10 s
    outcomes.push_back(Tell(*cell, "throw"));
    RunFor(seconds(6));
  }
  EXPECT_EQ(made_, 5);
  outcomes.push_back(Tell(*cell, "throw"));
  outcomes.push_back(Tell(*cell, "throw"));
  Run();
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(why_.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(counters().restart_limit, 1u);
  EXPECT_EQ(log_->Count("2 restarts within 10000 ms"), 1u);
}

TEST_F(ActorLifeTest, AStartThatFailsAtARestart_IsAnotherFailure) {
  int starts = 0;
  ActorOptions options = Shared();
  options.max_restarts = 5;
  auto cell = Start(options, [&](TestActor& actor) {
    Equip(actor);
    actor.on_start = [&](ActorContext&) -> asio::awaitable<absl::Status> {
      if (++starts == 2) throw std::runtime_error("second");
      co_return starts == 3 ? absl::UnavailableError("third") : absl::OkStatus();
    };
  });
  Outcome thrown = Tell(*cell, "throw");
  Outcome after = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(starts, 4);
  EXPECT_EQ(after.As<int64_t>(), 1);
  EXPECT_EQ(counters().restarts, 3u);
  EXPECT_EQ(log_->Count("could not be restarted"), 2u);
  EXPECT_TRUE(thrown.done());
}

TEST_F(ActorLifeTest, AFactoryThatFailsForEver_StopsIt) {
  bool broken = false;
  auto cell = Start(Shared(), ActorFactory([&]() -> absl::StatusOr<std::unique_ptr<Actor>> {
                      if (broken) return absl::UnavailableError("no more");
                      auto actor = std::make_unique<TestActor>();
                      Equip(*actor);
                      return actor;
                    }));
  cell->OnStopped([&](const absl::Status& why) { why_ = why; });
  broken = true;
  Outcome thrown = Tell(*cell, "throw");
  Outcome behind = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(why_.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(behind.delivery(), Delivery::kRejected);
  EXPECT_TRUE(thrown.done());
  EXPECT_EQ(counters().restarts, 10u);
}

TEST_F(ActorLifeTest, ARestart_WaitsForWhatIsUnderWay) {
  ActorOptions options = Shared();
  options.concurrency = 2;
  auto cell = StartIt(options);
  Outcome under_way = AskAdd(*cell, -1);
  Outcome thrown = AskAdd(*cell, 13);
  Outcome next = AskAdd(*cell, 5);
  Run();
  EXPECT_EQ(made_, 1);
  EXPECT_FALSE(next.done());
  gate_.Open();
  Run();
  EXPECT_EQ(made_, 2);
  EXPECT_EQ(under_way.As<int64_t>(), -1);
  EXPECT_EQ(next.As<int64_t>(), 4);
  EXPECT_TRUE(thrown.done());
}

TEST_F(ActorLifeTest, AnExceptionOutOfOnStop_IsLogged) {
  auto cell = Start(Shared(), [](TestActor& actor) {
    actor.on_stop = [](const absl::Status&) { throw std::runtime_error("late"); };
  });
  int ended = 0;
  cell->OnStopped([&](const absl::Status& why) {
    ++ended;
    EXPECT_TRUE(why.ok());
  });
  cell->Stop(StopMode::kAfterCurrent);
  Run();
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(log_->Count("OnStop let out an exception: late"), 1u);
}

// ---- The lease

class ActorLeaseTest : public ActorLifeTest {
 protected:
  std::shared_ptr<ActorCell> StartHolding(Holding holding) {
    ActorOptions options;
    options.holding = holding;
    auto cell = Make(options, [this](TestActor& actor) { Equip(actor); });
    EXPECT_TRUE(StartWithLease(*cell).ok());
    return cell;
  }
  absl::Status StartWithLease(ActorCell& cell) {
    testing::Probe<absl::Status> started;
    cell.Start(1, LeaseToken(lease_), Completion<absl::Status>(started.Handler()));
    cell.OnStopped([this](const absl::Status& why) {
      ++ended_;
      why_ = why;
    });
    Run();
    return started.value();
  }
  std::shared_ptr<LeaseToken::State> MakeLease() {
    return std::make_shared<LeaseToken::State>(clock_, clock_->Now() + seconds(10));
  }

  std::shared_ptr<LeaseToken::State> lease_ = MakeLease();
};

TEST_F(ActorLeaseTest, Lost_StopsAnExclusiveHolder_WithAborted) {
  auto cell = StartHolding(Holding::kExclusive);
  Outcome current = AskAdd(*cell, -1);
  Run();
  cell->LoseLease(absl::UnavailableError("the directory is down"));
  cell->LoseLease(absl::UnavailableError("again"));
  Run();
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(why_.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(why_.message()), HasSubstr("the directory is down"));
  EXPECT_EQ(stopped_.at(0), why_);
  EXPECT_EQ(current.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(counters().leases_lost, 1u);
}

// As in a process that was stopped for a while: the time has passed, and nothing has told it.
TEST_F(ActorLeaseTest, RunOut_NoLetterIsBegun) {
  auto cell = StartHolding(Holding::kExclusive);
  Outcome before = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(before.As<int64_t>(), 1);
  Outcome first = AskAdd(*cell, 1);
  Outcome second = AskAdd(*cell, 1);
  clock_->Advance(seconds(10));
  Run();
  EXPECT_EQ(total_, 1);
  for (Outcome* outcome : {&first, &second}) {
    EXPECT_EQ(outcome->code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(outcome->delivery(), Delivery::kRejected);
  }
  EXPECT_EQ(why_.code(), absl::StatusCode::kAborted);
}

TEST_F(ActorLeaseTest, RunOut_NoTimerRuns) {
  for (const Holding holding : {Holding::kExclusive, Holding::kShared}) {
    int ran = 0;
    ActorOptions options;
    options.holding = holding;
    auto cell = Make(options, [&](TestActor& actor) {
      Equip(actor);
      actor.on_start = [&](ActorContext& context) -> asio::awaitable<absl::Status> {
        co_return context.Every(seconds(4), [&](ActorContext&) { ++ran; }).status();
      };
    });
    EXPECT_TRUE(StartWithLease(*cell).ok());
    RunFor(seconds(9));
    EXPECT_EQ(ran, 2);
    clock_->Advance(seconds(10));
    Run();
    const bool shared = holding == Holding::kShared;
    EXPECT_EQ(ran, shared ? 3 : 2);
    EXPECT_EQ(ended_, shared ? 0 : 1);
    if (!shared) {
      EXPECT_EQ(why_.code(), absl::StatusCode::kAborted);
    }
    lease_ = MakeLease();
    ended_ = 0;
  }
}

TEST_F(ActorLeaseTest, RunOut_BeforeItStarts_ItIsNotMade) {
  auto cell = Make(ActorOptions(), [this](TestActor& actor) { Equip(actor); });
  clock_->Advance(seconds(10));
  EXPECT_EQ(StartWithLease(*cell).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(made_, 0);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(why_.code(), absl::StatusCode::kAborted);
}

TEST_F(ActorLeaseTest, RunOut_WhileAHandlerRuns_ItIsNotRestarted) {
  auto cell = Make(ActorOptions(), [this](TestActor& actor) {
    Equip(actor);
    actor.On(kEcho, [this](const std::string&, ActorContext&) -> absl::StatusOr<std::string> {
      clock_->Advance(seconds(10));
      throw std::runtime_error("late");
    });
  });
  EXPECT_TRUE(StartWithLease(*cell).ok());
  Outcome outcome = Ask(*cell, kEcho, std::string("x"));
  Run();
  EXPECT_EQ(outcome.delivery(), Delivery::kExecuted);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(counters().restarts, 0u);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(why_.code(), absl::StatusCode::kAborted);
}

TEST_F(ActorLeaseTest, Lost_LeavesSharedHoldersAlone) {
  auto cell = StartHolding(Holding::kShared);
  cell->LoseLease(absl::UnavailableError("x"));
  clock_->Advance(seconds(20));
  Outcome outcome = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(outcome.As<int64_t>(), 1);
  EXPECT_EQ(ended_, 0);
}

}  // namespace
}  // namespace grid
