// Gather, and Send to several: one message per member, results as they come, enough of them.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <set>

#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

using GatherTest = RecipientsTest;

// What the values of the results add up to.
int64_t Sum(const GatherResults<int64_t>& results) {
  return results.Fold(int64_t{0},
                      [](int64_t sum, const Target&, int64_t value) { return sum + value; });
}

TEST_F(GatherTest, OneMessagePerMember_EachTargetOnce) {
  std::vector<Registration> held;
  for (const char* name : {"r/k/1", "r/k/2", "r/k/3"}) held.push_back(Register("a", name));
  for (const char* name : {"r/k/4", "r/k/5"}) held.push_back(Register("b", name));
  post_->script = AnswerOne();
  // Names that come twice count once.
  const Selector twice =
      Selector::Of({N("r/k/1"), N("r/k/1"), N("r/k/2"), N("r/k/3"), N("r/k/4"), N("r/k/5")});
  for (const Selector& selector : {Under("r/k"), twice}) {
    post_->sent.clear();
    post_->messages = 0;
    const GatherResults<int64_t> results = GatherAll(To(selector, Routing::All()), 9);
    EXPECT_TRUE(results.status().ok()) << results.status();
    EXPECT_EQ(results.size(), 5u);
    EXPECT_EQ(Sum(results), 50);
    EXPECT_EQ(post_->messages, 2u);
    EXPECT_EQ(post_->sent.size(), 5u);
  }
  EXPECT_EQ(counters().gathers, 2u);
  EXPECT_EQ(counters().under_way, 0u);
}

TEST_F(GatherTest, Nobody) {
  const GatherResults<int64_t> results = GatherAll(To(Under("r/k"), Routing::All()));
  EXPECT_TRUE(results.status().ok());
  EXPECT_TRUE(results.empty());
  EXPECT_TRUE(Send(To(Under("r/k"), Routing::All())).ok());
  Gathering<int64_t> gathering = To(Under("r/k"), Routing::All()).Gather(kAdd, 1);
  for (int i = 0; i < 2; ++i) {
    const auto next = Next(gathering);
    EXPECT_TRUE(next.ok() && !next->has_value());
  }
}

TEST_F(GatherTest, ResultsComeOneByOne_AsTheyAreThere) {
  const auto held = RegisterRing(3);
  Gathering<int64_t> gathering = To(Under("r/k"), Routing::All()).Gather(kAdd, 1);
  ASSERT_TRUE(Run([&] { return post_->open() == 3; }, seconds(1)));
  for (const size_t i : {2, 0, 1}) {
    testing::Probe<absl::StatusOr<std::optional<TargetResult<int64_t>>>> next("Next");
    gathering.Next(next.Handler());
    EXPECT_FALSE(next.done());
    testing::Probe<absl::StatusOr<std::optional<TargetResult<int64_t>>>> second("second Next");
    gathering.Next(second.Handler());
    EXPECT_TRUE(absl::IsFailedPrecondition(second.value().status()));
    post_->sent[i].complete(i == 0 ? LetterOutcome(Unreachable()) : Number(int64_t(i)));
    if (i == 0) {
      // Tried again first.
      ASSERT_TRUE(Run([&] { return post_->sent.size() == 4; }, seconds(5)));
      post_->sent[3].complete(
          Failure(Delivery::kExecuted, absl::StatusCode::kOutOfRange, "too much"));
    }
    ASSERT_TRUE(next.done());
    ASSERT_TRUE(next.value().ok() && next.value()->has_value());
    const TargetResult<int64_t>& result = **next.value();
    EXPECT_EQ(result.target.member, "m" + std::to_string(i));
    EXPECT_EQ(result.value.ok(), i != 0);
    if (i == 0) {
      EXPECT_EQ(DeliveryOf(result.value.status()), Delivery::kExecuted);
    }
  }
  EXPECT_FALSE(Next(gathering)->has_value());
}

TEST_F(GatherTest, Coroutines) {
  const auto held = RegisterRing(3);
  post_->script = AnswerOne();
  const Recipients to = To(Under("r/k"), Routing::All());
  int64_t sum = 0;
  bool done = false;
  asio::co_spawn(
      io_,
      [&]() -> asio::awaitable<void> {
        Gathering<int64_t> gathering = to.Gather(kAdd, 1);
        for (;;) {
          const auto next = co_await gathering.Next();
          if (!next.ok() || !next->has_value()) break;
          sum += *(*next)->value;
        }
        const GatherResults<int64_t> all = co_await to.GatherAll(kAdd, 1);
        sum += Sum(all);
        done = true;
      },
      asio::detached);
  ASSERT_TRUE(Run([&] { return done; }, seconds(1)));
  EXPECT_EQ(sum, 12);
}

TEST_F(GatherTest, FanOutIsBounded) {
  Open({.max_fan_out = 2});
  const auto held = RegisterRing(5);
  testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
  To(Under("r/k"), Routing::All()).GatherAll(kAdd, 1, gathered.Handler());
  RunFor(milliseconds(10));
  for (size_t done = 0; done < 5; ++done) {
    EXPECT_EQ(post_->open(), std::min<size_t>(2, 5 - done));
    post_->sent[done].complete(Number(1));
  }
  ASSERT_TRUE(gathered.done());
  EXPECT_EQ(Sum(gathered.value()), 5);
  EXPECT_EQ(counters().fan_out_limit, 3u);
}

TEST_F(GatherTest, First_TheOthersAreCancelled_AndNoFailures) {
  const auto held = RegisterRing(5);
  testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
  To(Under("r/k"), Routing::First(2)).GatherAll(kAdd, 1, gathered.Handler());
  ASSERT_TRUE(Run([&] { return post_->open() == 5; }, seconds(1)));
  post_->sent[1].complete(Failure(Delivery::kExecuted, absl::StatusCode::kAborted));
  post_->sent[4].complete(Number(4));
  EXPECT_FALSE(gathered.done());
  post_->sent[2].complete(Number(2));
  ASSERT_TRUE(gathered.done());
  const GatherResults<int64_t>& results = gathered.value();
  EXPECT_TRUE(results.status().ok());
  EXPECT_EQ(results.succeeded(), (std::vector<Name>{N("r/k/2"), N("r/k/4")}));
  EXPECT_EQ(results.failed(), std::vector<Name>{N("r/k/1")});
  EXPECT_EQ(results.cancelled(), 2u);
  EXPECT_TRUE(post_->sent[0].cancelled && post_->sent[3].cancelled);
  EXPECT_EQ(counters().under_way, 0u);
  EXPECT_EQ(counters().targets_failed, 0u);

  // To Send it is enough, too, whatever else has failed; too few are not.
  post_->script = [](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.name.key() < "3") return Number(1);
    return Failure(Delivery::kExecuted, absl::StatusCode::kAborted, "no");
  };
  EXPECT_TRUE(Send(To(Under("r/k"), Routing::First(3))).ok());
  const absl::Status sent = Send(To(Under("r/k"), Routing::First(4)));
  EXPECT_TRUE(absl::IsAborted(sent)) << sent;
  EXPECT_EQ(sent.message().substr(0, 13), "2 of 5 failed") << sent;
  EXPECT_EQ(DeliveryOf(sent), Delivery::kExecuted);
}

TEST_F(GatherTest, MoreThanThereAre_FirstTakesAll) {
  const auto held = RegisterRing(2);
  post_->script = AnswerOne();
  EXPECT_EQ(GatherAll(To(Under("r/k"), Routing::First(3))).size(), 2u);
  EXPECT_TRUE(Send(To(Under("r/k"), Routing::First(3))).ok());
}

TEST_F(GatherTest, ExceptSuccesses_UntilAllHave) {
  const auto held = RegisterRing(6);
  std::map<std::string, int> runs;
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    // r/k/<n> succeeds at the n-th time.
    const int run = ++runs[sent.target.name.text()];
    if (run >= std::stoi(std::string(sent.target.name.key()))) return Number(run);
    return Failure(Delivery::kExecuted, absl::StatusCode::kAborted);
  };
  GatherResults<int64_t> all;
  int rounds = 0;
  do {
    all.Merge(GatherAll(To(Under("r/k").Except(all.succeeded()), Routing::All())));
    ASSERT_LE(++rounds, 5);
  } while (!all.failed().empty());
  EXPECT_EQ(rounds, 5);
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(Sum(all), 1 + 1 + 2 + 3 + 4 + 5);
}

TEST_F(GatherTest, Merge_DropsFailuresOfWhoHoldsTheNameNoMore) {
  std::optional<Registration> first = Register("a", "r/k/1");
  post_->script = [](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.member == "b") return Number(1);
    return Failure(Delivery::kExecuted, absl::StatusCode::kAborted);
  };
  const Recipients to = To(Under("r/k"), Routing::All());
  GatherResults<int64_t> all = GatherAll(to);
  EXPECT_EQ(all.failed().size(), 1u);
  first.reset();
  RunFor(milliseconds(10));
  const Registration second = Register("b", "r/k/1");
  all.Merge(GatherAll(to));
  EXPECT_TRUE(all.failed().empty());
  EXPECT_EQ(all.size(), 1u);
}

TEST_F(GatherTest, OnePerNextSegment_OneOfEachVersion) {
  std::vector<Registration> held;
  for (const char* name : {"r/k/1.0/x", "r/k/1.0/y", "r/k/1.1/x"}) {
    held.push_back(Register("a", name));
  }
  held.push_back(Register("b", "r/k/2.0"));
  post_->script = AnswerOne();
  const GatherResults<int64_t> results = GatherAll(To(Under("r/k"), Routing::OnePerNextSegment()));
  EXPECT_EQ(results.size(), 3u);
  EXPECT_EQ(post_->Names(), (std::vector<std::string>{"r/k/1.0/x", "r/k/1.1/x", "r/k/2.0"}));
  EXPECT_EQ(post_->messages, 2u);
}

TEST_F(GatherTest, OnePerNextSegment_WhoFailsIsReplacedByAnotherOfItsGroup) {
  const Registration x = Register("a", "r/k/1.0/x"), y = Register("b", "r/k/1.0/y");
  const Registration other = Register("c", "r/k/1.1/x");
  for (const absl::Status& failure : {Unreachable(), ClosedError("r/k/1.0/x")}) {
    post_->sent.clear();
    post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
      if (sent.target.member == "a") return failure;
      return Number(1);
    };
    const auto results = GatherAll(To(Under("r/k"), Routing::OnePerNextSegment()));
    EXPECT_EQ(results.succeeded(), (std::vector<Name>{N("r/k/1.0/y"), N("r/k/1.1/x")})) << failure;
    EXPECT_EQ(post_->Names(), (std::vector<std::string>{"r/k/1.0/x", "r/k/1.1/x", "r/k/1.0/y"}));
  }
}

TEST_F(GatherTest, OnePerNextSegment_SoIsWhoIsNotThereAnyMore) {
  const Registration x = Register("a", "r/k/1.0/x"), y = Register("b", "r/k/1.0/y");
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.member == "b") return Number(1);
    return NoSuchTargetError(sent.target.name.text(), sent.target.epoch, 0);
  };
  const auto results = GatherAll(To(Under("r/k"), Routing::OnePerNextSegment()));
  EXPECT_EQ(results.succeeded(), std::vector<Name>{N("r/k/1.0/y")});
}

// Where the callee remembers, only that member knows what came of it.
TEST_F(GatherTest, OnePerNextSegment_WhatMayHaveRunStaysWithItsMember) {
  const Registration x = Register("a", "r/k/1.0/x"), y = Register("b", "r/k/1.0/y");
  CallPolicy policy;
  policy.retry_maybe_executed = true;
  policy.deduplicate = seconds(30);
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.message > 0) return Number(1);
    return DisconnectedError("lost", Delivery::kMaybeExecuted);
  };
  const auto results = GatherAll(To(Under("r/k"), Routing::OnePerNextSegment(), policy));
  EXPECT_EQ(results.succeeded().size(), 1u);
  ASSERT_EQ(post_->sent.size(), 2u);
  EXPECT_EQ(post_->sent[0].target, post_->sent[1].target);
  EXPECT_EQ(post_->sent[0].call, post_->sent[1].call);
}

TEST_F(GatherTest, EachTargetIsTriedAgainByThePolicy_ThoseOfAMemberTogether) {
  std::vector<Registration> held;
  for (const char* name : {"r/k/1", "r/k/2", "r/k/3"}) held.push_back(Register("a", name));
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.name.key() == "2") return Number(2);
    if (sent.target.name.key() == "3" && sent.message == 2) return Number(3);
    return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted, "full");
  };
  const GatherResults<int64_t> results = GatherAll(To(Under("r/k"), Routing::All()));
  EXPECT_EQ(results.size(), 3u);
  EXPECT_EQ(results.failed(), std::vector<Name>{N("r/k/1")});
  EXPECT_EQ(post_->messages, 3u);
  EXPECT_EQ(post_->sent.size(), 3u + 2u + 2u);
  EXPECT_EQ(counters().retries, 4u);
  const absl::Status status = results.results().begin()->second.status();
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  EXPECT_NE(status.message().find("r/k/1 at a, attempt 3"), absl::string_view::npos) << status;
}

TEST_F(GatherTest, NoSuchTarget_WhoeverHoldsTheNameIsAsked_Once) {
  std::optional<Registration> first = Register("a", "r/k/1");
  const Registration other = Register("c", "r/k/2");
  const Recipients to = To(Under("r/k"), Routing::All(), P("attempts=1"));
  post_->script = [&](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.target.member == "b") return Number(1);
    return std::nullopt;
  };
  testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
  to.GatherAll(kAdd, 1, gathered.Handler());
  ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
  // One has moved, the other one is where it was, but its member does not know it.
  first.reset();
  const Registration second = Register("b", "r/k/1");
  for (size_t i = 0; i < 2; ++i) {
    post_->sent[i].complete(
        NoSuchTargetError(post_->sent[i].target.name.text(), post_->sent[i].target.epoch, 0));
  }
  ASSERT_TRUE(Run([&] { return post_->sent.size() == 4; }, seconds(1)));
  EXPECT_EQ(post_->open(), 1u);
  for (auto& sent : post_->sent) {
    sent.complete(NoSuchTargetError(sent.target.name.text(), sent.target.epoch, 0));
  }
  ASSERT_TRUE(gathered.done());
  EXPECT_EQ(gathered.value().succeeded(), std::vector<Name>{N("r/k/1")});
  EXPECT_EQ(gathered.value().failed(), std::vector<Name>{N("r/k/2")});
  EXPECT_EQ(counters().refreshed, 2u);
}

TEST_F(GatherTest, WhatMayHaveRun_IsRepeatedOnlyWhereItIsRemembered) {
  for (const bool remembered : {false, true}) {
    std::optional<Registration> first = Register("a", "r/k/1");
    post_->sent.clear();
    post_->script = [](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
      if (sent.target.member == "b") return Number(1);
      return std::nullopt;
    };
    const char* policy = remembered ? "retry=maybe-executed dedup=5s" : "retry=maybe-executed";
    testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
    To(Under("r/k"), Routing::All(), P(policy)).GatherAll(kAdd, 1, gathered.Handler());
    ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
    post_->sent[0].complete(Failure(Delivery::kMaybeExecuted, absl::StatusCode::kUnavailable));
    ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
    first.reset();
    const Registration second = Register("b", "r/k/1");
    post_->sent[1].complete(NoSuchTargetError("r/k/1", post_->sent[1].target.epoch, 0));
    ASSERT_TRUE(Run([&] { return gathered.done(); }, seconds(1)));
    ASSERT_EQ(gathered.value().size(), 1u);
    const auto& value = gathered.value().begin()->second;
    EXPECT_EQ(value.ok(), !remembered);
    if (remembered) {
      EXPECT_EQ(DeliveryOf(value.status()), Delivery::kMaybeExecuted);
    }
  }
}

TEST_F(GatherTest, DeduplicatedMessagesToHoldersOfOneNameHaveIdsOfTheirOwn) {
  std::vector<Registration> held;
  for (int i = 0; i < 2; ++i) held.push_back(Register("a", "r/k/1", Holding::kShared));
  held.push_back(Register("a", "r/k/2"));
  post_->script = AnswerOne();
  const auto results = GatherAll(To(Under("r/k"), Routing::All(), P("dedup=5s")));
  EXPECT_EQ(results.size(), 3u);
  EXPECT_EQ(post_->messages, 2u);
  std::map<std::string, std::set<uint64_t>> ids;
  for (const auto& sent : post_->sent) ids[sent.target.name.text()].insert(sent.call);
  EXPECT_EQ(ids["r/k/1"].size(), 2u);
  EXPECT_EQ(ids["r/k/1"].count(0), 0u);
}

}  // namespace
}  // namespace grid
