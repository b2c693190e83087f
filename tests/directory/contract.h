// The contract of a directory: what each backend must do, as tests. Each kind of tests includes
// this once and says how to make a World of its backend:
//
//   INSTANTIATE_TEST_SUITE_P(Local, DirectoryContract, ::testing::Values(&MakeLocalWorld));
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_H_

#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/directory/contract_watching.h"
#include "tests/directory/world.h"

namespace grid {

// --- Holding ---

TEST_P(DirectoryContract, ExclusiveMeansOne) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->token().valid());
  for (const Holding holding : {Holding::kExclusive, Holding::kShared}) {
    const Held second = Register(1, "r/k/a", holding);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    const auto holder = HolderOf(second.status());
    ASSERT_TRUE(holder.has_value()) << second.status();
    EXPECT_EQ(holder->member, world().MemberName(0));
    EXPECT_EQ(holder->epoch, first->epoch());
    EXPECT_EQ(holder->incarnation, first->entry().incarnation);
  }
  EXPECT_TRUE(first->token().valid());
  EXPECT_EQ(Names(2, Only("r/k/a")), "r/k/a");
}

TEST_P(DirectoryContract, SharedMeansMany_AlsoOfOneMember) {
  Make();
  std::vector<Registration> held;
  for (const int member : {0, 1, 1}) {
    Held one = Register(member, "r/k/a", Holding::kShared, {{"n", std::to_string(held.size())}});
    ASSERT_TRUE(one.ok()) << one.status();
    held.push_back(*std::move(one));
  }
  EXPECT_EQ(Names(2, Only("r/k/a")), "r/k/a r/k/a r/k/a");
  EXPECT_EQ(Register(2, "r/k/a").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Release(held[1]).ok());
  const absl::StatusOr<Resolution> left = Resolve(2, Only("r/k/a"));
  ASSERT_TRUE(left.ok() && left->entries.size() == 2);
  EXPECT_EQ(left->entries[0].attributes.at("n"), "0");
  EXPECT_EQ(left->entries[1].attributes.at("n"), "2");
}

TEST_P(DirectoryContract, EpochsGrow) {
  Make();
  uint64_t last = 0;
  for (int round = 0; round < 6; ++round) {
    Held held = Register(round % World::kMembers, round % 2 == 0 ? "r/k/a" : "r/k/b");
    ASSERT_TRUE(held.ok()) << held.status();
    EXPECT_GT(held->epoch(), last);
    last = held->epoch();
    EXPECT_TRUE(Release(*held).ok());
  }
}

TEST_P(DirectoryContract, TwoStartersOfOneName_OneWins_TheOtherIsToldWhoHoldsIt) {
  Make();
  testing::Probe<Held> first("first"), second("second");
  At(0).Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0), first.Handler());
  At(1).Register(N("r/k/a"), Holding::kExclusive, {}, milliseconds(0), second.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return first.done() && second.done(); }, seconds(30)));
  ASSERT_NE(first.value().ok(), second.value().ok());
  const bool first_won = first.value().ok();
  const auto holder = HolderOf((first_won ? second : first).value().status());
  ASSERT_TRUE(holder.has_value());
  EXPECT_EQ(holder->member, world().MemberName(first_won ? 0 : 1));
}

TEST_P(DirectoryContract, DuplicateStartOnTheSameMember_LeavesTheFirstAliveAndRegistered) {
  Make();
  const Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok()) << first.status();
  {
    const Held second = Register(0, "r/k/a");
    ASSERT_TRUE(HolderOf(second.status()).has_value()) << second.status();
    EXPECT_EQ(HolderOf(second.status())->epoch, first->epoch());
  }
  world().RunFor(seconds(1));
  EXPECT_TRUE(first->token().valid());
  EXPECT_EQ(Names(1, Only("r/k/a")), "r/k/a");
}

TEST_P(DirectoryContract, DroppingARegistration_GivesTheNameBackAtOnce) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const LeaseToken token = held->token();
  int lost = 0;
  token.OnLost([&] { ++lost; });
  held = absl::NotFoundError("dropped");
  ASSERT_TRUE(world().RunUntil([&] { return lost == 1; }, seconds(5)));
  EXPECT_FALSE(token.valid());
  const TimePoint dropped = world().Now();
  // The word of it may be on its way.
  const Held next = RegisterOnceFree(1, "r/k/a", lease());
  EXPECT_TRUE(next.ok()) << next.status();
  EXPECT_LT(world().Now() - dropped, lease() / 3);
}

TEST_P(DirectoryContract, DeregisteringNeverRemovesSomebodyElsesEntry) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  world().Cut(0);
  ASSERT_TRUE(world().RunUntil([&] { return !first->token().valid(); }, lease()));
  const Held second = RegisterOnceFree(1, "r/k/a", lease() * 2);
  ASSERT_TRUE(second.ok()) << second.status();
  world().Heal(0);
  Ready(0);
  first = absl::NotFoundError("dropped");
  world().RunFor(lease());
  EXPECT_TRUE(second->token().valid());
  EXPECT_EQ(Names(2, Only("r/k/a")), "r/k/a");
}

TEST_P(DirectoryContract, Attributes_AreReplacedAndSeen) {
  Make();
  Held held = Register(0, "r/k/a", Holding::kShared, {{"version", "1.0"}});
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(Names(1, Under("r").Where("version", "1.1")), "");
  EXPECT_TRUE(Update(*held, {{"version", "1.1"}, {"odd", std::string("\0\"\xff", 3)}}).ok());
  EXPECT_EQ(held->entry().attributes.at("version"), "1.1");
  const absl::StatusOr<Resolution> found = Resolve(1, Under("r").Where("version", "1.1"));
  ASSERT_TRUE(found.ok() && found->entries.size() == 1);
  EXPECT_EQ(found->entries[0], held->entry());
  EXPECT_EQ(Update(*held, {{"", "x"}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Register(0, "r/k/b", Holding::kShared, {{"", "x"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const LeaseToken token = held->token();
  EXPECT_TRUE(Release(*held).ok());
  EXPECT_EQ(token.why().code(), absl::StatusCode::kCancelled);
}

TEST_P(DirectoryContract, Selectors_MeanWholeSegments_AttributesAndExceptions) {
  Make();
  std::vector<Registration> held;
  for (const char* name : {"r/p/1", "r/p/2", "r/pingers/1", "r/p-q/1", "rr/p/1"}) {
    Held one = Register(0, name, Holding::kShared,
                        {{"last", name[std::strlen(name) - 1] + std::string()}});
    ASSERT_TRUE(one.ok());
    held.push_back(*std::move(one));
  }
  EXPECT_EQ(Names(1, Under("r/p")), "r/p/1 r/p/2");
  EXPECT_EQ(Names(1, Under("r")), "r/p-q/1 r/p/1 r/p/2 r/pingers/1");
  EXPECT_EQ(Names(1, Under("r/p/2")), "r/p/2");
  EXPECT_EQ(Names(1, Under("r").Where("last", "1").Except({N("r/pingers/1")})), "r/p-q/1 r/p/1");
  EXPECT_EQ(Names(1, Selector::Of({N("rr/p/1"), N("r/p/2"), N("none/of/these")})), "r/p/2 rr/p/1");
  EXPECT_EQ(Names(1, Selector()), "");
}

// --- Leases ---

TEST_P(DirectoryContract, LostLease_IsAnEvent_TheTokenFiresAThirdOfTheLeaseEarly) {
  Make();
  Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  const LeaseToken token = first->token();
  const uint64_t epoch = first->epoch(), incarnation = first->entry().incarnation;
  std::optional<TimePoint> fired;
  token.OnLost([&] { fired = world().Now(); });
  world().Cut(0);
  const TimePoint cut = world().Now();
  ASSERT_TRUE(world().RunUntil([&] { return fired.has_value(); }, lease()));
  EXPECT_LE(*fired - cut, lease() * 2 / 3 + milliseconds(100));
  EXPECT_FALSE(token.valid());
  EXPECT_EQ(token.why().code(), absl::StatusCode::kDeadlineExceeded);
  // Nobody else has it for another third.
  EXPECT_TRUE(HolderOf(Register(1, "r/k/a").status()).has_value());
  const Held second = RegisterOnceFree(1, "r/k/a", lease() * 2);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GE(world().Now() - *fired, lease() / 3 - milliseconds(100));
  EXPECT_LE(world().Now() - cut, lease() * 3 / 2);
  EXPECT_GT(second->epoch(), epoch);
  // The same process goes on, as a new incarnation.
  world().Heal(0);
  const Held again = Register(0, "r/k/b");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->entry().incarnation, incarnation);
  EXPECT_GT(again->epoch(), second->epoch());
  EXPECT_GE(At(0).Stats().lapsed, 1u);
  EXPECT_EQ(At(0).Stats().lost, 1u);
}

TEST_P(DirectoryContract, MemberThatComesBackInTime_LosesNothing) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().Cut(0);
  world().RunFor(lease() / 4);
  world().Heal(0);
  world().RunFor(lease() * 2);
  EXPECT_TRUE(held->token().valid());
  EXPECT_EQ(Names(1, Only("r/k/a")), "r/k/a");
}

// Its lease has not run out at the directory when it is back; the name it gave up is free at once.
TEST_P(DirectoryContract, MemberThatComesBackLate_HasGivenItsNamesUp) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  world().Cut(0);
  ASSERT_TRUE(world().RunUntil([&] { return !held->token().valid(); }, lease()));
  world().RunFor(milliseconds(20));
  world().Heal(0);
  Ready(0);
  EXPECT_FALSE(held->token().valid());
  const Held other = Register(1, "r/k/a");
  EXPECT_TRUE(other.ok()) << other.status();
}

TEST_P(DirectoryContract, KilledMember_LosesItsNamesWithTheLease) {
  Make();
  const Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  Watcher watcher = Watch(1, Only("r/k/a"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  const TimePoint killed = world().Now();
  world().Kill(0);
  EXPECT_EQ(NextText(watcher), "removed r/k/a");
  EXPECT_GE(world().Now() - killed, lease() / 2);
  EXPECT_LE(world().Now() - killed, lease() * 3 / 2);
  EXPECT_TRUE(Register(1, "r/k/a").ok());
}

TEST_P(DirectoryContract, RestartOnTheSameAddressWithinASecond_Works) {
  Make();
  const Held first = Register(0, "r/k/a");
  ASSERT_TRUE(first.ok());
  const uint64_t epoch = first->epoch(), incarnation = first->entry().incarnation;
  world().Kill(0);
  world().RunFor(milliseconds(200));
  world().Start(0);
  const TimePoint started = world().Now();
  Ready(0);
  const Held second = Register(0, "r/k/a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_LT(world().Now() - started, lease() / 2);
  EXPECT_GT(second->epoch(), epoch);
  EXPECT_GT(second->entry().incarnation, incarnation);
}

TEST_P(DirectoryContract, Stop_GivesEverythingBackAtOnce) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  Watcher watcher = Watch(0, Under("r"));
  EXPECT_EQ(NextText(watcher), "snapshot r/k/a");
  testing::Probe<absl::Status> stopped("Stop");
  testing::Probe<absl::StatusOr<WatchEvent>> next("Next");
  watcher.Next(next.Handler());
  At(0).Stop(stopped.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return stopped.done(); }, seconds(5)));
  EXPECT_TRUE(stopped.value().ok());
  EXPECT_EQ(next.value().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(held->token().why().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Register(0, "r/k/b").status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Names(1, Under("r")), "");
  EXPECT_TRUE(Register(1, "r/k/a").ok());
}

// --- The directory itself ---

TEST_P(DirectoryContract, DownAtStart_IsAnErrorThatSaysSo) {
  Make();
  world().KillServer();
  world().Kill(0);
  world().Start(0);
  testing::Probe<absl::Status> ready("WaitReady");
  At(0).WaitReady(seconds(3), ready.Handler());
  ASSERT_TRUE(world().RunUntil([&] { return ready.done(); }, seconds(10)));
  EXPECT_EQ(ready.value().code(), absl::StatusCode::kDeadlineExceeded) << ready.value();
  EXPECT_GT(ready.value().message().size(), std::strlen("not done in time: "));
  const Held held = Register(0, "r/k/a", Holding::kExclusive, {}, seconds(2));
  EXPECT_EQ(held.status().code(), absl::StatusCode::kDeadlineExceeded) << held.status();
  world().StartServer();
  Ready(0);
  EXPECT_TRUE(Register(0, "r/k/a").ok());
}

TEST_P(DirectoryContract, DownLater_IsRiddenOut) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const uint64_t epoch = held->epoch();
  EXPECT_EQ(Names(1, Under("r")), "r/k/a");
  world().KillServer();
  const TimePoint killed = world().Now();
  // Reads come from what was seen, writes wait to their deadline.
  const absl::StatusOr<Resolution> seen = Resolve(1, Under("r"));
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->stale);
  EXPECT_EQ(Text(seen->entries), "r/k/a");
  EXPECT_EQ(Register(1, "r/k/b", Holding::kShared, {},
                     lease() / 15 > milliseconds(500) ? milliseconds(1000) : milliseconds(500))
                .status()
                .code(),
            absl::StatusCode::kDeadlineExceeded);
  testing::Probe<Held> waiting("waiting");
  At(2).Register(N("r/k/c"), Holding::kExclusive, {}, seconds(60), waiting.Handler());
  world().RunFor(milliseconds(100));
  EXPECT_FALSE(waiting.done());
  ASSERT_LT(world().Now() - killed, lease() / 2);
  world().StartServer();
  ASSERT_TRUE(world().RunUntil([&] { return waiting.done(); }, seconds(30)));
  EXPECT_TRUE(waiting.value().ok()) << waiting.value().status();
  // The holder has kept its name all along.
  world().RunFor(lease() * 2);
  EXPECT_TRUE(held->token().valid()) << held->token().why();
  EXPECT_EQ(held->epoch(), epoch);
  EXPECT_EQ(Register(1, "r/k/a").status().code(), absl::StatusCode::kAlreadyExists);
  // What was given up in between is not held.
  EXPECT_EQ(Names(2, Under("r")), "r/k/a r/k/c");
  const absl::StatusOr<Resolution> fresh = Resolve(1, Under("r"));
  ASSERT_TRUE(fresh.ok());
  EXPECT_FALSE(fresh->stale);
  EXPECT_EQ(At(1).Stats().stale, 1u);
}

TEST_P(DirectoryContract, DownForLong_EveryLeaseIsLost_AndNamesAreHeldAgain) {
  Make();
  Held held = Register(0, "r/k/a");
  ASSERT_TRUE(held.ok());
  const uint64_t epoch = held->epoch();
  world().KillServer();
  world().RunFor(lease() * 3 / 2);
  EXPECT_FALSE(held->token().valid());
  world().StartServer();
  const TimePoint started = world().Now();
  // The directory may have kept the old session: until its member opens another one, or its lease
  // has passed once more.
  const Held again = RegisterOnceFree(1, "r/k/a", lease() * 2);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_LE(world().Now() - started, lease() * 4 / 3 + seconds(3));
  EXPECT_GT(again->epoch(), epoch);
}

// --- What other systems call it ---

TEST_P(DirectoryContract, RowNamespace_IsTheFirstSegment) {
  Make();
  const Held first = Register(0, "red/k/a"), second = Register(1, "blue/k/a");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(Names(2, Under("red")), "red/k/a");
  EXPECT_EQ(Names(2, Under("blue")), "blue/k/a");
}

TEST_P(DirectoryContract, RowCategoryAndVersion_IsASharedName_TheVersionItsLastSegment) {
  Make();
  std::vector<Registration> held;
  for (const int member : {0, 1}) {
    for (const char* version : {"1.0", "1.1"}) {
      Held one = Register(member, absl::StrCat("r/render/farm/", version), Holding::kShared);
      ASSERT_TRUE(one.ok()) << one.status();
      held.push_back(*std::move(one));
    }
  }
  EXPECT_EQ(Names(2, Only("r/render/farm/1.1")), "r/render/farm/1.1 r/render/farm/1.1");
  EXPECT_EQ(Names(2, Under("r/render/farm").Except({N("r/render/farm/1.0")})),
            "r/render/farm/1.1 r/render/farm/1.1");
}

TEST_P(DirectoryContract, RowTopic_IsAPath_SubscribersAreSharedNamesUnderIt) {
  Make();
  const Held first = Register(0, "r/topic/news/a", Holding::kShared);
  const Held second = Register(1, "r/topic/news/b", Holding::kShared);
  const Held other = Register(1, "r/topic/newspaper/b", Holding::kShared);
  EXPECT_EQ(Names(2, Under("r/topic/news")), "r/topic/news/a r/topic/news/b");
}

TEST_P(DirectoryContract, RowAnnotations_AreAttributes) {
  Make();
  Held held = Register(0, "r/k/a", Holding::kExclusive, {{"owner", "me"}, {"load", "1"}});
  ASSERT_TRUE(held.ok() && Update(*held, {{"owner", "me"}, {"draining", "true"}}).ok());
  EXPECT_EQ(Names(1, Under("r").Where("owner", "me").Where("draining", "true")), "r/k/a");
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_H_
