#include "grid/actor/coroutine_actor.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using internal::ActorCell;

class CoroutineActorTest : public ActorTest {
 protected:
  // Sums up; behind the gate where it is negative; throws at 13; fails at 14; ends at 15.
  asio::awaitable<absl::Status> Sum(Mailbox& mailbox, ActorContext& context) {
    EXPECT_EQ(context.name(), mailbox.name());
    ++bodies_;
    const absl::StatusOr<ActorTimer> timer =
        context.Every(milliseconds(10), [this](ActorContext&) { ++ticks_; });
    EXPECT_TRUE(timer.ok());
    for (;;) {
      absl::StatusOr<Letter> letter = co_await mailbox.Receive();
      if (!letter.ok()) {
        ended_with_ = letter.status();
        if (lingers_) co_await gate_.Wait();
        co_return absl::OkStatus();
      }
      ++received_;
      absl::StatusOr<Add> add = letter->Read(kAdd);
      if (!add.ok()) {
        letter->reply.Refuse(add.status());
        continue;
      }
      if (add->by < 0) co_await gate_.Wait();
      if (add->by == 13) throw std::runtime_error("thirteen");
      if (add->by == 14) co_return absl::NotFoundError("fourteen");
      if (add->by == 15) co_return absl::OkStatus();
      letter->Answer<Add, int64_t>(kAdd, total_ += add->by);
    }
  }
  std::shared_ptr<ActorCell> StartSum(ActorOptions options = Shared()) {
    auto cell =
        Start(std::move(options), CoroutineActor([this](Mailbox& mailbox, ActorContext& context) {
                return Sum(mailbox, context);
              }));
    cell->OnStopped([this](const absl::Status& why) {
      ++stopped_;
      why_ = why;
    });
    return cell;
  }

  Gate gate_{io_};
  int64_t total_ = 0;
  int bodies_ = 0;
  int received_ = 0;
  int ticks_ = 0;
  bool lingers_ = false;
  int stopped_ = 0;
  absl::Status why_;
  absl::Status ended_with_;
};

TEST_F(CoroutineActorTest, ReadsItsMailbox) {
  auto cell = StartSum();
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 100; ++i) outcomes.push_back(AskAdd(*cell, 1));
  Outcome wrong = Ask(*cell, kTell, std::string("x"));
  Run();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(outcomes[i].As<int64_t>(), i + 1);
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(wrong.delivery(), Delivery::kRejected);
}

TEST_F(CoroutineActorTest, OneLetterAtATime_TheOthersStayInTheMailbox) {
  ActorOptions options = Shared();
  options.mailbox.capacity = 2;
  auto cell = StartSum(options);
  Outcome current = AskAdd(*cell, -1);
  Run();
  Outcome second = AskAdd(*cell, 2);
  Outcome third = AskAdd(*cell, 3);
  Outcome rejected = AskAdd(*cell, 4);
  EXPECT_EQ(rejected.code(), absl::StatusCode::kResourceExhausted);
  RunFor(milliseconds(50));
  EXPECT_EQ(received_, 1);
  EXPECT_EQ(ticks_, 0) << "never beside a letter";
  gate_.Open();
  Run();
  EXPECT_EQ(third.As<int64_t>(), 4);
  EXPECT_TRUE(current.status().ok() && second.status().ok());
  RunFor(milliseconds(10));
  EXPECT_GE(ticks_, 1);
}

TEST_F(CoroutineActorTest, Stop_EndsReceive_AndWaitsForTheCoroutine) {
  auto cell = StartSum();
  lingers_ = true;
  Outcome current = AskAdd(*cell, -1);
  Run();
  Outcome waiting = AskAdd(*cell, 2);
  cell->Stop(StopMode::kAfterCurrent);
  Run();
  EXPECT_EQ(waiting.delivery(), Delivery::kRejected);
  EXPECT_FALSE(current.done());
  gate_.Open();
  Run();
  EXPECT_EQ(current.As<int64_t>(), -1);
  EXPECT_EQ(ended_with_.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(stopped_, 0);
  gate_.Open();
  Run();
  EXPECT_EQ(stopped_, 1);
  EXPECT_TRUE(why_.ok());
}

TEST_F(CoroutineActorTest, StopAfterQueue_HandlesWhatWaits) {
  auto cell = StartSum();
  Outcome first = AskAdd(*cell, 1);
  Outcome second = AskAdd(*cell, 2);
  cell->Stop(StopMode::kAfterQueue);
  Run();
  EXPECT_EQ(second.As<int64_t>(), 3);
  EXPECT_TRUE(first.done());
  EXPECT_EQ(stopped_, 1);
}

TEST_F(CoroutineActorTest, Kill_CancelsIt_WhereverItWaits) {
  for (const int64_t by : {1, -1}) {
    auto cell = StartSum();
    Outcome outcome = AskAdd(*cell, by);
    Run();
    stopped_ = 0;
    cell->Stop(StopMode::kKill);
    Run();
    EXPECT_EQ(stopped_, 1);
    ASSERT_TRUE(outcome.done());
    EXPECT_EQ(outcome.code(), by > 0 ? absl::StatusCode::kOk : absl::StatusCode::kAborted);
  }
}

TEST_F(CoroutineActorTest, AnException_OrAnError_RestartsIt_WithTheMailboxKept) {
  auto cell = StartSum();
  Outcome thrown = AskAdd(*cell, 13);
  Outcome between = AskAdd(*cell, 1);
  Outcome failed = AskAdd(*cell, 14);
  Outcome after = AskAdd(*cell, 2);
  Run();
  EXPECT_EQ(bodies_, 3);
  EXPECT_EQ(thrown.text(), "no reply");
  EXPECT_EQ(failed.text(), "no reply");
  EXPECT_EQ(between.As<int64_t>(), 1);
  EXPECT_EQ(after.As<int64_t>(), 3);
  EXPECT_EQ(counters().restarts, 2u);
  EXPECT_EQ(log_->Count("let out an exception: thirteen", LogLevel::kError), 1u);
  EXPECT_EQ(log_->Count("fourteen", LogLevel::kError), 1u);
  EXPECT_EQ(stopped_, 0);
}

TEST_F(CoroutineActorTest, AnException_Stops_WhereThatIsAskedFor) {
  ActorOptions options = Shared();
  options.on_exception = OnException::kStop;
  auto cell = StartSum(options);
  Outcome thrown = AskAdd(*cell, 13);
  Outcome behind = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(stopped_, 1);
  EXPECT_EQ(why_.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(behind.delivery(), Delivery::kRejected);
  EXPECT_TRUE(thrown.done());
}

TEST_F(CoroutineActorTest, ItsEnd_StopsTheActor) {
  auto cell = StartSum();
  Outcome last = AskAdd(*cell, 15);
  Outcome behind = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(stopped_, 1);
  EXPECT_TRUE(why_.ok());
  EXPECT_EQ(last.text(), "no reply");
  EXPECT_EQ(behind.delivery(), Delivery::kRejected);
}

TEST_F(CoroutineActorTest, OneThatFailsAtOnce_IsStoppedInTheEnd) {
  auto cell =
      Start(Shared(), CoroutineActor([](Mailbox&, ActorContext&) -> asio::awaitable<absl::Status> {
              throw std::runtime_error("at once");
            }));
  Outcome outcome = AskAdd(*cell, 1);
  Run();
  EXPECT_EQ(outcome.delivery(), Delivery::kRejected);
  EXPECT_EQ(counters().restart_limit, 1u);
}

}  // namespace
}  // namespace grid
