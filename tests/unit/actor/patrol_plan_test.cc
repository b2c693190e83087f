#include "grid/actor/patrol_plan.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

const Path kPath = *Path::Parse("shop/worker");
Name N(std::string_view text) { return *Name::Parse(text); }

// "+0 +1 -7".
std::string Plan(size_t desired, std::vector<std::string> held) {
  std::vector<Entry> entries;
  for (const std::string& name : held) entries.push_back({.name = N(name)});
  const PatrolPlan plan = PlanPatrol(kPath, desired, entries);
  std::string text;
  for (const Name& name : plan.start) text += "+" + name.text().substr(12) + " ";
  for (const Entry& entry : plan.stop) text += "-" + entry.name.text().substr(12) + " ";
  return text;
}

TEST(PatrolPlanTest, StartsWhatIsMissing_DrainsWhatIsTooMany) {
  EXPECT_EQ(Plan(3, {}), "+0 +1 +2 ");
  EXPECT_EQ(Plan(3, {"shop/worker/1"}), "+0 +2 ");
  EXPECT_EQ(Plan(2, {"shop/worker/0", "shop/worker/1"}), "");
  EXPECT_EQ(Plan(1, {"shop/worker/0", "shop/worker/10", "shop/worker/9"}), "-10 -9 ");
  EXPECT_EQ(Plan(0, {"shop/worker/0"}), "-0 ");
  EXPECT_EQ(Plan(2, {"shop/worker/5"}), "+0 +1 -5 ");
}

TEST(PatrolPlanTest, NamesOfOthersAreLeftAlone) {
  EXPECT_EQ(Plan(0, {"shop/worker/07", "shop/worker/x", "shop/worker/1/2", "shop/worker/-1",
                     "shop/workers/1", "shop/worker/99999999999999999999999"}),
            "");
}

TEST(PatrolPlanTest, SeveralOfOneName) {
  const Entry first{.name = N("shop/worker/4"), .holding = Holding::kShared, .epoch = 1};
  const Entry second{.name = N("shop/worker/4"), .holding = Holding::kShared, .epoch = 2};
  EXPECT_EQ(PlanPatrol(kPath, 4, {first, second}).stop.size(), 2u);
  EXPECT_TRUE(PlanPatrol(kPath, 5, {first, second}).stop.empty());
}

TEST(PatrolPlanTest, PatrolsHaveDifferentNames) {
  EXPECT_EQ(PatrolName(kPath)->text(), "sys/patrol/shop.worker");
  EXPECT_EQ(PatrolName(*Path::Parse("a.b/c"))->text(), "sys/patrol/a_2eb.c");
  EXPECT_EQ(PatrolName(*Path::Parse("a/b.c"))->text(), "sys/patrol/a.b_2ec");
  EXPECT_EQ(PatrolName(*Path::Parse("a_b/c"))->text(), "sys/patrol/a_5fb.c");
  EXPECT_FALSE(PatrolName(*Path::Parse(std::string(200, 'a') + "/" + std::string(200, 'b'))).ok());
}

}  // namespace
}  // namespace grid
