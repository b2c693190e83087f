// Call and Send to one: deadlines, cancellation, what is refused, the system's stop.
#include <boost/asio/bind_cancellation_slot.hpp>

#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

using CallEndTest = RecipientsTest;

TEST_F(CallEndTest, TheDeadlineTravels_AndEndsTheCall) {
  const Registration held = Register("a", "r/k/1");
  const TimePoint begun = clock_->Now();
  const Called called = Call(To(Selector::Of({N("r/k/1")}), {}, P("deadline=5s")));
  EXPECT_TRUE(absl::IsDeadlineExceeded(called.status())) << called.status();
  EXPECT_EQ(DeliveryOf(called.status()), Delivery::kMaybeExecuted);
  EXPECT_EQ(clock_->Now(), begun + seconds(5));
  ASSERT_EQ(post_->sent.size(), 1u);
  EXPECT_EQ(post_->sent[0].deadline, begun + seconds(5));
  EXPECT_TRUE(post_->sent[0].cancelled);
  EXPECT_EQ(counters().expired, 1u);
  EXPECT_EQ(counters().under_way, 0u);
}

TEST_F(CallEndTest, TheDeadlineIsForAllAttemptsTogether) {
  const Registration held = Register("a", "r/k/1");
  const TimePoint begun = clock_->Now();
  post_->script = [](const FakePost::Sent&) { return Unreachable(); };
  const Called called = Call(To(Selector::Of({N("r/k/1")}), {},
                                P("deadline=1s attempts=100 backoff=300ms*1..300ms jitter=0%")));
  // At 0, 300, 600, 900 ms; for a fifth there is no time, which is known at once.
  EXPECT_EQ(post_->sent.size(), 4u);
  EXPECT_EQ(clock_->Now(), begun + milliseconds(900));
  EXPECT_TRUE(IsDisconnected(called.status())) << called.status();
  EXPECT_EQ(DeliveryOf(called.status()), Delivery::kNotSent);
}

TEST_F(CallEndTest, ManyDeadlinesPassInOrder) {
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Selector::Of({N("r/k/1")}), {}, P("deadline=5s"));
  std::vector<testing::Probe<Called>> calls;
  for (int i = 0; i < 10; ++i) {
    calls.emplace_back("call");
    to.Call(kAdd, i, calls.back().Handler());
    RunFor(seconds(1));
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(calls[i].done(), i <= 5) << i;
  RunFor(seconds(5));
  for (auto& call : calls) EXPECT_TRUE(absl::IsDeadlineExceeded(call.value().status()));
}

TEST_F(CallEndTest, AnUnreachableDirectory_StaleOnesAreUsed) {
  const Registration held = Register("a", "r/k/1");
  post_->script = AnswerOne();
  const Recipients to = To(Selector::Of({N("r/k/1")}));
  EXPECT_TRUE(Call(to).ok());
  table_.SetReachable("self", false);
  EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(counters().stale, 1u);
  // Of what was never seen nothing is known.
  const absl::Status unknown = Call(To(Selector::Of({N("r/k/2")}), {}, P("deadline=3s"))).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(unknown)) << unknown;
  EXPECT_EQ(DeliveryOf(unknown), Delivery::kNotSent);
}

// --- Cancellation ---

TEST_F(CallEndTest, CancellationReachesTheTarget) {
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Selector::Of({N("r/k/1")}));
  for (const bool send : {false, true}) {
    asio::cancellation_signal signal;
    testing::Probe<Called> called("Call");
    testing::Probe<absl::Status> sent("Send");
    if (send) {
      to.Send(kNote, 1, asio::bind_cancellation_slot(signal.slot(), sent.Handler()));
    } else {
      to.Call(kAdd, 1, asio::bind_cancellation_slot(signal.slot(), called.Handler()));
    }
    ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
    signal.emit(asio::cancellation_type::terminal);
    testing::Drain(io_);
    EXPECT_TRUE(post_->sent.back().cancelled);
    const absl::Status status = send ? sent.value() : called.value().status();
    EXPECT_TRUE(absl::IsCancelled(status)) << status;
    EXPECT_EQ(DeliveryOf(status), Delivery::kMaybeExecuted);
  }
  EXPECT_EQ(counters().cancelled, 2u);
}

TEST_F(CallEndTest, CancellationBeforeItWasSent_AndInAPause) {
  asio::cancellation_signal signal;
  testing::Probe<Called> asking("asking"), pausing("pausing");
  const Recipients to = To(Selector::Of({N("r/k/1")}));
  to.Call(kAdd, 1, asio::bind_cancellation_slot(signal.slot(), asking.Handler()));
  signal.emit(asio::cancellation_type::terminal);
  RunFor(seconds(1));
  EXPECT_EQ(DeliveryOf(asking.value().status()), Delivery::kNotSent) << asking.value().status();
  EXPECT_TRUE(absl::IsCancelled(asking.value().status()));

  const Registration held = Register("a", "r/k/1");
  post_->script = [](const FakePost::Sent&) { return Unreachable(); };
  to.Call(kAdd, 1, asio::bind_cancellation_slot(signal.slot(), pausing.Handler()));
  ASSERT_TRUE(Run([&] { return post_->sent.size() == 1; }, seconds(1)));
  signal.emit(asio::cancellation_type::terminal);
  testing::Drain(io_);
  EXPECT_TRUE(absl::IsCancelled(pausing.value().status()));
  EXPECT_EQ(DeliveryOf(pausing.value().status()), Delivery::kNotSent);
  RunFor(seconds(5));
  EXPECT_EQ(post_->sent.size(), 1u);
}

// --- What does not fit; limits; the end ---

TEST_F(CallEndTest, WhatDoesNotFitIsRefusedAtOnce) {
  const Registration held = Register("a", "r/k/1");
  CallPolicy no_attempts;
  no_attempts.attempts = 0;
  for (const Recipients& to :
       {To(Under("r/k"), Routing::All()), To(Under("r/k"), Routing::First(2)),
        To(Under("r/k"), Routing::OnePerNextSegment()),
        To(Under("r/k"), Routing::Hash(std::string(5000, 'x'))),
        To(Under("r/k"), Routing::Random(), no_attempts),
        To(Under("r/k"), Routing::Random(), P("ack=delivered")), To(Under("r/k").Where("", "x"))}) {
    testing::Probe<Called> called("Call");
    to.Call(kAdd, 1, called.Handler());
    ASSERT_TRUE(called.done());
    EXPECT_TRUE(absl::IsInvalidArgument(called.value().status())) << called.value().status();
    EXPECT_EQ(DeliveryOf(called.value().status()), Delivery::kNotSent);
  }
  constexpr MessageType<int64_t, int64_t> kNameless{""};
  testing::Probe<Called> nameless("Call");
  To(Under("r/k")).Call(kNameless, 1, nameless.Handler());
  EXPECT_TRUE(absl::IsInvalidArgument(nameless.value().status()));
  EXPECT_TRUE(post_->sent.empty());
  EXPECT_EQ(counters().under_way, 0u);
}

TEST_F(CallEndTest, SendPassesTheAcknowledgementLevel) {
  const Registration held = Register("a", "r/k/1");
  post_->script = [](const FakePost::Sent&) { return Buffer(); };
  for (const Acknowledgement level :
       {Acknowledgement::kAccepted, Acknowledgement::kDelivered, Acknowledgement::kProcessed}) {
    CallPolicy policy;
    policy.acknowledge = level;
    EXPECT_TRUE(Send(To(Under("r/k"), Routing::Random(), policy)).ok());
    EXPECT_EQ(post_->sent.back().acknowledge, level);
  }
  EXPECT_EQ(counters().sends, 3u);
}

TEST_F(CallEndTest, AnAnswerThatCannotBeDecoded_IsInvalidArgumentExecuted) {
  const Registration held = Register("a", "r/k/1");
  post_->script = [](const FakePost::Sent&) { return Buffer::CopyOf("\xc1"); };
  const absl::Status status = Call(To(Under("r/k"))).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(DeliveryOf(status), Delivery::kExecuted);
  EXPECT_EQ(post_->sent.size(), 1u);
}

TEST_F(CallEndTest, BeyondMaxCallsTheyAreRefused) {
  Open({.max_calls = 2});
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Under("r/k"), {}, P("deadline=10s"));
  std::vector<testing::Probe<Called>> calls;
  for (int i = 0; i < 3; ++i) {
    calls.emplace_back("call");
    to.Call(kAdd, i, calls.back().Handler());
  }
  RunFor(milliseconds(10));
  ASSERT_TRUE(calls[2].done());
  EXPECT_TRUE(absl::IsResourceExhausted(calls[2].value().status()));
  EXPECT_EQ(DeliveryOf(calls[2].value().status()), Delivery::kRejected);
  EXPECT_NE(calls[2].value().status().message().find("max_calls (2)"), absl::string_view::npos);
  EXPECT_EQ(counters().call_limit, 1u);
  EXPECT_EQ(counters().under_way, 2u);
  RunFor(seconds(11));
  EXPECT_EQ(counters().under_way, 0u);
}

TEST_F(CallEndTest, AHandleMayOutliveTheSystem) {
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Under("r/k"));
  Warm(to);
  testing::Probe<Called> under_way("under way");
  to.Call(kAdd, 1, under_way.Handler());
  ASSERT_EQ(post_->open(), 1u);
  env_->Close();
  EXPECT_TRUE(absl::IsCancelled(under_way.value().status())) << under_way.value().status();
  EXPECT_EQ(DeliveryOf(under_way.value().status()), Delivery::kMaybeExecuted);
  EXPECT_TRUE(post_->sent[0].cancelled);
  const absl::Status later = Call(to).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(later)) << later;
  EXPECT_EQ(DeliveryOf(later), Delivery::kNotSent);
  EXPECT_EQ(Send(To(Under("r/k"))).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(post_->sent.size(), 1u);
  EXPECT_EQ(counters().under_way, 0u);
  EXPECT_EQ(counters().watches, 0u);
  EXPECT_EQ(post_.use_count(), 1);
}

TEST_F(CallEndTest, WithoutASystem) {
  testing::Probe<Called> called("Call");
  Recipients(nullptr).Call(kAdd, 1, called.Handler());
  EXPECT_TRUE(absl::IsFailedPrecondition(called.value().status()));
}

}  // namespace
}  // namespace grid
