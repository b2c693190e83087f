// Call: who answers, attempts, and refreshing.
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>

#include "absl/strings/str_cat.h"
#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using CallTest = RecipientsTest;

TEST_F(CallTest, SaysWhoAnswered) {
  const Registration held = Register("a", "r/k/1");
  post_->script = AnswerOne();
  const Called called = Call(To(Selector::Of({N("r/k/1")})), 41);
  ASSERT_TRUE(called.ok()) << called.status();
  EXPECT_EQ(called->value, 42);
  EXPECT_EQ(called->from.name, N("r/k/1"));
  EXPECT_EQ(called->from.member, "a");
  EXPECT_EQ(called->from.epoch, held.epoch());
  EXPECT_EQ(post_->sent[0].type, "test.add");
  EXPECT_EQ(counters().calls, 1u);
  EXPECT_EQ(counters().under_way, 0u);
}

TEST_F(CallTest, TheAsynchronousFormGivesAFuture) {
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Selector::Of({N("r/k/1")}));
  auto answer = to.Call(kAdd, 7, boost::asio::use_future);
  ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
  post_->sent[0].complete(Number(8));
  testing::Drain(io_);
  ASSERT_EQ(answer.wait_for(seconds(0)), std::future_status::ready);
  EXPECT_EQ(answer.get()->value, 8);
}

TEST_F(CallTest, Coroutines_AlsoManyThatCompleteAtOnce) {
  const Registration held = Register("a", "r/k/1");
  post_->script = AnswerOne();
  const Recipients to = To(Selector::Of({N("r/k/1")}));
  Warm(to);
  int64_t total = 0;
  bool done = false;
  asio::co_spawn(
      io_,
      [&]() -> asio::awaitable<void> {
        // On the stack all at once they would overflow it.
        for (int64_t i = 0; i < 20'000; ++i) {
          const Called called = co_await to.Call(kAdd, i);
          if (called.ok()) total += called->value - i;
        }
        done = true;
      },
      asio::detached);
  ASSERT_TRUE(Run([&] { return done; }, seconds(1)));
  EXPECT_EQ(total, 20'000);
}

TEST_F(CallTest, NobodyIsNotFoundNotSent_OnceTheDirectoryWasAskedAnew) {
  const Recipients to = To(Under("r/k"));
  const absl::Status nobody = Call(to).status();
  EXPECT_TRUE(absl::IsNotFound(nobody)) << nobody;
  EXPECT_EQ(DeliveryOf(nobody), Delivery::kNotSent);
  EXPECT_NE(nobody.message().find("under(r/k)"), nobody.message().npos) << nobody;
  Warm(to);
  // The watch has not told of it yet, but the directory knows.
  testing::Probe<absl::StatusOr<Registration>> held("Register");
  At("a").Register(N("r/k/1"), Holding::kExclusive, {}, milliseconds(0), held.Handler());
  ASSERT_TRUE(Run([&] { return held.done(); }, seconds(1)));
  post_->script = AnswerOne();
  EXPECT_TRUE(Call(to).ok());
}

// --- Attempts ---

struct RetryCase {
  Delivery delivery;
  const char* policy;
  size_t messages;
};

class RetryTest : public RecipientsTest, public ::testing::WithParamInterface<RetryCase> {};

TEST_P(RetryTest, OnlyTheDeliveryClassesOfThePolicyAreTriedAgain) {
  const Registration held = Register("a", "r/k/1");
  post_->script = [](const FakePost::Sent&) {
    return Failure(GetParam().delivery, absl::StatusCode::kAborted);
  };
  const Called called = Call(To(Selector::Of({N("r/k/1")}), {}, P(GetParam().policy)));
  EXPECT_EQ(post_->sent.size(), GetParam().messages);
  EXPECT_EQ(called.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(DeliveryOf(called.status()), GetParam().delivery);
  EXPECT_EQ(counters().retries, GetParam().messages - 1);
  EXPECT_NE(called.status().message().find("r/k/1 at a"), absl::string_view::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, RetryTest,
    ::testing::Values(RetryCase{Delivery::kNotSent, "attempts=3", 3},
                      RetryCase{Delivery::kRejected, "attempts=3", 3},
                      RetryCase{Delivery::kMaybeExecuted, "attempts=3", 1},
                      RetryCase{Delivery::kExecuted, "attempts=3", 1},
                      RetryCase{Delivery::kNotSent, "attempts=1", 1},
                      RetryCase{Delivery::kNotSent, "attempts=3 retry=none", 1},
                      RetryCase{Delivery::kRejected, "attempts=3 retry=none", 1},
                      RetryCase{Delivery::kRejected, "attempts=3 retry=not-sent", 1},
                      RetryCase{Delivery::kMaybeExecuted, "attempts=4 retry=maybe-executed", 4},
                      RetryCase{Delivery::kExecuted, "attempts=2 retry=executed", 2},
                      RetryCase{Delivery::kExecuted, "attempts=2 dedup=1s", 1}),
    [](const auto& param) { return absl::StrCat("Case", param.index); });

TEST_F(CallTest, PausesBetweenAttemptsBackOff) {
  const Registration held = Register("a", "r/k/1");
  std::vector<TimePoint> times;
  post_->script = [&](const FakePost::Sent&) {
    times.push_back(clock_->Now());
    return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted);
  };
  (void)Call(To(Selector::Of({N("r/k/1")}), {}, P("attempts=4 backoff=100ms*2..300ms jitter=0%")));
  ASSERT_EQ(times.size(), 4u);
  EXPECT_EQ(times[1] - times[0], milliseconds(100));
  EXPECT_EQ(times[2] - times[1], milliseconds(200));
  EXPECT_EQ(times[3] - times[2], milliseconds(300));
}

TEST_F(CallTest, WithoutAPauseAThousandAttemptsDoNotPileUp) {
  const Registration held = Register("a", "r/k/1");
  post_->script = [](const FakePost::Sent&) {
    return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted);
  };
  (void)Call(To(Selector::Of({N("r/k/1")}), {}, P("attempts=1000 backoff=0ms*2..0ms")));
  EXPECT_EQ(post_->sent.size(), 1000u);
}

TEST_F(CallTest, EachAttemptGoesToWhoeverIsNext) {
  const auto held = RegisterRing(3);
  post_->script = [](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.name.key() == "2") return Number(5);
    return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted, "full");
  };
  for (const Routing& routing : {Routing::LocalFirst(), Routing::Random(), Routing::RoundRobin(),
                                 Routing::LeastOutstanding()}) {
    const Called called = Call(To(Under("r/k"), routing));
    EXPECT_TRUE(called.ok()) << routing.ToString() << called.status();
  }
}

// Where letters arrive that nobody waits for.
class Box final : public internal::LetterBox {
 public:
  void Put(Letter) override { ADD_FAILURE() << "a Post brings these"; }
  bool PutAtOnce(Letter& letter) override {
    if (!has_room) return false;
    EXPECT_NE(letter.acknowledge, Acknowledgement::kProcessed);
    EXPECT_EQ(letter.sender->process.host, "self");
    EXPECT_FALSE(letter.reply);
    const Letter taken = std::move(letter);
    const absl::StatusOr<int64_t> note = taken.Read(kNote);
    EXPECT_TRUE(note.ok()) << note.status();
    notes.push_back(*note);
    return true;
  }
  bool has_room = true;
  std::vector<int64_t> notes;
};

TEST_F(CallTest, ASendThatNobodyWaitsFor_GoesIntoItsBoxWhereThatIsHere_InTurn) {
  const Registration zero = Register("self", "r/k/0"), one = Register("self", "r/k/1"),
                     two = Register("m", "r/k/2");
  const auto box = std::make_shared<Box>();
  auto full = std::make_shared<Box>();
  full->has_room = false;
  post_->boxes = {{"r/k/0", box}, {"r/k/1", full}};
  post_->script = [](const FakePost::Sent&) -> LetterOutcome { return Buffer(); };
  const Recipients to = To(Under("r/k"), Routing::RoundRobin(), P("ack=delivered"));
  // Until the watch has told who is there, each is a call of its own.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Send(to).ok());
    RunFor(milliseconds(1));
  }
  EXPECT_TRUE(post_->asked_for_boxes.empty());
  post_->sent.clear();

  const uint64_t sends = env_->counters().sends;
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(Send(to).ok());
  EXPECT_EQ(box->notes.size(), 2u);
  const auto brought = [](const char* first, const char* second) {
    return std::vector<std::string>{first, second, first, second};
  };
  EXPECT_THAT(post_->Names(), AnyOf(brought("r/k/1", "r/k/2"), brought("r/k/2", "r/k/1")));
  EXPECT_EQ(env_->counters().sends, sends + 6);
  EXPECT_EQ(env_->counters().under_way, 0u);
  // Boxes of our own process alone are asked for, and once.
  EXPECT_THAT(post_->asked_for_boxes, UnorderedElementsAre("r/k/0", "r/k/1"));

  // It is asked for again when it has gone, and so far a call does it.
  post_->boxes.erase("r/k/1");
  full.reset();
  post_->asked_for_boxes.clear();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Send(to).ok());
  EXPECT_THAT(post_->asked_for_boxes, ElementsAre("r/k/1"));
  EXPECT_EQ(box->notes.size(), 3u);

  // Who waits until it was processed needs a call, and who must not be heard twice.
  for (const char* policy : {"ack=processed", "dedup=1s ack=delivered"}) {
    const Recipients waits = To(Under("r/k"), Routing::RoundRobin(), P(policy));
    for (int i = 0; i < 6; ++i) {
      EXPECT_TRUE(Send(waits).ok());
      RunFor(milliseconds(1));
    }
    EXPECT_EQ(box->notes.size(), 3u) << policy;
  }

  env_->Close();
  const absl::Status closed = Send(to);
  EXPECT_EQ(closed.code(), absl::StatusCode::kFailedPrecondition) << closed;
  EXPECT_EQ(box->notes.size(), 3u);
}

TEST_F(CallTest, AFailureThatMayHaveRunIsNotForgotten) {
  const Registration held = Register("a", "r/k/1");
  post_->script = [&](const FakePost::Sent&) -> LetterOutcome {
    if (post_->sent.size() == 1) {
      return Failure(Delivery::kMaybeExecuted, absl::StatusCode::kUnavailable);
    }
    return Unreachable();
  };
  const Called called =
      Call(To(Selector::Of({N("r/k/1")}), {}, P("attempts=2 retry=not-sent,maybe-executed")));
  EXPECT_EQ(post_->sent.size(), 2u);
  EXPECT_TRUE(IsDisconnected(called.status())) << called.status();
  EXPECT_EQ(DeliveryOf(called.status()), Delivery::kMaybeExecuted);
}

TEST_F(CallTest, DeduplicatedCallsHaveOneId_AndStayWithTheMemberThatRemembers) {
  const auto held = RegisterRing(3);
  post_->script = [](const FakePost::Sent&) {
    return Failure(Delivery::kMaybeExecuted, absl::StatusCode::kUnavailable);
  };
  const Recipients to =
      To(Under("r/k"), Routing::RoundRobin(), P("attempts=4 retry=maybe-executed dedup=10s"));
  (void)Call(to);
  ASSERT_EQ(post_->sent.size(), 4u);
  for (const auto& sent : post_->sent) {
    EXPECT_EQ(sent.call, post_->sent[0].call);
    EXPECT_NE(sent.call, 0u);
    EXPECT_EQ(sent.target, post_->sent[0].target);
  }
  (void)Call(to);
  EXPECT_NE(post_->sent[4].call, post_->sent[0].call);
  // Without it there is no id, and whoever is next is tried.
  post_->sent.clear();
  (void)Call(To(Under("r/k"), Routing::RoundRobin(), P("attempts=2 retry=maybe-executed")));
  EXPECT_EQ(post_->sent[0].call, 0u);
  EXPECT_NE(post_->sent[1].target, post_->sent[0].target);
}

TEST_F(CallTest, AnApplicationErrorReachesItsCallerExactlyOnce) {
  const auto held = RegisterRing(3);
  post_->script = [](const FakePost::Sent&) {
    return WithDelivery(absl::UnavailableError("out of stock"), Delivery::kExecuted, true);
  };
  const absl::Status status = Call(To(Under("r/k"))).status();
  EXPECT_EQ(post_->sent.size(), 1u);
  EXPECT_EQ(status.message().substr(0, 12), "out of stock");
  EXPECT_TRUE(IsRemote(status));
  EXPECT_EQ(DeliveryOf(status), Delivery::kExecuted);
  // It has answered: it stays in the rotation.
  EXPECT_EQ(counters().targets_failed, 0u);
}

// --- No such target ---

TEST_F(CallTest, Rule2_NoSuchTarget_RefreshesExactlyOnce_WithoutCountingAnAttempt) {
  std::optional<Registration> held = Register("a", "r/k/1");
  const Recipients to = To(Selector::Of({N("r/k/1")}), {}, P("attempts=1"));
  Warm(to);
  const uint64_t resolved = counters().resolved;
  testing::Probe<Called> called("Call");
  to.Call(kAdd, 1, called.Handler());
  ASSERT_EQ(post_->open(), 1u);
  // It has moved while the message was on its way.
  held.reset();
  const Registration moved = Register("b", "r/k/1");
  post_->script = AnswerOne();
  post_->sent[0].complete(NoSuchTargetError("r/k/1", post_->sent[0].target.epoch, 0));
  ASSERT_TRUE(Run([&] { return called.done(); }, seconds(1)));
  ASSERT_TRUE(called.value().ok()) << called.value().status();
  EXPECT_EQ(called.value()->from.member, "b");
  EXPECT_EQ(called.value()->from.epoch, moved.epoch());
  EXPECT_EQ(counters().resolved - resolved, 1u);
  EXPECT_EQ(counters().refreshed, 1u);
  EXPECT_EQ(counters().retries, 0u);
}

TEST_F(CallTest, NoSuchTargetTwice_IsAFailureLikeOthers) {
  const Registration held = Register("a", "r/k/1");
  post_->script = [&](const FakePost::Sent& sent) {
    return NoSuchTargetError(sent.target.name.text(), sent.target.epoch, 0);
  };
  const Recipients to = To(Selector::Of({N("r/k/1")}), {}, P("attempts=1"));
  const absl::Status status = Call(to).status();
  EXPECT_TRUE(IsNoSuchTarget(status)) << status;
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  // The first, and again once the directory stood by it.
  EXPECT_EQ(post_->sent.size(), 2u);
  EXPECT_EQ(counters().resolved, 2u);
  EXPECT_EQ(counters().refreshed, 1u);
  EXPECT_EQ(counters().retries, 0u);
}

}  // namespace
}  // namespace grid
