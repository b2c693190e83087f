// Rotation: whose turn it is, by each Routing; who leaves, and who comes back.
#include "grid/actor/rotation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "grid/actor/actor_options.h"

namespace grid::internal {
namespace {

Name N(std::string_view text) { return *Name::Parse(text); }

Entry E(std::string_view name, std::string_view member, uint64_t epoch,
        Attributes attributes = {}) {
  return {.name = N(name),
          .holding = Holding::kShared,
          .epoch = epoch,
          .member = std::string(member),
          .attributes = std::move(attributes)};
}

const Entry kA = E("r/k/a", "m1", 1), kB = E("r/k/b", "m2", 2), kC = E("r/k/c", "m3", 3);

Rotation Make(Routing routing, std::vector<Entry> entries = {kA, kB, kC},
              Selector selector = Selector::Under(*Path::Parse("r/k")), uint64_t seed = 1) {
  Rotation rotation(selector, std::move(routing), "m2", seed);
  rotation.Reset(entries, true);
  return rotation;
}

std::string Picks(Rotation& rotation, int count) {
  std::string keys;
  for (int i = 0; i < count; ++i) {
    const CandidatePtr picked = rotation.Pick({});
    keys += picked == nullptr ? "-" : std::string(picked->target.name.key());
  }
  return keys;
}

std::string Selected(Rotation& rotation) {
  std::string keys;
  for (const CandidatePtr& one : rotation.Select()) keys += one->target.name.text() + " ";
  return keys;
}

TEST(RotationTest, RoundRobin_InTurn) {
  Rotation rotation = Make(Routing::RoundRobin());
  EXPECT_EQ(Picks(rotation, 7), "abcabca");
}

TEST(RotationTest, LocalFirst_OursInTurn_OtherwiseTheOthers) {
  Rotation rotation = Make(Routing::LocalFirst(), {kA, kB, kC, E("r/k/d", "m2", 4)});
  EXPECT_EQ(Picks(rotation, 4), "bdbd");
  rotation.Remove(N("r/k/b"), 2);
  rotation.Remove(N("r/k/d"), 4);
  EXPECT_EQ(Picks(rotation, 4), "acac");
}

TEST(RotationTest, KnowsWhoIsHere) {
  Rotation rotation = Make(Routing::RoundRobin());
  EXPECT_FALSE(rotation.Find(N("r/k/a"), 1)->here);
  EXPECT_TRUE(rotation.Find(N("r/k/b"), 2)->here);
  rotation.Put(E("r/k/d", "m2", 4));
  EXPECT_TRUE(rotation.Find(N("r/k/d"), 4)->here);
}

TEST(RotationTest, Random_ByItsSeed_AllOfThem) {
  Rotation rotation = Make(Routing::Random());
  Rotation same = Make(Routing::Random());
  Rotation other = Make(Routing::Random(), {kA, kB, kC}, Selector::Under(*Path::Parse("r/k")), 2);
  const std::string picks = Picks(rotation, 300);
  EXPECT_EQ(picks, Picks(same, 300));
  EXPECT_NE(picks, Picks(other, 300));
  for (const char key : {'a', 'b', 'c'}) {
    const auto count = std::count(picks.begin(), picks.end(), key);
    EXPECT_GT(count, 70) << key;
    EXPECT_LT(count, 130) << key;
  }
}

TEST(RotationTest, LeastOutstanding_EqualOnesInTurn) {
  Rotation rotation = Make(Routing::LeastOutstanding());
  std::vector<CandidatePtr> busy;
  for (int i = 0; i < 6; ++i) {
    busy.push_back(rotation.Pick({}));
    ++busy.back()->outstanding;
  }
  std::set<std::string> keys;
  for (int i = 0; i < 3; ++i) keys.insert(busy[i]->target.name.text());
  EXPECT_EQ(keys.size(), 3u);
  for (const CandidatePtr& one : busy) EXPECT_EQ(one->outstanding, 2u);
  --rotation.Find(N("r/k/b"), 2)->outstanding;
  EXPECT_EQ(Picks(rotation, 3), "bbb");
}

TEST(RotationTest, Hash_TheSameForEverybody_AndForAKeyAlwaysTheSame) {
  std::map<std::string, int> owned;
  for (int key = 0; key < 300; ++key) {
    const Routing routing = Routing::Hash("user-" + std::to_string(key));
    Rotation one = Make(routing), two = Make(routing, {kC, kA, kB});
    const std::string owner = Picks(one, 2);
    EXPECT_EQ(owner[0], owner[1]);
    EXPECT_EQ(owner, Picks(two, 2));
    ++owned[owner.substr(0, 1)];
    // Its name in other hands, and a name more: it stays, or moves to the new one.
    Rotation moved = Make(routing, {E("r/k/a", "m9", 11), E("r/k/b", "m8", 12), kC});
    EXPECT_EQ(Picks(moved, 2), owner);
    Rotation more = Make(routing, {kA, kB, kC, E("r/k/d", "m4", 4)});
    const std::string now = Picks(more, 1);
    EXPECT_TRUE(now == "d" || now == owner.substr(0, 1));
  }
  for (const auto& [name, count] : owned) EXPECT_GT(count, 60) << name;
  EXPECT_EQ(owned.size(), 3u);
}

// A key belongs to a holder of a shared path: one more of them takes its share, and no more.
TEST(RotationTest, Rule6_Hash_AJoiningHolderMovesAboutOneNth) {
  constexpr int kKeys = 1000;
  int moved = 0;
  for (int key = 0; key < kKeys; ++key) {
    const Routing routing = Routing::Hash("user-" + std::to_string(key));
    Rotation three = Make(routing);
    const std::string before = Picks(three, 1);
    three.Put(E("r/k/d", "m4", 4));
    const std::string now = Picks(three, 1);
    if (now == before) continue;
    ++moved;
    EXPECT_EQ(now, "d");
  }
  EXPECT_NEAR(moved, kKeys / 4, kKeys / 20);
}

TEST(RotationTest, WhoIsShutIsLeftOut_WhateverTheDirectorySaysOfIt) {
  Rotation rotation = Make(Routing::RoundRobin());
  rotation.Shut(*rotation.Find(N("r/k/b"), 2));
  EXPECT_EQ(Picks(rotation, 4), "acac");
  rotation.Put(E("r/k/b", "m2", 2, {{"load", "1"}}));
  rotation.Reset({kA, kB, kC}, /*news=*/true);
  rotation.Join(*rotation.Find(N("r/k/b"), 2));
  EXPECT_EQ(Picks(rotation, 4), "acac");
  EXPECT_TRUE(rotation.anybody());
  rotation.Shut(*rotation.Find(N("r/k/a"), 1));
  rotation.Shut(*rotation.Find(N("r/k/c"), 3));
  EXPECT_FALSE(rotation.anybody());
  EXPECT_EQ(rotation.Pick({}), nullptr);
  rotation.Put(E("r/k/b", "m2", 9));
  EXPECT_TRUE(rotation.anybody());
  EXPECT_EQ(Picks(rotation, 2), "bb") << "the next holder is another one";
}

TEST(RotationTest, AnybodyIsWhoeverPickFinds) {
  const Attributes draining = {{kDraining, "true"}};
  const std::vector<Entry> drains = {E("r/k/a", "m1", 1, draining)};
  EXPECT_FALSE(Make(Routing::Random(), {}).anybody());
  EXPECT_FALSE(Make(Routing::Random(), drains).anybody());
  EXPECT_TRUE(Make(Routing::Random(), drains, Selector::Of({N("r/k/a")})).anybody());
}

TEST(RotationTest, Rule7_Hash_GoldenValues) {
  // Mixed versions must agree: these never change.
  const auto owner = [](const char* key) {
    Rotation rotation = Make(Routing::Hash(key));
    return Picks(rotation, 1);
  };
  EXPECT_EQ(owner("user-1") + owner("user-2") + owner("user-3") + owner("user-4"), "acba");
}

TEST(RotationTest, Hash_AmongTheHoldersOfOneNameByMember) {
  std::set<std::string> members;
  for (int key = 0; key < 50; ++key) {
    Rotation rotation = Make(Routing::Hash(std::to_string(key)),
                             {E("r/k/a", "m1", 1), E("r/k/a", "m2", 2), E("r/k/a", "m3", 3)});
    const std::string member = rotation.Pick({})->target.member;
    members.insert(member);
    EXPECT_EQ(rotation.Pick({})->target.member, member);
    // Registered anew, it is the same one's.
    Rotation anew = Make(Routing::Hash(std::to_string(key)),
                         {E("r/k/a", "m3", 7), E("r/k/a", "m2", 8), E("r/k/a", "m1", 9)});
    EXPECT_EQ(anew.Pick({})->target.member, member);
  }
  EXPECT_EQ(members.size(), 3u);
}

TEST(RotationTest, WhoFailedLeaves_UntilTheDirectorySaysSomethingNew) {
  Rotation rotation = Make(Routing::RoundRobin());
  rotation.Leave(*rotation.Find(N("r/k/b"), 2));
  EXPECT_EQ(Picks(rotation, 4), "acac");
  rotation.Reset({kA, kB, kC}, /*news=*/false);
  EXPECT_EQ(Picks(rotation, 4), "acac");
  rotation.Put(E("r/k/b", "m2", 2, {{"load", "1"}}));
  EXPECT_NE(Picks(rotation, 3).find('b'), std::string::npos);
  rotation.Leave(*rotation.Find(N("r/k/b"), 2));
  rotation.Reset({kA, kB, kC}, /*news=*/true);
  EXPECT_NE(Picks(rotation, 3).find('b'), std::string::npos);
}

TEST(RotationTest, WhoHasAnsweredIsBack) {
  Rotation rotation = Make(Routing::RoundRobin());
  const CandidatePtr b = rotation.Find(N("r/k/b"), 2);
  rotation.Leave(*b);
  EXPECT_EQ(Picks(rotation, 4), "acac");
  rotation.Join(*b);
  EXPECT_NE(Picks(rotation, 3).find('b'), std::string::npos);
}

TEST(RotationTest, TheOnlyOneIsAlwaysTried) {
  Rotation rotation = Make(Routing::RoundRobin(), {kA});
  rotation.Leave(*rotation.Find(N("r/k/a"), 1));
  EXPECT_EQ(Picks(rotation, 2), "aa");
  // When all have left, all are.
  Rotation all = Make(Routing::RoundRobin());
  for (const CandidatePtr& one : all.Select()) all.Leave(*one);
  EXPECT_EQ(Picks(all, 3), "abc");
}

TEST(RotationTest, WhoWasTriedComesLast_ButAKeyStays) {
  for (const Routing& routing : {Routing::LocalFirst(), Routing::Random(), Routing::RoundRobin(),
                                 Routing::LeastOutstanding()}) {
    Rotation rotation = Make(routing);
    std::vector<CandidatePtr> tried;
    std::set<std::string> keys;
    for (int i = 0; i < 3; ++i) {
      tried.push_back(rotation.Pick(tried));
      keys.insert(tried.back()->target.name.text());
    }
    EXPECT_EQ(keys.size(), 3u) << routing.ToString();
    EXPECT_NE(rotation.Pick(tried), nullptr);
  }
  Rotation rotation = Make(Routing::Hash("user-7"));
  const std::vector<CandidatePtr> owner = {rotation.Pick({})};
  EXPECT_EQ(rotation.Pick(owner), owner[0]);
  rotation.Leave(*owner[0]);
  EXPECT_NE(rotation.Pick(owner), owner[0]);
}

TEST(RotationTest, DrainingOnesAreSkipped) {
  const Attributes draining = {{kDraining, "true"}};
  Rotation rotation = Make(Routing::RoundRobin(), {kA, E("r/k/b", "m2", 2, draining), kC});
  EXPECT_EQ(Picks(rotation, 4), "acac");
  rotation.Put(kB);
  EXPECT_NE(Picks(rotation, 3).find('b'), std::string::npos);
  rotation.Reset({E("r/k/a", "m1", 1, draining)}, true);
  EXPECT_EQ(Picks(rotation, 1), "-");
  // Who is asked for by name is found as long as nobody else is there; who is asked for, always.
  const Selector names = Selector::Of({N("r/k/a"), N("r/k/b")});
  Rotation named = Make(Routing::RoundRobin(), {E("r/k/a", "m1", 1, draining)}, names);
  EXPECT_EQ(Picks(named, 1), "a");
  named.Put(kB);
  EXPECT_EQ(Picks(named, 2), "bb");
  const Selector where = Selector::Under(*Path::Parse("r/k")).Where(kDraining, "true");
  Rotation asked = Make(Routing::RoundRobin(), {E("r/k/a", "m1", 1, draining)}, where);
  EXPECT_EQ(Picks(asked, 1), "a");
}

TEST(RotationTest, AllAndFirst_AreEverybody_AlsoWhoHasLeft) {
  for (const Routing& routing : {Routing::All(), Routing::First(1)}) {
    Rotation rotation = Make(routing);
    rotation.Leave(*rotation.Find(N("r/k/b"), 2));
    EXPECT_EQ(Selected(rotation), "r/k/a r/k/b r/k/c ");
  }
}

TEST(RotationTest, OnePerNextSegment_OneOfEachGroupInTurn) {
  const std::vector<Entry> entries = {E("r/k/1.0/x", "m1", 1), E("r/k/1.0/y", "m2", 2),
                                      E("r/k/1.1/x", "m1", 3), E("r/k/1.1/x", "m2", 4),
                                      E("r/k/2.0", "m3", 5)};
  Rotation rotation = Make(Routing::OnePerNextSegment(), entries);
  EXPECT_EQ(Selected(rotation), "r/k/1.0/x r/k/1.1/x r/k/2.0 ");
  EXPECT_EQ(Selected(rotation), "r/k/1.0/y r/k/1.1/x r/k/2.0 ");
  rotation.Leave(*rotation.Find(N("r/k/1.0/x"), 1));
  rotation.Leave(*rotation.Find(N("r/k/2.0"), 5));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Selected(rotation), "r/k/1.0/y r/k/1.1/x r/k/2.0 ");
  const CandidatePtr y = rotation.Find(N("r/k/1.0/y"), 2), z = rotation.Find(N("r/k/1.1/x"), 3);
  EXPECT_EQ(rotation.Another(std::vector{y}), nullptr) << "the other one has left";
  EXPECT_EQ(rotation.Another(std::vector{z}), rotation.Find(N("r/k/1.1/x"), 4));
  rotation.Join(*rotation.Find(N("r/k/1.0/x"), 1));
  EXPECT_EQ(rotation.Another(std::vector{y}), rotation.Find(N("r/k/1.0/x"), 1));
  EXPECT_EQ(rotation.Another(std::vector{y, rotation.Find(N("r/k/1.0/x"), 1)}), nullptr);
  // Of names, one holder of each.
  Rotation names =
      Make(Routing::OnePerNextSegment(), entries, Selector::Of({N("r/k/1.0/x"), N("r/k/1.1/x")}));
  EXPECT_EQ(names.Select().size(), 4u);
}

}  // namespace
}  // namespace grid::internal
