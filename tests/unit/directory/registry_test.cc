#include "grid/directory/registry.h"

#include <gtest/gtest.h>

#include <string>

namespace grid {
namespace {

using std::chrono::seconds;

Name N(std::string_view text) { return *Name::Parse(text); }

class RegistryTest : public ::testing::Test {
 protected:
  static constexpr TimePoint kStart{std::chrono::hours(1)};

  absl::Status Renew(Registry& registry, const std::string& member, uint64_t incarnation,
                     uint64_t holds = 0) {
    return registry.Renew({.member = member, .incarnation = incarnation, .holds = holds}, now_)
        .status();
  }
  absl::StatusOr<Entry> Register(Registry& registry, const std::string& member, uint64_t request,
                                 std::string_view name, uint64_t claim = 0) {
    return registry.Register(
        {.member = member, .incarnation = 1, .request = request, .name = N(name), .claim = claim},
        now_);
  }

  TimePoint now_ = kStart;
};

TEST_F(RegistryTest, TheSameCallAgain_IsAnsweredAsTheFirstTime) {
  Registry registry({});
  ASSERT_TRUE(Renew(registry, "a", 1).ok());
  const auto first = Register(registry, "a", 1, "r/k/a");
  const auto again = Register(registry, "a", 1, "r/k/a");
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(*first, *again);
  EXPECT_EQ(registry.Stats().registered, 1u);
  // By request, where the epoch was never learnt.
  EXPECT_TRUE(
      registry.Deregister({.member = "a", .incarnation = 1, .name = N("r/k/a"), .request = 1}, now_)
          .ok());
  EXPECT_EQ(registry.Stats().entries, 0u);
}

TEST_F(RegistryTest, WithoutASession_NothingIsHeld) {
  Registry registry({});
  EXPECT_TRUE(absl::IsAborted(Register(registry, "a", 1, "r/k/a").status()));
  ASSERT_TRUE(Renew(registry, "a", 1).ok());
  ASSERT_TRUE(Register(registry, "a", 1, "r/k/a").ok());
  now_ += seconds(15);
  EXPECT_TRUE(absl::IsAborted(Register(registry, "a", 2, "r/k/b").status()));
  EXPECT_EQ(registry.Stats().expired, 1u);
  EXPECT_EQ(registry.Stats().entries, 0u);
  EXPECT_FALSE(registry.NextExpiry().has_value());
}

TEST_F(RegistryTest, OlderIncarnations_AreReplacedAndStayAway) {
  Registry registry({});
  ASSERT_TRUE(Renew(registry, "a", 1).ok());
  ASSERT_TRUE(Register(registry, "a", 1, "r/k/a").ok());
  ASSERT_TRUE(Renew(registry, "a", 2).ok());
  EXPECT_EQ(registry.Stats().entries, 0u);
  EXPECT_EQ(registry.Stats().superseded, 1u);
  EXPECT_EQ(Renew(registry, "a", 1).code(), absl::StatusCode::kFailedPrecondition);
  // Calls of the one that has gone touch nothing of the new one's.
  registry.End({.member = "a", .incarnation = 1}, now_);
  EXPECT_EQ(registry.Stats().sessions, 1u);
}

TEST_F(RegistryTest, GraceTime_KeepsNamesForTheirHolders) {
  Registry registry({.last_epoch = 100, .grace_end = now_ + seconds(15)});
  ASSERT_TRUE(Renew(registry, "a", 1, 1).ok());
  ASSERT_TRUE(Renew(registry, "b", 1).ok());
  EXPECT_TRUE(absl::IsUnavailable(Register(registry, "b", 1, "r/k/a").status()));
  const auto claimed = Register(registry, "a", 1, "r/k/a", 50);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  EXPECT_EQ(claimed->epoch, 50u);
  EXPECT_EQ(registry.Stats().claimed, 1u);
  // One epoch, one registration.
  EXPECT_EQ(Register(registry, "a", 2, "r/k/x", 50).status().code(),
            absl::StatusCode::kInvalidArgument);
  now_ += seconds(14);
  ASSERT_TRUE(Renew(registry, "a", 1, 1).ok());
  ASSERT_TRUE(Renew(registry, "b", 1).ok());
  now_ += seconds(1);
  EXPECT_TRUE(absl::IsAlreadyExists(Register(registry, "b", 1, "r/k/a").status()));
  const auto fresh = Register(registry, "b", 2, "r/k/b");
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(fresh->epoch, 101u);
  // Too late: somebody else may have had it in between.
  EXPECT_TRUE(absl::IsNotFound(Register(registry, "a", 2, "r/k/c", 51).status()));
}

// A member that has not claimed what it held keeps everybody waiting, however often it renews.
TEST_F(RegistryTest, GraceTime_EndsEarlyWhenEveryMemberIsSettled) {
  Registry registry({.grace_end = now_ + seconds(15), .expected = {"a", "b"}});
  ASSERT_TRUE(Renew(registry, "a", 1, 1).ok());
  EXPECT_TRUE(registry.InGrace(now_));
  ASSERT_TRUE(Renew(registry, "b", 1).ok());
  EXPECT_TRUE(registry.InGrace(now_));
  ASSERT_TRUE(Register(registry, "a", 1, "r/k/a", 50).ok());
  EXPECT_TRUE(registry.InGrace(now_));
  ASSERT_TRUE(Renew(registry, "a", 1, 1).ok());
  EXPECT_FALSE(registry.InGrace(now_));
}

TEST_F(RegistryTest, EpochsThatMembersHaveSeen_AreNotGivenAgain) {
  Registry registry({.last_epoch = 10});
  ASSERT_TRUE(registry.Renew({.member = "a", .incarnation = 1, .seen_epoch = 99}, now_).ok());
  EXPECT_EQ(Register(registry, "a", 1, "r/k/a")->epoch, 100u);
  EXPECT_EQ(registry.Renew({.member = "a", .incarnation = 1, .seen_epoch = UINT64_MAX}, now_)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(RegistryTest, Flush_NamesWaitUntilTheirMembersAreBackOrTheirLeaseHasRunOut) {
  Registry registry({});
  for (const char* member : {"a", "b", "c"}) ASSERT_TRUE(Renew(registry, member, 1).ok());
  ASSERT_TRUE(Register(registry, "a", 1, "r/k/a").ok());
  ASSERT_TRUE(Register(registry, "b", 1, "r/k/b").ok());
  now_ += seconds(5);
  ASSERT_TRUE(Renew(registry, "c", 1).ok());
  EXPECT_EQ(registry.Flush(now_), 2u);
  EXPECT_EQ(registry.Stats().flushed, 2u);
  EXPECT_TRUE(registry.Resolve(Selector::Under(Path::Root()), now_).empty());
  // Who held nothing goes on, and waits.
  EXPECT_TRUE(absl::IsUnavailable(Register(registry, "c", 1, "r/k/a").status()));
  // However often the answer is lost.
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(absl::IsAborted(Renew(registry, "a", 1, 1)));
    EXPECT_TRUE(absl::IsAborted(Register(registry, "a", 2, "r/k/a").status()));
  }
  EXPECT_TRUE(Renew(registry, "a", 2).ok());
  EXPECT_TRUE(absl::IsUnavailable(Register(registry, "c", 1, "r/k/a").status()));
  now_ += seconds(10);
  EXPECT_TRUE(Register(registry, "c", 1, "r/k/a").ok());
  EXPECT_EQ(registry.Stats().expired, 1u);
}

TEST_F(RegistryTest, Flush_DuringTheGraceTime_LeavesNothingToBeClaimed) {
  Registry registry({.grace_end = now_ + seconds(15), .expected = {"a", "b"}});
  ASSERT_TRUE(Renew(registry, "a", 1, 1).ok());
  ASSERT_TRUE(Renew(registry, "b", 1).ok());
  EXPECT_EQ(registry.Flush(now_), 0u);
  EXPECT_TRUE(absl::IsNotFound(Register(registry, "a", 1, "r/k/a", 50).status()));
  EXPECT_TRUE(absl::IsUnavailable(Register(registry, "b", 1, "r/k/a").status()));
  // It knows, and says so.
  ASSERT_TRUE(Renew(registry, "a", 1, 0).ok());
  EXPECT_TRUE(Register(registry, "b", 1, "r/k/a").ok());
}

TEST_F(RegistryTest, LimitsAreNamedAndCounted) {
  Registry registry({.limits = {.max_entries = 1, .max_sessions = 2, .max_watches = 1}});
  ASSERT_TRUE(Renew(registry, "a", 1).ok());
  ASSERT_TRUE(Renew(registry, "b", 1).ok());
  const absl::Status session = Renew(registry, "c", 1);
  EXPECT_EQ(session.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(session.message(), "max_sessions (2) members are there");
  ASSERT_TRUE(Register(registry, "a", 1, "r/k/a").ok());
  EXPECT_EQ(Register(registry, "a", 2, "r/k/b").status().message(),
            "max_entries (1) names are held");
  const auto first = registry.StartWatch(
      Selector(), [] {}, now_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(registry
                .StartWatch(
                    Selector(), [] {}, now_)
                .status()
                .message(),
            "max_watches (1) are there");
  const RegistryStats stats = registry.Stats();
  EXPECT_EQ(stats.session_limit, 1u);
  EXPECT_EQ(stats.entry_limit, 1u);
  EXPECT_EQ(stats.watch_limit, 1u);
  EXPECT_EQ(stats.watches, 1u);
}

TEST_F(RegistryTest, WatchesAreTold_AndCoalesce) {
  Registry registry({.limits = {.max_watch_events = 2}});
  ASSERT_TRUE(Renew(registry, "a", 1).ok());
  int ready = 0;
  auto watch = registry.StartWatch(
      Selector::Under(*Path::Parse("r")), [&] { ++ready; }, now_);
  ASSERT_TRUE(watch.ok());
  EXPECT_EQ((*watch)->Take().kind, WatchEvent::Kind::kSnapshot);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(
        Register(registry, "a", static_cast<uint64_t>(i) + 1, "r/k/" + std::to_string(i)).ok());
  }
  EXPECT_EQ(ready, 4);
  const WatchEvent event = (*watch)->Take();
  EXPECT_EQ(event.kind, WatchEvent::Kind::kResynchronised);
  EXPECT_EQ(event.entries.size(), 4u);
  EXPECT_FALSE((*watch)->ready());
  watch->reset();
  EXPECT_EQ(registry.Stats().coalesced, 1u);
}

}  // namespace
}  // namespace grid
