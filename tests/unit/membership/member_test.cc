#include "grid/membership/member.h"

#include <gtest/gtest.h>

#include "grid/membership/membership.h"

namespace grid {
namespace {

TEST(MemberTest, SegmentsAreReadableAndDifferent) {
  EXPECT_EQ(*SegmentOf("http://10.0.0.1:9000"), "http_3a_2f_2f10.0.0.1_3a9000");
  EXPECT_EQ(*SegmentOf("a_b"), "a_5fb");
  EXPECT_EQ(*SegmentOf("a-b.c"), "a-b.c");
  EXPECT_EQ(*SegmentOf("."), "_2e");
  EXPECT_EQ(*SegmentOf(".."), "_2e_2e");
  EXPECT_EQ(*SegmentOf(std::string_view("\xff\0", 2)), "_ff_00");
  for (const char* text : {"http://a:1", ".", "..", "a b", "[::1]:9"}) {
    EXPECT_TRUE(Name::Parse("sys/member/" + *SegmentOf(text)).ok()) << text;
  }
}

TEST(MemberTest, WhatIsNoSegmentIsRefused) {
  EXPECT_EQ(SegmentOf("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SegmentOf(std::string(255, 'a')).ok());
  EXPECT_NE(SegmentOf(std::string(256, 'a')).status().message().find("256 bytes, more than 255"),
            absl::string_view::npos);
}

TEST(MemberTest, AttributesAreRead) {
  const Member member{.name = "a",
                      .attributes = {{"kinds", ",shop/cart,,shop/leader,"},
                                     {"load", "0.5"},
                                     {"disk", "full"},
                                     {"rate", "inf"}}};
  EXPECT_EQ(member.Kinds(), (std::vector<std::string_view>{"shop/cart", "shop/leader"}));
  EXPECT_EQ(member.Metric("load"), 0.5);
  EXPECT_EQ(member.Metric("disk"), std::nullopt);
  EXPECT_EQ(member.Metric("rate"), std::nullopt);
  EXPECT_EQ(member.Metric("none"), std::nullopt);
  EXPECT_TRUE(Member().Kinds().empty());
}

TEST(MemberTest, ChangesOfAttributes) {
  const Attributes before = {{"a", "1"}, {"b", "2"}};
  EXPECT_EQ(*WithChanges(before, {{"a", std::nullopt}, {"b", "3"}, {"c", "4"}}),
            (Attributes{{"b", "3"}, {"c", "4"}}));
  EXPECT_EQ(WithChanges(before, {{"url", "x"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WithChanges(before, {{"", "x"}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(MembershipViewTest, Find) {
  const MembershipView view{.number = 1, .members = {{.name = "a"}, {.name = "c"}}};
  EXPECT_EQ(view.Find("a"), &view.members[0]);
  EXPECT_EQ(view.Find("c"), &view.members[1]);
  EXPECT_EQ(view.Find("b"), nullptr);
  EXPECT_EQ(view.Find("d"), nullptr);
}

}  // namespace
}  // namespace grid
