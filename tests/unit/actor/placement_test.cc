#include "grid/actor/placement.h"

#include <gtest/gtest.h>

#include <utility>

#include "handlers/delivery.h"

namespace grid {
namespace {

TEST(PlacementTest, PrintsAndParsesExactly) {
  const std::pair<Placement, const char*> cases[] = {
      {Placement(), "random"},
      {Placement::RoundRobin(), "round-robin"},
      {Placement::Least("load"), "least(load)"},
      {Placement::Least("a b"), "least(\"a b\")"},
      {Placement::Spread(), "spread"},
      {Placement::On("http://a:9000"), "on(http://a:9000)"},
      {Placement::NearCaller(), "near-caller"},
      {Placement::Hash(), "hash"},
      {Placement::Random().With("zone", "east"), "with(zone=east)"},
      {Placement::Spread().With("zone", "e,w").With("disk", "ssd"),
       "spread with(disk=ssd, zone=\"e,w\")"},
      {Placement::Spread().Isolated(), "isolated(spread)"},
      {Placement::Random().Isolated(), "isolated(random)"},
      {Placement::Random().With("disk", "").Isolated(), "isolated(with(disk=\"\"))"},
      {Placement::Least("load").With("k", "v").Isolated(), "isolated(least(load) with(k=v))"},
  };
  for (const auto& [placement, text] : cases) {
    EXPECT_EQ(placement.ToString(), text);
    const absl::StatusOr<Placement> parsed = Placement::Parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, placement) << text;
  }
}

TEST(PlacementTest, RefusalsGiveThePosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "at byte 0: expected random"},
      {"best", "at byte 0: expected random"},
      {"isolated(best)", "at byte 9: expected random"},
      {"isolated(spread", "at byte 15: expected \")\""},
      {"isolated(isolated(spread))", "at byte 9: expected random"},
      {"spread)", "at byte 6: nothing follows here"},
      {"spread ", "at byte 6: nothing follows here"},
      {"randomly", "at byte 6: nothing follows here"},
      {"least()", "at byte 6: expected a value"},
      {"least(\"\")", "the argument of least has 0 bytes"},
      {"on(a", "at byte 4: expected \")\""},
      {"with()", "at byte 5: expected a value"},
      {"with(a)", "at byte 6: expected \"=\""},
      {"with(a=1", "at byte 8: expected \", \""},
      {"with(b=1, a=1)", "at byte 10: attributes are sorted"},
      {"random with(a=1)", "at byte 6: random with(...) is written with(...)"},
      {"with(\"\"=1)", "the key is empty"},
  };
  for (const auto& [text, expected] : cases) {
    const absl::Status status = Placement::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find(expected), std::string::npos) << status;
  }
}

class PlaceTest : public ::testing::Test {
 protected:
  void Add(std::string name, Attributes attributes = {}, MemberState state = MemberState::kUp) {
    attributes.emplace(Member::kKinds, "shop/cart,shop/leader");
    view_.members.push_back(
        {.name = std::move(name), .state = state, .attributes = std::move(attributes)});
  }
  // The member, or the error's text.
  std::string Pick(const Placement& placement, PlacementQuery query) {
    const absl::StatusOr<std::string> member = Place(placement, view_, query);
    if (member.ok()) return *member;
    EXPECT_EQ(member.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(DeliveryOf(member.status()), Delivery::kNotSent);
    return std::string(member.status().message());
  }
  std::string Pick(const Placement& placement) { return Pick(placement, {.name = name_}); }

  MembershipView view_;
  const Name name_ = *Name::Parse("shop/cart/7");
};

TEST_F(PlaceTest, Random) {
  for (const char* name : {"a", "b", "c"}) Add(name);
  EXPECT_EQ(Pick(Placement::Random(), {.name = name_, .random = 0}), "a");
  EXPECT_EQ(Pick(Placement::Random(), {.name = name_, .random = 5}), "c");
}

TEST_F(PlaceTest, RoundRobin) {
  for (const char* name : {"a", "b", "c"}) Add(name);
  std::string order;
  for (uint64_t turn = 0; turn < 6; ++turn) {
    order += Pick(Placement::RoundRobin(), {.name = name_, .turn = turn});
  }
  EXPECT_EQ(order, "abcabc");
}

TEST_F(PlaceTest, Least_TakesTheSmallestMetric) {
  Add("a", {{"load", "0.9"}});
  Add("b", {{"load", "-2"}});
  Add("c", {{"load", "low"}});
  Add("d");
  EXPECT_EQ(Pick(Placement::Least("load")), "b");
  EXPECT_EQ(Pick(Placement::Least("load"), {.name = name_, .tried = {"b"}}), "a");
  EXPECT_EQ(Pick(Placement::Least("heat")),
            "no member for shop/cart/7 by least(heat): a: has no metric heat; b: has no metric "
            "heat; c: has no metric heat; d: has no metric heat");
}

TEST_F(PlaceTest, Least_EqualOnesBySpread) {
  Add("a", {{"load", "1"}});
  Add("b", {{"load", "1"}});
  EXPECT_EQ(Pick(Placement::Least("load"), {.name = name_, .running = {{"a", 3}, {"b", 2}}}), "b");
  EXPECT_EQ(Pick(Placement::Least("load"), {.name = name_, .running = {{"b", 1}}}), "a");
}

TEST_F(PlaceTest, Spread_EvensOut) {
  for (const char* name : {"a", "b", "c"}) Add(name);
  std::map<std::string, size_t> running = {{"a", 5}};
  for (int i = 0; i < 13; ++i) {
    const Name name = *Name::Parse("shop/cart/" + std::to_string(i));
    ++running[Pick(Placement::Spread(), {.name = name, .running = running})];
  }
  EXPECT_EQ(running, (std::map<std::string, size_t>{{"a", 6}, {"b", 6}, {"c", 6}}));
}

TEST_F(PlaceTest, On_ThatOneAndNoOther) {
  Add("a");
  Add("b", {}, MemberState::kSuspect);
  EXPECT_EQ(Pick(Placement::On("a")), "a");
  EXPECT_EQ(Pick(Placement::On("b")), "no member for shop/cart/7 by on(b): b: suspect");
  EXPECT_EQ(Pick(Placement::On("c")), "no member for shop/cart/7 by on(c): not a member");
}

TEST_F(PlaceTest, NearCaller_ItselfThenItsZoneThenAnybody) {
  Add("a", {{"zone", "east"}});
  Add("b", {{"zone", "west"}});
  Add("c", {{"zone", "west"}});
  Add("d");
  const Placement near = Placement::NearCaller();
  EXPECT_EQ(Pick(near, {.name = name_, .caller = "b"}), "b");
  EXPECT_EQ(Pick(near, {.name = name_, .caller = "b", .tried = {"b"}}), "c");
  EXPECT_EQ(Pick(near, {.name = name_, .caller = "d", .tried = {"d"}, .random = 1}), "b");
  EXPECT_EQ(Pick(near, {.name = name_, .caller = "client", .random = 3}), "d");
}

TEST_F(PlaceTest, Hash_IsTheSameForEverybody_AndMovesOnlyWhatMust) {
  for (const char* name : {"http://a", "http://b", "http://c"}) Add(name);
  std::map<std::string, std::string> before;
  for (int i = 0; i < 300; ++i) {
    const Name name = *Name::Parse("shop/cart/" + std::to_string(i));
    before[name.text()] = Pick(Placement::Hash(), {.name = name, .turn = 7, .random = 9});
  }
  view_.members.erase(view_.members.begin() + 1);
  for (const auto& [text, member] : before) {
    const Name name = *Name::Parse(text);
    const std::string now = Pick(Placement::Hash(), {.name = name});
    if (member != "http://b") {
      EXPECT_EQ(now, member) << text;
    }
  }
}

TEST_F(PlaceTest, Rule6_Hash_AJoiningMemberMovesAboutOneNth) {
  constexpr int kNames = 2000;
  for (const char* name : {"http://a", "http://b", "http://c", "http://d"}) Add(name);
  std::vector<std::string> before;
  const auto of = [&](int i) {
    return Pick(Placement::Hash(), {.name = *Name::Parse("shop/cart/" + std::to_string(i))});
  };
  for (int i = 0; i < kNames; ++i) before.push_back(of(i));
  Add("http://e");
  int moved = 0;
  for (int i = 0; i < kNames; ++i) {
    const std::string now = of(i);
    if (now == before[i]) continue;
    ++moved;
    EXPECT_EQ(now, "http://e") << "moved, but not to the new member";
  }
  EXPECT_NEAR(moved, kNames / 5, kNames / 25);
}

TEST_F(PlaceTest, With_OnlyThoseThatHaveIt) {
  Add("a", {{"disk", "hdd"}});
  Add("b", {{"disk", "ssd"}, {"zone", "east"}});
  Add("c");
  EXPECT_EQ(Pick(Placement::Random().With("disk", "ssd")), "b");
  EXPECT_EQ(Pick(Placement::Spread().With("disk", "ssd"), {.name = name_, .running = {{"b", 9}}}),
            "b");
  EXPECT_EQ(Pick(Placement::Random().With("disk", "tape")),
            "no member for shop/cart/7 by with(disk=tape): a: disk is hdd, not tape; b: disk is "
            "ssd, not tape; c: has no disk");
}

// Rule 9: who drains is out of placement; clients and who is not up never were in.
TEST_F(PlaceTest, Rule9_DrainingMembersAndClients_Never) {
  Add("a", {{Member::kDraining, "true"}});
  Add("b", {}, MemberState::kLeaving);
  Add("c", {}, MemberState::kJoining);
  Add("d", {}, MemberState::kDown);
  Add("e");
  view_.members.back().client = true;
  Add("f", {{Member::kKinds, "shop/car,other/cart"}});
  Add("g");
  EXPECT_EQ(Pick(Placement::Random(), {.name = name_, .tried = {"g"}}),
            "no member for shop/cart/7 by random: a: draining; b: leaving; c: joining; d: down; e: "
            "a client; f: hosts no such kind; g: was tried");
  EXPECT_EQ(Pick(Placement::Random()), "g");
}

TEST_F(PlaceTest, TheErrorIsBounded) {
  EXPECT_EQ(Pick(Placement::Random()), "no member for shop/cart/7 by random: no members");
  for (int i = 0; i < 20; ++i) Add("m" + std::to_string(10 + i), {}, MemberState::kDown);
  const std::string text = Pick(Placement::Random());
  EXPECT_TRUE(text.ends_with("m17: down; and 12 more")) << text;
}

TEST_F(PlaceTest, HostedKind_LongestPath_WholeSegments) {
  const Member member{.name = "a", .attributes = {{Member::kKinds, "shop,shop/cart,shop/cart/7"}}};
  EXPECT_EQ(HostedKind(member, name_), "shop/cart") << "below the path, not at it";
  EXPECT_EQ(HostedKind(member, *Name::Parse("shop/cart/7/a")), "shop/cart/7");
  EXPECT_EQ(HostedKind(member, *Name::Parse("shop/carts/7")), "shop");
  EXPECT_EQ(HostedKind(member, *Name::Parse("shops/cart/7")), "");
}

}  // namespace
}  // namespace grid
