// What an actor does with its letters.
#include "grid/actor/actor_cell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using internal::ActorCell;
using ::testing::HasSubstr;

class ActorCellTest : public ActorTest {
 protected:
  // Sums up.
  void Sum(TestActor& actor) {
    actor.On(kAdd, [this](const Add& add, ActorContext&) -> absl::StatusOr<int64_t> {
      return total_ += add.by;
    });
  }
  // Sums up when the gate opens.
  void SumBehindGate(TestActor& actor) {
    actor.On(kAdd,
             [this](const Add& add, ActorContext&) -> asio::awaitable<absl::StatusOr<int64_t>> {
               most_ = std::max(most_, ++running_);
               co_await gate_.Wait();
               --running_;
               co_return total_ += add.by;
             });
  }

  int64_t total_ = 0;
  int running_ = 0;
  int most_ = 0;
  Gate gate_{io_};
};

TEST_F(ActorCellTest, PutAtOnce_WhereThereIsRoom_AndOtherwiseNothing) {
  ActorOptions options = Shared();
  options.mailbox.capacity = 2;
  auto cell = Start(options, [&](TestActor& actor) { Sum(actor); });
  const auto put = [&] {
    Letter letter = MakeLetter(kAdd, Add{.by = 1});
    letter.acknowledge = Acknowledgement::kDelivered;
    const bool taken = cell->PutAtOnce(letter);
    EXPECT_EQ(letter.message.is_nil(), taken);
    return taken;
  };
  EXPECT_TRUE(put());
  EXPECT_TRUE(put());
  EXPECT_FALSE(put());
  testing::Drain(io_);
  EXPECT_EQ(total_, 2);
  EXPECT_TRUE(put());
  cell->Stop(StopMode::kAfterQueue);
  EXPECT_FALSE(put());
  testing::Drain(io_);
  EXPECT_EQ(total_, 3);
  EXPECT_EQ(runtime_->counters.rejected_full, 0u);
  EXPECT_EQ(runtime_->counters.closed, 0u);
}

TEST_F(ActorCellTest, EveryFormOfHandler_Answers) {
  Reply<int64_t> later(ReplyToken(), "");
  auto cell = Start(Shared(), [&](TestActor& actor) {
    constexpr auto reply = [](std::string_view name) { return MessageType<Add, int64_t>(name); };
    constexpr auto tell = [](std::string_view name) { return MessageType<Add>(name); };
    actor.On(reply("plain"),
             [](const Add& add, ActorContext&) -> absl::StatusOr<int64_t> { return add.by; });
    actor.On(tell("status"), [](const Add& add, ActorContext&) {
      return add.by > 0 ? absl::OkStatus() : absl::OutOfRangeError("by");
    });
    actor.On(reply("coroutine"),
             [](const Add& add, ActorContext& context) -> asio::awaitable<absl::StatusOr<int64_t>> {
               co_await asio::post(context.executor(), asio::use_awaitable);
               co_return add.by;
             });
    actor.On(tell("coroutine status"),
             [](const Add&, ActorContext&) -> asio::awaitable<absl::Status> {
               co_return absl::OkStatus();
             });
    actor.On(reply("reply"), [](const Add& add, Reply<int64_t> answer, ActorContext&) {
      EXPECT_TRUE(answer);
      answer(add.by);
      EXPECT_FALSE(answer);
      answer(0);
    });
    actor.On(reply("later"),
             [&](const Add&, Reply<int64_t> answer, ActorContext&) { later = std::move(answer); });
    actor.On(reply("coroutine reply"),
             [](const Add& add, Reply<int64_t> answer, ActorContext&) -> asio::awaitable<void> {
               answer(add.by);
               co_return;
             });
  });
  for (const char* form : {"plain", "coroutine", "reply", "coroutine reply"}) {
    Outcome outcome = Ask(*cell, MessageType<Add, int64_t>(form), Add{.by = 4});
    Run();
    ASSERT_TRUE(outcome.done()) << form;
    EXPECT_EQ(outcome.As<int64_t>(), 4) << form;
  }
  for (const char* form : {"status", "coroutine status"}) {
    Outcome outcome = Ask(*cell, MessageType<Add>(form), Add{.by = 4});
    Run();
    EXPECT_TRUE(outcome.nil()) << form;
  }
  Outcome error = Ask(*cell, MessageType<Add>("status"), Add{.by = 0});
  Outcome last = Ask(*cell, MessageType<Add, int64_t>("later"), Add{});
  Run();
  EXPECT_EQ(error.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(error.delivery(), Delivery::kExecuted);
  EXPECT_FALSE(last.done());
  later(9);
  EXPECT_EQ(last.As<int64_t>(), 9);
  EXPECT_EQ(counters().handled, 8u);
  EXPECT_EQ(counters().failed, 1u);
  EXPECT_EQ(counters().unheard, 0u);
}

TEST_F(ActorCellTest, AnErrorOfAnotherCall_IsNotPassedOnAsNotSent) {
  auto cell = Start(Shared(), [](TestActor& actor) {
    actor.On(kAdd, [](const Add&, ActorContext&) -> absl::StatusOr<int64_t> {
      return WithDelivery(absl::UnavailableError("downstream"), Delivery::kNotSent);
    });
  });
  Outcome outcome = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(outcome.delivery(), Delivery::kExecuted);
}

TEST_F(ActorCellTest, WhatCantBeRead_IsRejected_AndNothingRan) {
  auto cell = Start(Shared(), [this](TestActor& actor) { Sum(actor); });
  Outcome outcome =
      Ask(*cell, MessageType<std::vector<int>, int64_t>("test.add"), std::vector<int>{1});
  Run();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(outcome.delivery(), Delivery::kRejected);
  EXPECT_THAT(outcome.text(), HasSubstr("test.add"));
  EXPECT_EQ(counters().unread, 1u);
  EXPECT_EQ(total_, 0);
}

TEST_F(ActorCellTest, AnUnknownType_IsRejected_AndNamed) {
  auto cell = Start(Shared(), [this](TestActor& actor) { Sum(actor); });
  Outcome outcome = Ask(*cell, kEcho, std::string("x"));
  Run();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(outcome.delivery(), Delivery::kRejected);
  EXPECT_THAT(outcome.text(), HasSubstr("test.echo"));
  EXPECT_THAT(outcome.text(), HasSubstr("test/actor/1"));
  EXPECT_EQ(counters().unknown_type, 1u);
}

TEST_F(ActorCellTest, OnOther_TakesWhatNobodyElseDoes) {
  auto cell = Start(Shared(), [](TestActor& actor) {
    actor.OnOther(Actor::PlainBehaviour(
        [](Letter& letter, ActorContext&) { letter.reply.Answer(Buffer::CopyOf(letter.type())); }));
  });
  Outcome outcome = Ask(*cell, kTell, std::string("x"));
  Run();
  EXPECT_TRUE(outcome.status().ok());
}

struct Unencodable {
  int value = 0;
};

}  // namespace

template <>
struct Codec<Unencodable> {
  static absl::Status Encode(const Unencodable&, Buffer&) {
    return absl::InvalidArgumentError("value is too large");
  }
  static absl::Status Decode(BytesView, Unencodable&, const DecodeLimits&) {
    return absl::OkStatus();
  }
};

namespace {

TEST_F(ActorCellTest, AnAnswerThatCantBeEncoded_IsAnError_AndLogged) {
  constexpr MessageType<Add, Unencodable> kType{"test.unencodable"};
  auto cell = Start(Shared(), [&](TestActor& actor) {
    actor.On(kType, [](const Add&, ActorContext&) -> absl::StatusOr<Unencodable> {
      return Unencodable{};
    });
  });
  Outcome outcome = Ask(*cell, kType, Add{});
  Run();
  EXPECT_EQ(outcome.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(outcome.delivery(), Delivery::kExecuted);
  EXPECT_THAT(outcome.text(), HasSubstr("test.unencodable"));
  EXPECT_EQ(log_->Count("value is too large", LogLevel::kError), 1u);
  EXPECT_EQ(counters().unencodable, 1u);
}

TEST_F(ActorCellTest, ARequestThatIsDropped_IsAnsweredAtOnce) {
  auto cell = Start(Shared(), [](TestActor& actor) {
    actor.On(kAdd, [](const Add&, const Reply<int64_t>&, ActorContext&) {});
    actor.OnOther(Actor::PlainBehaviour([](Letter&, ActorContext&) {}));
  });
  Outcome reply = AskAdd(*cell, 1);
  Outcome letter = Ask(*cell, kEcho, std::string());
  Run();
  for (Outcome* outcome : {&reply, &letter}) {
    EXPECT_EQ(outcome->text(), "no reply");
    EXPECT_EQ(outcome->delivery(), Delivery::kExecuted);
  }
  EXPECT_EQ(counters().no_reply, 2u);
}

TEST_F(ActorCellTest, Strictly_OneAfterTheOther_InOrder) {
  auto cell = Start(Shared(), [this](TestActor& actor) { SumBehindGate(actor); });
  Outcome first = AskAdd(*cell, 1);
  Outcome second = AskAdd(*cell, 2);
  Run();
  EXPECT_EQ(running_, 1);
  gate_.Open();
  Run();
  EXPECT_EQ(first.As<int64_t>(), 1);
  Run();
  gate_.Open();
  Run();
  EXPECT_EQ(second.As<int64_t>(), 3);
  EXPECT_EQ(most_, 1);
}

TEST_F(ActorCellTest, Concurrency_LetsThatManyWait) {
  ActorOptions options = Shared();
  options.concurrency = 3;
  auto cell = Start(options, [this](TestActor& actor) { SumBehindGate(actor); });
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 5; ++i) outcomes.push_back(AskAdd(*cell, 1));
  Run();
  EXPECT_EQ(running_, 3);
  for (int i = 0; i < 3; ++i) {
    gate_.Open();
    Run();
  }
  for (Outcome& outcome : outcomes) EXPECT_TRUE(outcome.status().ok());
  EXPECT_EQ(most_, 3);
  EXPECT_EQ(total_, 5);
}

TEST_F(ActorCellTest, PlainAndCoroutineLetters_KeepTheirOrder_InAnyMixture) {
  std::string order;
  auto cell = Start(Shared(), [&](TestActor& actor) {
    actor.On(kTell, [&](const std::string& text, ActorContext&) {
      order += text;
      return absl::OkStatus();
    });
    actor.On(kEcho,
             [&](const std::string& text,
                 ActorContext& context) -> asio::awaitable<absl::StatusOr<std::string>> {
               co_await asio::post(context.executor(), asio::use_awaitable);
               order += text;
               co_return text;
             });
  });
  testing::Random random(1);
  std::string sent;
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 500; ++i) {
    const std::string text(1, static_cast<char>('a' + i % 26));
    sent += text;
    outcomes.push_back(random.OneIn(2) ? Ask(*cell, kTell, text) : Ask(*cell, kEcho, text));
  }
  Run();
  EXPECT_EQ(order, sent);
  EXPECT_EQ(counters().handled, 500u);
}

TEST_F(ActorCellTest, ManyLetters_TakeTurnsWithOtherWork) {
  auto cell = Start(Shared(), [this](TestActor& actor) { Sum(actor); });
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 1000; ++i) outcomes.push_back(AskAdd(*cell, 1));
  int64_t seen = -1;
  io_.restart();
  io_.poll_one();  // the run
  asio::post(io_, [&] { seen = total_; });
  Run();
  EXPECT_GT(seen, 0);
  EXPECT_LT(seen, 200);
  EXPECT_EQ(total_, 1000);
}

TEST_F(ActorCellTest, AcceptedAndDelivered_AreSaidAtOnce_AndErrorsLaterAreLoggedOnce) {
  auto cell = Start(Shared(), [](TestActor& actor) {
    actor.On(kAdd, [](const Add&, ActorContext&) -> absl::StatusOr<int64_t> {
      return absl::NotFoundError("gone");
    });
  });
  for (const auto level : {Acknowledgement::kAccepted, Acknowledgement::kDelivered}) {
    Outcome outcome = AskAdd(*cell, 1, [&](Letter& letter) { letter.acknowledge = level; });
    ASSERT_TRUE(outcome.done());
    EXPECT_TRUE(outcome.nil());
    log_->Clear();
    Run();
    EXPECT_EQ(log_->Count("gone", LogLevel::kWarning), 1u);
  }
  EXPECT_EQ(counters().unheard, 2u);
  EXPECT_EQ(counters().failed, 2u);
}

TEST_F(ActorCellTest, OnceAccepted_WhatIsSentNextComesBehind) {
  std::vector<int64_t> order;
  auto cell = Start(Shared(), [&](TestActor& actor) {
    actor.On(kAdd, [&](const Add& add, ActorContext&) -> absl::StatusOr<int64_t> {
      order.push_back(add.by);
      return 0;
    });
  });
  Letter first = MakeLetter(kAdd, Add{.by = 1});
  first.acknowledge = Acknowledgement::kAccepted;
  first.reply = TokenFor([&](const LetterOutcome&) { cell->Put(MakeLetter(kAdd, Add{.by = 2})); });
  cell->Put(std::move(first));
  Run();
  EXPECT_EQ(order, (std::vector<int64_t>{1, 2}));
}

TEST_F(ActorCellTest, WhatComesTooLate_IsNotBegun) {
  auto cell = Start(Shared(), [this](TestActor& actor) { SumBehindGate(actor); });
  Outcome first = AskAdd(*cell, 1);
  const auto cancellation = std::make_shared<Cancellation>();
  Outcome expired =
      AskAdd(*cell, 2, [&](Letter& letter) { letter.deadline = clock_->Now() + milliseconds(10); });
  Outcome cancelled = AskAdd(*cell, 4, [&](Letter& letter) { letter.cancellation = cancellation; });
  RunFor(milliseconds(10));
  cancellation->Cancel(absl::CancelledError("tired"));
  gate_.Open();
  Run();
  EXPECT_TRUE(first.status().ok());
  EXPECT_EQ(expired.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(expired.delivery(), Delivery::kRejected);
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(cancelled.delivery(), Delivery::kRejected);
  EXPECT_THAT(cancelled.text(), HasSubstr("tired"));
  EXPECT_EQ(total_, 1);
  EXPECT_EQ(counters().expired, 1u);
  EXPECT_EQ(counters().cancelled, 1u);
}

TEST_F(ActorCellTest, Full_Rejects_CountingWhatWasTakenOutButNotBegun) {
  ActorOptions options = Shared();
  options.mailbox.capacity = 4;
  auto cell = Start(options, [this](TestActor& actor) { SumBehindGate(actor); });
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 4; ++i) outcomes.push_back(AskAdd(*cell, 1));
  Run();  // one is under way, three wait
  outcomes.push_back(AskAdd(*cell, 1));
  Outcome rejected = AskAdd(*cell, 1);
  EXPECT_EQ(rejected.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rejected.delivery(), Delivery::kRejected);
  EXPECT_EQ(counters().rejected_full, 1u);
  for (int i = 0; i < 5; ++i) {
    gate_.Open();
    Run();
  }
  EXPECT_EQ(total_, 5);
}

TEST_F(ActorCellTest, DropOldest_AnswersTheOldest) {
  ActorOptions options = Shared();
  options.mailbox = {.capacity = 1, .overflow = Overflow::kDropOldest};
  auto cell = Start(options, [this](TestActor& actor) { Sum(actor); });
  Outcome oldest = AskAdd(*cell, 1);
  Outcome newest = AskAdd(*cell, 2);
  EXPECT_EQ(oldest.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(oldest.delivery(), Delivery::kRejected);
  Run();
  EXPECT_EQ(newest.As<int64_t>(), 2);
  EXPECT_EQ(counters().dropped_oldest, 1u);
}

TEST_F(ActorCellTest, WaitForCredit_Waits_UntilTheDeadlineOfItsCall) {
  ActorOptions options = Shared();
  options.mailbox = {.capacity = 1, .overflow = Overflow::kWaitForCredit, .max_waiting = 2};
  auto cell = Start(options, [this](TestActor& actor) { SumBehindGate(actor); });
  Outcome running = AskAdd(*cell, 1);
  Run();
  Outcome queued = AskAdd(*cell, 2);
  Outcome delivered =
      AskAdd(*cell, 4, [](Letter& letter) { letter.acknowledge = Acknowledgement::kDelivered; });
  Outcome impatient =
      AskAdd(*cell, 8, [&](Letter& letter) { letter.deadline = clock_->Now() + milliseconds(10); });
  Outcome rejected = AskAdd(*cell, 16);
  EXPECT_EQ(rejected.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(counters().waiting_rejected, 1u);
  EXPECT_EQ(counters().waited, 2u);
  RunFor(milliseconds(9));
  EXPECT_FALSE(impatient.done());
  RunFor(milliseconds(1));
  ASSERT_TRUE(impatient.done());
  EXPECT_EQ(impatient.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(impatient.delivery(), Delivery::kRejected);
  EXPECT_FALSE(delivered.done());
  gate_.Open();
  Run();
  EXPECT_TRUE(delivered.nil());
  for (int i = 0; i < 2; ++i) {
    gate_.Open();
    Run();
  }
  EXPECT_TRUE(queued.status().ok());
  EXPECT_EQ(total_, 7);
}

TEST_F(ActorCellTest, TheContext_KnowsTheActorAndTheMessage) {
  const auto cancellation = std::make_shared<Cancellation>();
  int told = 0, told_late = 0;
  TimePoint deadline;
  auto cell = Start(Shared(), [&](TestActor& actor) {
    actor.On(kAdd, [&](const Add&, ActorContext& context) -> absl::StatusOr<int64_t> {
      EXPECT_EQ(context.name().text(), "test/actor/1");
      EXPECT_EQ(context.epoch(), 7u);
      EXPECT_FALSE(context.lease().valid());
      EXPECT_EQ(context.sender().process.host, "http://sender");
      EXPECT_EQ(context.deadline(), deadline);
      EXPECT_FALSE(context.cancelled());
      context.OnCancel([&] { ++told; });
      cancellation->Cancel(absl::CancelledError("x"));
      EXPECT_TRUE(context.cancelled());
      return 0;
    });
    actor.On(kEcho, [&](const std::string&, ActorContext& context) -> absl::StatusOr<std::string> {
      context.OnCancel([&] { ++told_late; });
      return "";
    });
  });
  deadline = clock_->Now() + seconds(1);
  Outcome outcome = AskAdd(*cell, 1, [&](Letter& letter) {
    letter.deadline = deadline;
    letter.cancellation = cancellation;
  });
  const auto later = std::make_shared<Cancellation>();
  Outcome second =
      Ask(*cell, kEcho, std::string(), [&](Letter& letter) { letter.cancellation = later; });
  Run();
  EXPECT_EQ(told, 1);
  later->Cancel(absl::CancelledError("x"));
  EXPECT_EQ(told_late, 0) << "dropped when the handler had finished";
}

TEST_F(ActorCellTest, LettersWait_UntilItHasStarted) {
  auto cell = Make(Shared(), [this](TestActor& actor) {
    Sum(actor);
    actor.on_start = [this](ActorContext& context) -> asio::awaitable<absl::Status> {
      EXPECT_EQ(context.sender().process.host, "");
      EXPECT_EQ(context.deadline(), Letter::kNoDeadline);
      co_await gate_.Wait();
      total_ = 100;
      co_return absl::OkStatus();
    };
  });
  Outcome early = AskAdd(*cell, 1);
  testing::Probe<absl::Status> started;
  cell->Start(1, LeaseToken(), Completion<absl::Status>(started.Handler()));
  Run();
  Outcome later = AskAdd(*cell, 1);
  EXPECT_FALSE(started.done() || early.done());
  gate_.Open();
  Run();
  EXPECT_TRUE(started.value().ok());
  EXPECT_EQ(early.As<int64_t>(), 101);
  EXPECT_EQ(later.As<int64_t>(), 102);
}

TEST_F(ActorCellTest, AnIdleOne_CostsLittle) {
  EXPECT_LE(sizeof(ActorCell), 1024u);
  EXPECT_LE(sizeof(Letter), 128u);
}

}  // namespace
}  // namespace grid
