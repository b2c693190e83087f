#include "grid/directory/routing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "grid/directory/rendezvous.h"

namespace grid {
namespace {

TEST(RoutingTest, PrintsAndParsesExactly) {
  const std::pair<Routing, const char*> cases[] = {
      {Routing(), "one(local-first)"},
      {Routing::Random(), "one(random)"},
      {Routing::RoundRobin(), "one(round-robin)"},
      {Routing::LeastOutstanding(), "one(least-outstanding)"},
      {Routing::Hash("user-7"), "one(hash(user-7))"},
      {Routing::Hash(""), "one(hash(\"\"))"},
      {Routing::Hash("a)b"), "one(hash(\"a)b\"))"},
      {Routing::All(), "all"},
      {Routing::OnePerNextSegment(), "one-per-next-segment"},
      {Routing::First(3), "first(3)"},
  };
  for (const auto& [routing, text] : cases) {
    EXPECT_EQ(routing.ToString(), text);
    const absl::StatusOr<Routing> parsed = Routing::Parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, routing);
    EXPECT_EQ(routing.one(), std::string_view(text).starts_with("one("));
  }
}

TEST(RoutingTest, RefusalsGiveThePosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "at byte 0: expected one(local-first)"},
      {"one(best)", "at byte 0: expected"},
      {"first()", "at byte 6: expected a number"},
      {"first(0)", "first(0): must be 1 to 1000000"},
      {"first(01)", "at byte 6: expected a number"},
      {"first(1000001)", "at byte 6: expected a number of at most 1000000"},
      {"first(3", "at byte 7: expected \")\""},
      {"first(3) ", "at byte 8: nothing follows here"},
      {"one(hash(a)", "at byte 10: expected \"))\""},
      {"one(hash())", "at byte 9: expected a value"},
  };
  for (const auto& [text, expected] : cases) {
    const absl::Status status = Routing::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find(expected), std::string::npos) << status;
  }
  EXPECT_FALSE(Routing::Hash(std::string(4097, 'k')).Check().ok());
}

const std::vector<std::string> kMembers = {"http://node0:9000", "http://node1:9000",
                                           "http://node2:9000", "http://node3:9000"};

// Mixed versions must agree: these never change. They are xxh3 of 64 bits, seed 0, over
// "http://node0:9000\0user-7" and so on.
TEST(RendezvousTest, Rule7_GoldenValues) {
  EXPECT_EQ(RendezvousScore("", ""), 14144645293874801883u);
  EXPECT_EQ(RendezvousScore("http://node0:9000", "user-7"), 3962461783371292155u);
  EXPECT_EQ(RendezvousScore("http://node1:9000", "user-7"), 16545351661375538874u);
  EXPECT_EQ(RendezvousScore(std::string(300, 'm'), std::string(300, 'k')), 9316146497189817788u);
  EXPECT_EQ(RendezvousPick(kMembers, "user-7"), 1u);
  EXPECT_EQ(RendezvousPick(kMembers, "shop/cart/4711"), 1u);
  EXPECT_EQ(RendezvousOrder(kMembers, "user-7"), (std::vector<size_t>{1, 3, 2, 0}));
}

TEST(RendezvousTest, OfNobodyIsNobody) {
  EXPECT_EQ(RendezvousPick({}, "k"), 0u);
  EXPECT_TRUE(RendezvousOrder({}, "k").empty());
}

// The zero byte keeps members and keys apart.
TEST(RendezvousTest, MemberAndKeyDoNotRunTogether) {
  EXPECT_NE(RendezvousScore("ab", "c"), RendezvousScore("a", "bc"));
}

TEST(RendezvousTest, OrderOfTheMembersDoesNotMatter) {
  std::vector<std::string> turned(kMembers.rbegin(), kMembers.rend());
  for (int key = 0; key < 100; ++key) {
    const std::string text = std::to_string(key);
    EXPECT_EQ(kMembers[RendezvousPick(kMembers, text)], turned[RendezvousPick(turned, text)]);
    EXPECT_EQ(RendezvousOrder(kMembers, text)[0], RendezvousPick(kMembers, text));
  }
}

TEST(RendezvousTest, Rule6_AJoiningMember_MovesAboutOneNth) {
  constexpr int kKeys = 10'000;
  const std::vector<std::string> more = {kMembers[0], kMembers[1], kMembers[2], kMembers[3],
                                         "http://node4:9000"};
  int moved = 0;
  std::vector<int> owned(more.size());
  for (int key = 0; key < kKeys; ++key) {
    const std::string text = std::to_string(key);
    const size_t before = RendezvousPick(kMembers, text);
    const size_t after = RendezvousPick(more, text);
    ++owned[after];
    if (before == after) continue;
    ++moved;
    EXPECT_EQ(after, 4u) << "moved, but not to the new member";
  }
  EXPECT_NEAR(moved, kKeys / 5, kKeys / 50);
  for (const int count : owned) EXPECT_NEAR(count, kKeys / 5, kKeys / 50);
}

}  // namespace
}  // namespace grid
