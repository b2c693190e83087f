#include "grid/actor/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "grid/actor/mailbox_end.h"
#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using ::testing::HasSubstr;
using Received = testing::Probe<absl::StatusOr<Letter>>;

class MailboxTest : public ActorTest {
 protected:
  void Open(MailboxOptions options = {}, Holding holding = Holding::kShared) {
    end_ = std::make_shared<internal::MailboxEnd>(runtime_, At("test/mailbox/1"), options, holding,
                                                  9, LeaseToken(lease_));
    mailbox_ = Mailbox(end_);
  }
  Received Receive() {
    Received received("receive");
    mailbox_.Receive(received.Handler());
    EXPECT_FALSE(received.done()) << "never inside the function that starts it";
    return received;
  }
  static int64_t Value(Received& received) {
    EXPECT_TRUE(received.value().ok()) << received.value().status();
    if (!received.value().ok()) return -1;
    return received.value()->Read(kAdd)->by;
  }

  std::shared_ptr<LeaseToken::State> MakeLease() {
    return std::make_shared<LeaseToken::State>(clock_, clock_->Now() + seconds(10));
  }

  std::shared_ptr<LeaseToken::State> lease_ = MakeLease();
  std::shared_ptr<internal::MailboxEnd> end_;
  Mailbox mailbox_;
};

TEST_F(MailboxTest, GivesLetters_TheOldestFirst_ThatAreThere_OrCome) {
  Open();
  EXPECT_EQ(mailbox_.name().text(), "test/mailbox/1");
  EXPECT_EQ(mailbox_.epoch(), 9u);
  EXPECT_TRUE(mailbox_.lease().valid());
  Outcome first = AskAdd(*end_, 1);
  Outcome second = AskAdd(*end_, 2);
  for (const int64_t by : {1, 2}) {
    Received received = Receive();
    Run();
    EXPECT_EQ(Value(received), by);
    received.value()->Answer<Add, int64_t>(kAdd, by * 10);
  }
  EXPECT_EQ(first.As<int64_t>(), 10);
  EXPECT_EQ(second.As<int64_t>(), 20);
  Received waiting = Receive();
  Run();
  EXPECT_FALSE(waiting.done());
  Outcome third = AskAdd(*end_, 3);
  Run();
  EXPECT_EQ(Value(waiting), 3);
  waiting.value() = absl::CancelledError("");
  EXPECT_EQ(third.text(), "no reply");
  EXPECT_EQ(counters().no_reply, 1u);
}

TEST_F(MailboxTest, OnceAccepted_WhatIsSentNextComesBehind) {
  Open();
  Letter first = MakeLetter(kAdd, Add{.by = 1});
  first.acknowledge = Acknowledgement::kAccepted;
  first.reply = TokenFor([&](const LetterOutcome&) { end_->Put(MakeLetter(kAdd, Add{.by = 2})); });
  end_->Put(std::move(first));
  for (const int64_t by : {1, 2}) {
    Received received = Receive();
    Run();
    EXPECT_EQ(Value(received), by);
  }
}

TEST_F(MailboxTest, OneReceiveAtATime) {
  Open();
  Received first = Receive();
  Received second = Receive();
  Run();
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(first.done());
  mailbox_.Close();
  Run();
  EXPECT_EQ(first.value().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(MailboxTest, Close_AnswersWhatWaits_AndWhatComes) {
  Open();
  Outcome waiting = AskAdd(*end_, 1);
  int closed = 0;
  end_->OnClosed([&](const absl::Status& why) {
    ++closed;
    EXPECT_EQ(why.code(), absl::StatusCode::kCancelled);
  });
  mailbox_ = Mailbox();  // closes
  EXPECT_THAT(waiting.text(), HasSubstr("closed, not executed"));
  EXPECT_EQ(waiting.delivery(), Delivery::kRejected);
  Outcome late = AskAdd(*end_, 1);
  EXPECT_EQ(late.delivery(), Delivery::kRejected);
  EXPECT_EQ(closed, 1);
  end_->OnClosed([&](const absl::Status&) { ++closed; });
  EXPECT_EQ(closed, 2);
}

TEST_F(MailboxTest, LosesItsLease) {
  for (const bool told : {true, false}) {
    Open({}, Holding::kExclusive);
    Outcome waiting = AskAdd(*end_, 1);
    told ? end_->LoseLease(absl::UnavailableError("down")) : clock_->Advance(seconds(10));
    Received received = Receive();
    Run();
    EXPECT_EQ(received.value().status().code(), absl::StatusCode::kAborted);
    EXPECT_EQ(waiting.delivery(), Delivery::kRejected);
  }
  EXPECT_EQ(counters().leases_lost, 2u);
  // Nobody has told who waits.
  lease_ = MakeLease();
  Open({}, Holding::kExclusive);
  Received waits = Receive();
  clock_->Advance(seconds(10));
  Outcome late = AskAdd(*end_, 1);
  Run();
  EXPECT_EQ(waits.value().status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(late.delivery(), Delivery::kRejected);
  EXPECT_EQ(counters().leases_lost, 3u);
  Open();
  end_->LoseLease(absl::UnavailableError("down"));
  Received received = Receive();
  Run();
  EXPECT_FALSE(received.done()) << "others share the name";
  mailbox_.Close();
  Run();
}

TEST_F(MailboxTest, ACancelledReceive_LosesNoLetter) {
  Open();
  asio::cancellation_signal signal;
  Received cancelled("cancelled");
  mailbox_.Receive(asio::bind_cancellation_slot(signal.slot(), cancelled.Handler()));
  signal.emit(asio::cancellation_type::terminal);
  Run();
  EXPECT_EQ(cancelled.value().status().code(), absl::StatusCode::kCancelled);

  // Too late for this one: the letter is on its way.
  Received served("served");
  mailbox_.Receive(asio::bind_cancellation_slot(signal.slot(), served.Handler()));
  Outcome outcome = AskAdd(*end_, 1);
  signal.emit(asio::cancellation_type::partial);
  Run();
  EXPECT_EQ(Value(served), 1);
  Outcome next = AskAdd(*end_, 2);
  Received received = Receive();
  signal.emit(asio::cancellation_type::terminal);
  Run();
  EXPECT_EQ(Value(received), 2);
  served.value()->reply.Answer(Buffer());
  received.value()->reply.Answer(Buffer());
  EXPECT_TRUE(outcome.done() && next.done());
}

TEST_F(MailboxTest, LettersWhoseSendersHaveGivenUp_AreLeftOut) {
  Open();
  const auto cancellation = std::make_shared<Cancellation>();
  Outcome expired =
      AskAdd(*end_, 1, [&](Letter& letter) { letter.deadline = clock_->Now() + milliseconds(5); });
  Outcome cancelled = AskAdd(*end_, 2, [&](Letter& letter) { letter.cancellation = cancellation; });
  Outcome good = AskAdd(*end_, 3);
  cancellation->Cancel(absl::CancelledError("x"));
  clock_->Advance(milliseconds(5));
  Received received = Receive();
  Run();
  EXPECT_EQ(Value(received), 3);
  EXPECT_EQ(expired.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(cancelled.code(), absl::StatusCode::kCancelled);
  received.value()->reply.Answer(Buffer());
  EXPECT_TRUE(good.nil());
}

TEST_F(MailboxTest, WaitForCredit_EndsWithTheDeadline_OrWithRoom) {
  Open({.capacity = 1, .overflow = Overflow::kWaitForCredit});
  Outcome first =
      AskAdd(*end_, 1, [](Letter& letter) { letter.acknowledge = Acknowledgement::kDelivered; });
  EXPECT_TRUE(first.nil());
  Outcome expires =
      AskAdd(*end_, 2, [&](Letter& letter) { letter.deadline = clock_->Now() + milliseconds(5); });
  Outcome waits =
      AskAdd(*end_, 3, [](Letter& letter) { letter.acknowledge = Acknowledgement::kDelivered; });
  RunFor(milliseconds(5));
  EXPECT_EQ(expires.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(waits.done());
  Received received = Receive();
  Run();
  EXPECT_EQ(Value(received), 1);
  EXPECT_TRUE(waits.nil());
}

}  // namespace
}  // namespace grid
