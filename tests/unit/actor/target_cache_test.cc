// TargetCache, by what handles do: when the directory is asked, what a watch changes, limits.
#include "grid/actor/actor_options.h"
#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

using TargetCacheTest = RecipientsTest;

TEST_F(TargetCacheTest, OneUseDoesNotWatch_TwoDo_ThenTheDirectoryIsNotAskedAnyMore) {
  const Registration held = Register("a", "r/k/1");
  post_->script = AnswerOne();
  const Recipients to = To(Under("r/k"));
  EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(counters().watches, 0u);
  EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(counters().watches, 1u);
  RunFor(milliseconds(1));
  const uint64_t resolved = counters().resolved;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(counters().resolved, resolved);
  EXPECT_EQ(At("self").Stats().watches, 1u);
}

TEST_F(TargetCacheTest, CopiesAreOneHandle_TheWatchEndsWithTheLast) {
  const Registration held = Register("a", "r/k/1");
  std::optional<Recipients> to = To(Under("r/k"));
  const std::optional<Recipients> copy = to;
  Warm(*to);
  EXPECT_EQ(counters().watches, 1u);
  to.reset();
  post_->script = AnswerOne();
  EXPECT_TRUE(Call(*copy).ok());
  EXPECT_EQ(counters().watches, 1u);
  const_cast<std::optional<Recipients>&>(copy).reset();
  RunFor(milliseconds(1));
  EXPECT_EQ(counters().watches, 0u);
  EXPECT_EQ(At("self").Stats().watches, 0u);
}

TEST_F(TargetCacheTest, FirstCallsShareAQuestion) {
  const Registration held = Register("a", "r/k/1");
  post_->script = AnswerOne();
  const Recipients to = To(Under("r/k"));
  std::vector<testing::Probe<Called>> calls;
  for (int i = 0; i < 100; ++i) {
    calls.emplace_back("call");
    to.Call(kAdd, i, calls.back().Handler());
  }
  RunFor(milliseconds(1));
  for (auto& call : calls) EXPECT_TRUE(call.value().ok());
  EXPECT_EQ(counters().resolved, 2u);
}

TEST_F(TargetCacheTest, TheWatchTellsWhoComesAndGoes) {
  std::vector<Registration> held = RegisterRing(2);
  post_->script = AnswerOne();
  const Recipients to = To(Under("r/k"), Routing::All());
  Warm(to);
  EXPECT_EQ(GatherAll(to).size(), 2u);
  held.push_back(Register("m2", "r/k/2"));
  RunFor(milliseconds(1));
  EXPECT_EQ(GatherAll(to).size(), 3u);
  Update(held[0], {{kDraining, "true"}});
  EXPECT_EQ(GatherAll(to).size(), 2u);
  held.pop_back();
  RunFor(milliseconds(1));
  EXPECT_EQ(GatherAll(to).size(), 1u);
}

TEST_F(TargetCacheTest, AFailedTargetLeavesTheRotation_AndComesBackByAWatchEvent) {
  std::vector<Registration> held = RegisterRing(3);
  const Recipients to = To(Under("r/k"), Routing::RoundRobin());
  Warm(to);
  bool down = true;
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (down && sent.target.member == "m1") return Unreachable();
    return Number(1);
  };
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(Call(to).ok());
  const auto asked = [&] {
    const auto names = post_->Names();
    return std::count(names.begin(), names.end(), "r/k/1");
  };
  EXPECT_EQ(asked(), 1);
  EXPECT_EQ(counters().targets_failed, 1u);
  EXPECT_EQ(counters().retries, 1u);
  down = false;
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(asked(), 1);
  Update(held[1], {{"load", "3"}});
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(asked(), 11);
}

// Known again, by a connection to its member.
TEST_F(TargetCacheTest, AFailedTargetIsBackOnceItsMemberIsConnected) {
  std::vector<Registration> held = RegisterRing(3);
  std::vector<Recipients> handles;
  bool down = true;
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (down && sent.target.member == "m1") return Unreachable();
    return Number(1);
  };
  for (int i = 0; i < 3; ++i) {
    handles.push_back(To(Under("r/k"), Routing::RoundRobin()));
    Warm(handles[i]);
  }
  for (const Recipients& to : handles) {
    for (int call = 0; call < 12; ++call) EXPECT_TRUE(Call(to).ok());
  }
  const auto asked = [&] {
    const auto names = post_->Names();
    return std::count(names.begin(), names.end(), "r/k/1");
  };
  EXPECT_EQ(asked(), 3);
  EXPECT_EQ(post_->when_connected["m1"].size(), 1u) << "all handles wait for it together";
  handles.pop_back();
  down = false;
  post_->Connect("m1");
  for (const Recipients& to : handles) {
    for (int call = 0; call < 3; ++call) EXPECT_TRUE(Call(to).ok());
  }
  EXPECT_EQ(asked(), 5);

  // Another time it never comes back: the handle goes on without it, and waits for it again.
  down = true;
  for (int call = 0; call < 6; ++call) EXPECT_TRUE(Call(handles[0]).ok());
  post_->Connect("m1", absl::CancelledError("shut down"));
  for (int call = 0; call < 6; ++call) EXPECT_TRUE(Call(handles[0]).ok());
  EXPECT_EQ(asked(), 6);
}

// A mailbox that is closed is not one that can't be reached: it never opens again.
TEST_F(TargetCacheTest, AClosedTargetIsNotTriedAgain_NotEvenAsTheOnlyOne) {
  const Registration held = Register("m0", "r/k/0");
  const Recipients to = To(Under("r/k"), {}, P("handover=off"));
  Warm(to);
  post_->script = [](const FakePost::Sent& sent) -> LetterOutcome {
    return ClosedError(sent.target.name.text());
  };
  const absl::Status status = Call(to).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  EXPECT_EQ(post_->sent.size(), 1u);
  EXPECT_TRUE(post_->when_connected.empty());
}

TEST_F(TargetCacheTest, AFailedTargetThatAnswersIsBack) {
  std::vector<Registration> held = RegisterRing(2);
  const Recipients to = To(Under("r/k"), Routing::All(), P("attempts=2"));
  Warm(to);
  int failures = 1;
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.member == "m1" && failures-- > 0) return Unreachable();
    return Number(1);
  };
  EXPECT_TRUE(GatherAll(to).failed().empty());
  EXPECT_EQ(counters().targets_failed, 1u);
  EXPECT_EQ(post_->sent.size(), 3u);
}

TEST_F(TargetCacheTest, TheOnlyOneIsStillTried) {
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Under("r/k"), {}, P("attempts=1"));
  Warm(to);
  post_->script = [](const FakePost::Sent&) { return Unreachable(); };
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Call(to).ok());
  EXPECT_EQ(post_->sent.size(), 3u);
  post_->script = AnswerOne();
  EXPECT_TRUE(Call(to).ok());
}

TEST_F(TargetCacheTest, BeyondMaxHandlesEachUseAsks) {
  Open({.max_handles = 1});
  const Registration held = Register("a", "r/k/1");
  const Recipients watching = To(Under("r/k")), asking = To(Selector::Of({N("r/k/1")}));
  Warm(watching);
  post_->script = AnswerOne();
  const uint64_t resolved = counters().resolved;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Call(asking).ok());
  EXPECT_EQ(counters().resolved - resolved, 5u);
  EXPECT_EQ(counters().handle_limit, 4u);
  EXPECT_EQ(counters().watches, 1u);
}

TEST_F(TargetCacheTest, WithoutAWatchWhoFailedLeavesAsWell) {
  Open({.max_handles = 0});
  const auto held = RegisterRing(3);
  const Recipients to = To(Under("r/k"));
  post_->script = [&](const FakePost::Sent& sent) -> LetterOutcome {
    if (sent.target.member == "m1") return Unreachable();
    return Number(1);
  };
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(post_->sent.size(), 13u);
}

TEST_F(TargetCacheTest, ALostDirectory_TheWatchedOnesAreKept) {
  const Registration held = Register("a", "r/k/1");
  const Recipients to = To(Under("r/k"));
  Warm(to);
  table_.SetReachable("self", false);
  RunFor(seconds(5));
  post_->script = AnswerOne();
  EXPECT_TRUE(Call(to).ok());
  table_.SetReachable("self", true);
  RunFor(seconds(5));
  const Registration more = Register("b", "r/k/2");
  RunFor(seconds(1));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Call(to).ok());
  EXPECT_EQ(post_->Names().back() == "r/k/2" || post_->sent[1].target.member == "b", true);
}

}  // namespace
}  // namespace grid
