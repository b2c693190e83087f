#include "grid/membership/member_table.h"

#include <gtest/gtest.h>

namespace grid::internal {
namespace {

using std::chrono::seconds;

class MemberTableTest : public ::testing::Test {
 protected:
  static Member Up(const char* name, uint64_t incarnation) {
    return {.name = name, .incarnation = incarnation};
  }
  // "a1 up, b2 down".
  std::string Text() const {
    std::string text;
    for (const Member& member : table_.Members()) {
      text += (text.empty() ? "" : ", ") + member.name + std::to_string(member.incarnation) + " " +
              std::string(MemberStateName(member.state));
    }
    return text;
  }

  MemberTable table_{{.suspect = seconds(15), .forget = seconds(60), .max_members = 3}};
  const TimePoint start_{seconds(1000)};
};

TEST_F(MemberTableTest, WhatIsGoneIsDown_AndForgottenLater) {
  EXPECT_TRUE(table_.Put(Up("a", 1)));
  EXPECT_FALSE(table_.Put(Up("a", 1))) << "nothing new";
  EXPECT_TRUE(table_.Put(Up("b", 2)));
  EXPECT_EQ(table_.next(), TimePoint::max());
  EXPECT_TRUE(table_.Remove("a", 1, start_));
  EXPECT_FALSE(table_.Remove("a", 1, start_));
  EXPECT_EQ(Text(), "a1 down, b2 up");
  EXPECT_EQ(table_.next(), start_ + seconds(60));
  EXPECT_FALSE(table_.Tick(start_ + seconds(59)));
  EXPECT_TRUE(table_.Tick(start_ + seconds(60)));
  EXPECT_EQ(Text(), "b2 up");
}

TEST_F(MemberTableTest, OlderIncarnationsChangeNothing) {
  table_.Put(Up("a", 5));
  EXPECT_FALSE(table_.Put(Up("a", 4)));
  EXPECT_FALSE(table_.Remove("a", 4, start_));
  EXPECT_FALSE(table_.Remove("b", 4, start_));
  EXPECT_EQ(Text(), "a5 up");
  EXPECT_TRUE(table_.Remove("a", 6, start_)) << "a later one is gone, and with it this one";
}

// The block list: an incarnation that was declared down, never an address.
TEST_F(MemberTableTest, RowBlockList_DownIsTheIncarnation_NotTheAddress) {
  table_.Put(Up("a", 5));
  EXPECT_FALSE(table_.Bury("a", 4, start_));
  EXPECT_FALSE(table_.Bury("a", 6, start_)) << "it may be yet to come";
  EXPECT_FALSE(table_.Bury("b", 5, start_));
  EXPECT_TRUE(table_.Bury("a", 5, start_));
  EXPECT_FALSE(table_.Bury("a", 5, start_));
  EXPECT_FALSE(table_.Put(Up("a", 5)));
  EXPECT_EQ(Text(), "a5 down");
  EXPECT_TRUE(table_.Put(Up("a", 6)));
  EXPECT_EQ(Text(), "a6 up");
  EXPECT_EQ(table_.next(), TimePoint::max());
}

TEST_F(MemberTableTest, Rule5_AListThatOmitsAMemberOnlyMakesItSuspect) {
  table_.Put(Up("a", 1));
  table_.Put(Up("b", 1));
  EXPECT_TRUE(table_.Reset({Up("a", 1)}, start_));
  EXPECT_EQ(Text(), "a1 up, b1 suspect");
  EXPECT_EQ(table_.suspected(), 1u);
  EXPECT_FALSE(table_.Reset({Up("a", 1)}, start_ + seconds(5))) << "not suspect for longer";
  EXPECT_TRUE(table_.Put(Up("b", 1))) << "there it is";
  EXPECT_EQ(Text(), "a1 up, b1 up");

  table_.Reset({Up("a", 1)}, start_);
  EXPECT_TRUE(table_.Tick(start_ + seconds(15)));
  EXPECT_EQ(Text(), "a1 up, b1 down");
  EXPECT_TRUE(table_.Tick(start_ + seconds(75)));
  EXPECT_EQ(Text(), "a1 up");
}

TEST_F(MemberTableTest, JoiningIsNotSuspected) {
  table_.Put({.name = "a", .state = MemberState::kJoining});
  EXPECT_FALSE(table_.Reset({}, start_));
  EXPECT_EQ(Text(), "a0 joining");
  EXPECT_TRUE(table_.Put(Up("a", 1)));
  EXPECT_EQ(Text(), "a1 up");
}

TEST_F(MemberTableTest, Limit_WhatIsDownGoesFirst) {
  for (const char* name : {"a", "b", "c"}) table_.Put(Up(name, 1));
  EXPECT_FALSE(table_.Put(Up("d", 1)));
  EXPECT_EQ(table_.limit_reached(), 1u);
  table_.Remove("b", 1, start_);
  EXPECT_TRUE(table_.Put(Up("d", 1)));
  EXPECT_EQ(Text(), "a1 up, c1 up, d1 up");
}

}  // namespace
}  // namespace grid::internal
