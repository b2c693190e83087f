// The part of the contract (contract.h) that is about who holds a name, and attributes.
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_HOLDING_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_HOLDING_H_

#include <cstring>

#include "tests/directory/world.h"

namespace grid {

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
  EXPECT_EQ(Names(1, Selector::Under(Path::Root())), "r/p-q/1 r/p/1 r/p/2 r/pingers/1 rr/p/1");
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_HOLDING_H_
