// The rules of the model (grid/actor/README.md, Tests) that show on a mesh only.
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenario/actor_mesh.h"

namespace grid::actors_test {
namespace {

using RulesTest = ActorMesh;

// Never finishes what it has begun.
class Endless final : public Actor {
 public:
  Endless() {
    On(kSleep, [](const Text&, ActorContext&) -> asio::awaitable<absl::StatusOr<Text>> {
      asio::steady_timer never(co_await asio::this_coro::executor);
      never.expires_at(asio::steady_timer::time_point::max());
      co_await never.async_wait(asio::use_awaitable);
      co_return absl::InternalError("for ever is over");
    });
  }
};

TEST_F(RulesTest, Rule1_AnApplicationErrorReachesItsHandlerExactlyOnce) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  for (const int from : {1, 2}) {
    const absl::Status status = CallStatus(At(from).To(Only("r/k/a")), kAdd, Add{.by = -1});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(DeliveryOf(status), Delivery::kExecuted);
    EXPECT_NE(std::string(status.message()).find("less than nothing"), std::string::npos);
    EXPECT_EQ(At(from).Stats().retries, 0u);
  }
  EXPECT_EQ(At(1).Stats().handled, 2u);
}

TEST_F(RulesTest, Rule2_NoSuchNameHere_IsAskedForOnceMore) {
  Make();
  EXPECT_EQ(CallStatus(At(1).To(Only("r/k/none")), kAdd, Add{}).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(DeliveryOf(CallStatus(At(1).To(Only("r/k/none")), kAdd, Add{})), Delivery::kNotSent);
}

TEST_F(RulesTest, Rule3_NeverSilence) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  const TimePoint began = cluster().Now();
  for (const int from : {1, 2}) {
    const Recipients to = At(from).To(Only("r/k/a"), {}, Once());
    const absl::Status dropped = CallStatus(to, kDrop, Text{});
    EXPECT_EQ(dropped.code(), absl::StatusCode::kInternal) << dropped;
    EXPECT_NE(std::string(dropped.message()).find("no reply"), std::string::npos);
    EXPECT_EQ(DeliveryOf(dropped), Delivery::kExecuted);
    const absl::Status unknown = CallStatus(to, kUnknown, Text{});
    EXPECT_EQ(unknown.code(), absl::StatusCode::kUnimplemented) << unknown;
    EXPECT_EQ(DeliveryOf(unknown), Delivery::kRejected);
    const absl::Status thrown = CallStatus(to, kThrow, Text{.text = "what it throws"});
    EXPECT_EQ(thrown.code(), absl::StatusCode::kInternal) << thrown;
    EXPECT_NE(std::string(thrown.message()).find("what it throws"), std::string::npos);
    EXPECT_EQ(DeliveryOf(thrown), Delivery::kExecuted);
  }
  EXPECT_LT(cluster().Now() - began, seconds(1));
  EXPECT_EQ(At(1).Stats().restarts, 2u);
}

TEST_F(RulesTest, Rule4_StoppingAnswersWhatIsQueuedWithClosedNotExecuted) {
  Make();
  const absl::StatusOr<Mailbox> mailbox = [&] {
    testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
    At(1).OpenMailbox(N("r/box/a"), {}, opened.Handler());
    return Await(opened);
  }();
  ASSERT_TRUE(mailbox.ok()) << mailbox.status();
  std::vector<std::unique_ptr<testing::Probe<absl::StatusOr<Answer<Text>>>>> answers;
  for (const int from : {1, 2, 3}) {
    answers.push_back(std::make_unique<testing::Probe<absl::StatusOr<Answer<Text>>>>("Call"));
    At(from)
        .To(Only("r/box/a"), {}, Once())
        .Call(kEcho, Text{.text = "?"}, answers.back()->Handler());
  }
  cluster().RunFor(seconds(1));
  const_cast<Mailbox&>(*mailbox).Close();
  for (auto& answer : answers) {
    const absl::Status status = Await(*answer).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_NE(std::string(status.message()).find("closed, not executed"), std::string::npos);
    EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  }
}

// Intake stops, what waits is handled, the name is given back, the next one starts: whoever calls
// meanwhile waits for that one, and each message is handled once.
TEST_F(RulesTest, Rule6_HandOver_CallersWaitForTheNextHolder) {
  Make();
  for (int round = 0; round < 4; ++round) {
    const int from = 1 + round % 2, to = 2 - round % 2;
    const std::string name = "r/k/" + std::to_string(round);
    const absl::StatusOr<ActorHandle> first = Start(from, name);
    ASSERT_TRUE(first.ok()) << first.status();
    std::vector<Recipients> callers = {At(0).To(Only(name)), At(to).To(Only(name)),
                                       At(3).To(Only(name))};
    for (const Recipients& caller : callers) ASSERT_TRUE(CallAdd(caller, 1).ok());

    std::vector<std::unique_ptr<testing::Probe<absl::StatusOr<Answer<int64_t>>>>> calls;
    const auto call = [&](int times) {
      for (int i = 0; i < times; ++i) {
        for (const Recipients& caller : callers) {
          calls.push_back(
              std::make_unique<testing::Probe<absl::StatusOr<Answer<int64_t>>>>("Call"));
          caller.Call(kAdd, Add{.by = 1}, calls.back()->Handler());
        }
        cluster().RunFor(milliseconds(20));
      }
    };
    call(2);
    testing::Probe<absl::Status> stopped("Stop");
    first->Stop(StopMode::kAfterQueue, stopped.Handler());
    call(50);
    EXPECT_TRUE(Await(stopped).ok());
    EXPECT_GT(At(0).Stats().waiting_calls + At(3).Stats().waiting_calls, 50u);
    const absl::StatusOr<ActorHandle> next = Start(to, name);
    ASSERT_TRUE(next.ok()) << next.status();
    call(2);
    int64_t by_next = 0;
    for (auto& one : calls) {
      const absl::StatusOr<Answer<int64_t>> answer = Await(*one);
      ASSERT_TRUE(answer.ok()) << answer.status();
      by_next += answer->from == next->target() ? 1 : 0;
    }
    EXPECT_GE(by_next, 100);
    const int64_t handled = SeenBy(from, name).added + SeenBy(to, name).added;
    EXPECT_EQ(handled, static_cast<int64_t>(calls.size() + callers.size()));
    for (const int node : {0, 1, 2, 3}) EXPECT_EQ(At(node).Stats().waiting_calls, 0u);
  }
}

TEST_F(RulesTest, Rule8_FanOutSendsOneMessageToEachMember) {
  Make();
  for (const int node : {1, 2, 3}) {
    for (const char* key : {"a", "b", "c"}) {
      ASSERT_TRUE(Start(node, "r/k/" + std::to_string(node) + key).ok());
    }
  }
  const GatherResults<Text> results = Gather(At(0).To(Under("r/k"), Routing::All()), "hello");
  EXPECT_TRUE(results.status().ok());
  EXPECT_EQ(results.size(), 9u);
  for (const auto& [target, value] : results) {
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->text, "hello from " + target.name.text());
  }
  EXPECT_EQ(results.succeeded().size(), 9u);
}

TEST_F(RulesTest, Rule9_StopDrains_AndSaysWhoHadToBeKilled) {
  Make();
  const absl::StatusOr<ActorHandle> idle = Start(1, "r/k/idle");
  ASSERT_TRUE(idle.ok());
  testing::Probe<absl::Status> stopped("Stop");
  At(1).Stop(stopped.Handler());
  EXPECT_TRUE(Await(stopped).ok());
  EXPECT_FALSE(idle->running());
  EXPECT_EQ(Start(1, "r/k/late").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CallStatus(At(1).To(Under("r")), kAdd, Add{}).code(),
            absl::StatusCode::kFailedPrecondition);
  // The name is free.
  EXPECT_TRUE(Start(2, "r/k/idle").ok());

  // Who does not finish within the limit.
  ASSERT_TRUE(Start(3, "r/k/quick").ok());
  testing::Probe<absl::StatusOr<ActorHandle>> busy("Start");
  At(3).Start(
      N("r/k/busy"), [] { return std::make_unique<Endless>(); }, {}, busy.Handler());
  ASSERT_TRUE(Await(busy).ok());
  testing::Probe<absl::StatusOr<Answer<Text>>> asleep("Call");
  At(0).To(Only("r/k/busy"), {}, Once(seconds(120))).Call(kSleep, Text{}, asleep.Handler());
  cluster().RunFor(seconds(1));
  testing::Probe<absl::Status> overdue("Stop");
  At(3).Stop(overdue.Handler());
  cluster().RunFor(seconds(29));
  EXPECT_FALSE(overdue.done());
  const absl::Status status = Await(overdue);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_NE(status.message().find("r/k/busy"), absl::string_view::npos) << status;
  EXPECT_EQ(status.message().find("r/k/quick"), absl::string_view::npos) << status;
  EXPECT_EQ(Await(asleep).status().code(), absl::StatusCode::kAborted);
}

// Whatever is set in milliseconds ends to the millisecond, here and where the message arrives.
TEST_F(RulesTest, Rule11_DeadlinesAreNotTruncatedToSeconds) {
  Make();
  ASSERT_TRUE(Start(1, "r/k/a").ok());
  for (const int from : {1, 2}) {
    ASSERT_TRUE(CallAdd(At(from).To(Only("r/k/a")), 1).ok());  // connected
    for (const int deadline : {1, 7, 250, 999, 1001, 2500}) {
      const Recipients to = At(from).To(Only("r/k/a"), {}, Once(milliseconds(deadline)));
      const TimePoint began = cluster().Now();
      EXPECT_EQ(CallStatus(to, kSleep, Text{}).code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_EQ(cluster().Now() - began, milliseconds(deadline));
    }
  }
  testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
  At(1).OpenMailbox(N("r/box/a"), {}, opened.Handler());
  absl::StatusOr<Mailbox> mailbox = Await(opened);
  ASSERT_TRUE(mailbox.ok());
  for (const int deadline : {1234, 15'001}) {
    testing::Probe<absl::StatusOr<Letter>> received("Receive");
    mailbox->Receive(received.Handler());
    testing::Probe<absl::StatusOr<Answer<Text>>> answer("Call");
    At(2)
        .To(Only("r/box/a"), {}, Once(milliseconds(deadline)))
        .Call(kEcho, Text{}, answer.Handler());
    const TimePoint due = cluster().Now() + milliseconds(deadline);
    const absl::StatusOr<Letter> letter = Await(received);
    ASSERT_TRUE(letter.ok());
    EXPECT_LE(letter->deadline, due + milliseconds(2));
    EXPECT_GE(letter->deadline, due - milliseconds(20));
    EXPECT_EQ(Await(answer).status().code(), absl::StatusCode::kDeadlineExceeded);
  }
  // A hand-over that is shorter than a second.
  CallPolicy policy;
  policy.hand_over = milliseconds(123);
  const absl::StatusOr<ActorHandle> gone = Start(1, "r/k/gone");
  const Recipients to = At(2).To(Only("r/k/gone"), {}, policy);
  ASSERT_TRUE(gone.ok() && CallAdd(to, 1).ok() && CallAdd(to, 1).ok());
  cluster().RunFor(seconds(1));
  testing::Probe<absl::Status> stopped("Stop");
  gone->Stop(StopMode::kAfterCurrent, stopped.Handler());
  cluster().RunFor(milliseconds(10));
  const TimePoint began = cluster().Now();
  EXPECT_EQ(CallStatus(to, kAdd, Add{}).code(), absl::StatusCode::kNotFound);
  EXPECT_GE(cluster().Now() - began, milliseconds(100));
  EXPECT_LE(cluster().Now() - began, milliseconds(200));
}

}  // namespace
}  // namespace grid::actors_test
