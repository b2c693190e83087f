// Messages that wait for the next holder of a name: which do, for how long, how many, and what
// wakes them. Rule 6 of the actor model.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_options.h"
#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

class WaitingCallsTest : public RecipientsTest {
 protected:
  using CallProbe = testing::Probe<Called>;

  // A handle that has known a holder of r/k/1, who has gone.
  Recipients Widowed(CallPolicy policy = {},
                     const Selector& selector = Selector::Of({N("r/k/1")})) {
    Registration held = Register("m0", "r/k/1");
    Recipients to = To(selector, Routing::RoundRobin(), policy);
    Warm(to);
    Release(std::move(held));
    post_->script = AnswerOne();
    return to;
  }
  void Release(Registration held) {
    testing::Probe<absl::Status> released("Release");
    held.Release(released.Handler());
    ASSERT_TRUE(Run([&] { return released.done(); }, seconds(60)));
    RunFor(milliseconds(1));
  }
  std::vector<std::unique_ptr<CallProbe>> CallMany(const Recipients& to, int count) {
    std::vector<std::unique_ptr<CallProbe>> calls;
    for (int i = 0; i < count; ++i) {
      calls.push_back(std::make_unique<CallProbe>(absl::StrCat("call ", i)));
      to.Call(kAdd, i, calls.back()->Handler());
    }
    RunFor(milliseconds(1));
    return calls;
  }
};

TEST_F(WaitingCallsTest, Rule6_BetweenTwoHolders_MessagesWait_AndGoToTheNextInTheirOrder) {
  const Recipients to = Widowed();
  auto calls = CallMany(to, 10);
  RunFor(seconds(3));
  EXPECT_EQ(counters().waiting, 10u);
  EXPECT_TRUE(post_->sent.empty());
  for (const auto& call : calls) EXPECT_FALSE(call->done());

  const Registration next = Register("m1", "r/k/1");
  RunFor(milliseconds(1));
  ASSERT_EQ(post_->sent.size(), 10u);
  for (size_t i = 0; i < calls.size(); ++i) {
    ASSERT_TRUE(calls[i]->done());
    ASSERT_TRUE(calls[i]->value().ok()) << calls[i]->value().status();
    EXPECT_EQ(calls[i]->value()->from.member, "m1");
    EXPECT_EQ(post_->sent[i].body, static_cast<int64_t>(i));
  }
  EXPECT_EQ(counters().waiting, 0u);
  EXPECT_EQ(counters().retries, 0u) << "waiting is no attempt";
}

TEST_F(WaitingCallsTest, Rule6_WhatIsClosedIsWaitedFor_UntilSomebodyElseHasTheName) {
  Registration held = Register("m0", "r/k/1");
  const Recipients to = To(Selector::Of({N("r/k/1")}));
  Warm(to);
  post_->script = [](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.member == "m0") return ClosedError(sent.target.name.text());
    return Number(7);
  };
  auto calls = CallMany(to, 1);
  RunFor(seconds(2));  // it drains, and holds the name still
  EXPECT_FALSE(calls[0]->done());
  EXPECT_EQ(post_->sent.size(), 1u);
  Release(std::move(held));
  RunFor(seconds(2));
  EXPECT_FALSE(calls[0]->done());
  const Registration next = Register("m1", "r/k/1");
  RunFor(milliseconds(1));
  ASSERT_TRUE(calls[0]->done());
  EXPECT_TRUE(calls[0]->value().ok()) << calls[0]->value().status();
  EXPECT_EQ(post_->sent.size(), 2u);
}

// Counted from when the last holder was gone, so that not each call to a name that is gone for good
// takes that long.
TEST_F(WaitingCallsTest, WaitsForTheHandOverOnly_ThenNobodyIsAnErrorAtOnce) {
  const Recipients to = Widowed(P("handover=2s"));
  const TimePoint gone = clock_->Now();
  RunFor(milliseconds(500));
  const absl::Status status = Call(to).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
  EXPECT_LE(clock_->Now() - gone, milliseconds(2100));
  EXPECT_GE(clock_->Now() - gone, milliseconds(1900));
  const TimePoint before = clock_->Now();
  EXPECT_TRUE(absl::IsNotFound(Call(to).status()));
  EXPECT_LT(clock_->Now() - before, milliseconds(10));
  EXPECT_EQ(counters().waiting, 0u);
}

TEST_F(WaitingCallsTest, NeverSeenFailsAtOnce_UnlessThePolicyWaitsForAHolder) {
  const TimePoint before = clock_->Now();
  EXPECT_TRUE(absl::IsNotFound(Call(To(Under("r/never"))).status()));
  EXPECT_EQ(clock_->Now(), before);

  // A handle's first use has no watch of its own yet.
  const Recipients patient = To(Under("r/never"), {}, P("deadline=5s wait=on"));
  auto calls = CallMany(patient, 1);
  RunFor(seconds(4));
  EXPECT_FALSE(calls[0]->done());
  post_->script = AnswerOne();
  const Registration held = Register("m0", "r/never/1");
  RunFor(milliseconds(1));
  ASSERT_TRUE(calls[0]->done());
  EXPECT_TRUE(calls[0]->value().ok()) << calls[0]->value().status();
}

TEST_F(WaitingCallsTest, HandOverOffFailsAtOnce) {
  const Recipients to = Widowed(P("handover=off"));
  const TimePoint before = clock_->Now();
  EXPECT_TRUE(absl::IsNotFound(Call(to).status()));
  EXPECT_EQ(clock_->Now(), before);
}

TEST_F(WaitingCallsTest, TheDeadlineEndsTheWaiting_NotSent) {
  const Recipients to = Widowed(P("deadline=1s"));
  const TimePoint before = clock_->Now();
  const absl::Status status = Call(to).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
  EXPECT_EQ(clock_->Now() - before, seconds(1));
  EXPECT_EQ(counters().waiting, 0u);
}

TEST_F(WaitingCallsTest, CancellingAndClosingEndTheWaiting_NotSent) {
  const Recipients to = Widowed();
  asio::cancellation_signal signal;
  CallProbe cancelled("cancelled");
  to.Call(kAdd, 1, asio::bind_cancellation_slot(signal.slot(), cancelled.Handler()));
  auto calls = CallMany(to, 3);
  EXPECT_EQ(counters().waiting, 4u);
  signal.emit(asio::cancellation_type::terminal);
  RunFor(milliseconds(1));
  ASSERT_TRUE(cancelled.done());
  EXPECT_TRUE(absl::IsCancelled(cancelled.value().status()));
  EXPECT_EQ(DeliveryOf(cancelled.value().status()), Delivery::kNotSent);
  EXPECT_EQ(counters().waiting, 3u);
  env_->Close();
  for (const auto& call : calls) {
    ASSERT_TRUE(call->done());
    EXPECT_EQ(DeliveryOf(call->value().status()), Delivery::kNotSent) << call->value().status();
  }
  EXPECT_EQ(counters().waiting, 0u);
}

TEST_F(WaitingCallsTest, BeyondMaxWaitingCalls_RefusedByName) {
  Open({.max_waiting_calls = 3});
  const Recipients to = Widowed();
  auto calls = CallMany(to, 5);
  for (size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(calls[i]->done(), i >= 3) << i;
  for (size_t i = 3; i < 5; ++i) {
    const absl::Status status = calls[i]->value().status();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_NE(status.message().find("max_waiting_calls (3)"), absl::string_view::npos) << status;
    EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
  }
  EXPECT_EQ(counters().waiting, 3u);
  EXPECT_EQ(counters().waiting_limit, 2u);
  const Registration next = Register("m1", "r/k/1");
  RunFor(milliseconds(1));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(calls[i]->done() && calls[i]->value().ok());
}

// A handle beyond max_handles has no watch: the directory is asked now and then.
TEST_F(WaitingCallsTest, WithoutAWatch_TheDirectoryIsAskedNowAndThen) {
  Open({.max_handles = 0});
  const Recipients to = Widowed();
  const uint64_t resolved = counters().resolved;
  auto calls = CallMany(to, 1);
  RunFor(milliseconds(3500));
  EXPECT_FALSE(calls[0]->done());
  EXPECT_GE(counters().resolved - resolved, 4u);
  EXPECT_LE(counters().resolved - resolved, 5u);
  const Registration next = Register("m1", "r/k/1");
  RunFor(seconds(1));
  ASSERT_TRUE(calls[0]->done());
  EXPECT_TRUE(calls[0]->value().ok()) << calls[0]->value().status();
}

// Nor is a directory pestered that refuses the watch.
TEST_F(WaitingCallsTest, ARefusedWatch_IsNotAskedForAgainByWhoeverWaits) {
  LocalDirectory table({.io = &io_, .limits = {.max_watches = 1}, .clock = clock_});
  const auto join = [&](const char* member) {
    DirectoryOptions options;
    options.io = &io_;
    options.member = member;
    options.clock = clock_;
    options.log = NullLog();
    options.seed = 1;
    return *table.Join(options);
  };
  std::unique_ptr<Directory> ours = join("self"), theirs = join("m1");
  absl::StatusOr<Watcher> other = theirs->Watch(Under("r/other"));
  ASSERT_TRUE(other.ok());
  RunFor(milliseconds(1));
  const auto env = std::make_shared<internal::RecipientsEnv>(internal::RecipientsEnvOptions{
      .post = post_, .directory = ours.get(), .io = &io_, .clock = clock_, .seed = 1});
  const Recipients to(internal::RecipientsCore::Make(env, Under("r/k"), Routing::Random(),
                                                     P("wait=on"), std::nullopt));
  post_->script = AnswerOne();
  auto calls = CallMany(to, 5);
  RunFor(seconds(10));
  EXPECT_EQ(env->counters().waiting, 5u);
  EXPECT_LE(table.Stats().watch_limit, 5u);
  EXPECT_LE(env->counters().resolved, 120u);
  testing::Probe<absl::StatusOr<Registration>> held("Register");
  theirs->Register(N("r/k/1"), Holding::kExclusive, {}, milliseconds(0), held.Handler());
  RunFor(seconds(2));
  for (const auto& call : calls) EXPECT_TRUE(call->done() && call->value().ok());
  env->Close();
  other->Close();
  held.value() = absl::CancelledError("given back");
  RunFor(milliseconds(10));
  ours.reset();
  theirs.reset();
  testing::Drain(io_);
}

TEST_F(WaitingCallsTest, ASendWaitsAsACallDoes) {
  const Recipients to = Widowed();
  testing::Probe<absl::Status> sent("Send");
  to.Send(kNote, 1, sent.Handler());
  RunFor(seconds(1));
  EXPECT_FALSE(sent.done());
  const Registration next = Register("m1", "r/k/1");
  RunFor(milliseconds(1));
  EXPECT_TRUE(sent.done() && sent.value().ok());
}

// Whoever comes back and drains is nobody; by name it is somebody, as elsewhere.
TEST_F(WaitingCallsTest, WhoDrainsDoesNotEndTheWaiting) {
  const Recipients to = Widowed({}, Under("r/k"));
  auto calls = CallMany(to, 1);
  Registration next = Register("m1", "r/k/1", Holding::kExclusive, {{kDraining, "true"}});
  RunFor(milliseconds(1));
  EXPECT_FALSE(calls[0]->done());
  Update(next, {});
  EXPECT_TRUE(calls[0]->done());
}

// Whatever comes and goes meanwhile: each message arrives once, or says that it was not sent.
TEST_F(WaitingCallsTest, ManyHandOvers_NothingIsLostOrSentTwice) {
  const Recipients to = Widowed(P("deadline=30s"));
  std::vector<std::unique_ptr<CallProbe>> calls;
  uint64_t seed = 2026;
  std::optional<Registration> held;
  for (int round = 0; round < 200; ++round) {
    for (auto& call : CallMany(to, 3)) calls.push_back(std::move(call));
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    if (held.has_value()) {
      Release(*std::move(held));
      held.reset();
    } else if (seed >> 63 != 0) {
      held = Register(absl::StrCat("m", round), "r/k/1");
    }
    RunFor(milliseconds(seed >> 55));
  }
  held = Register("last", "r/k/1");
  RunFor(seconds(31));
  size_t answered = 0;
  for (const auto& call : calls) {
    ASSERT_TRUE(call->done());
    if (call->value().ok()) {
      ++answered;
    } else {
      EXPECT_EQ(DeliveryOf(call->value().status()), Delivery::kNotSent) << call->value().status();
    }
  }
  EXPECT_EQ(answered, post_->sent.size());
  EXPECT_EQ(answered, calls.size()) << "no gap was as long as the hand-over may be";
  EXPECT_EQ(counters().waiting, 0u);
  EXPECT_EQ(counters().under_way, 0u);
}

}  // namespace
}  // namespace grid
