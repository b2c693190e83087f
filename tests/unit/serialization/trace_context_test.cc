#include "serialization/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace grid {
namespace {

using ::testing::HasSubstr;

constexpr char kText[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, None_IsEmpty) {
  EXPECT_FALSE(TraceContext());
  EXPECT_EQ(TraceContext().ToString(), "");
  EXPECT_FALSE(TraceContext().Child(5));
}

TEST(TraceContext, FieldsComeBack) {
  const absl::StatusOr<TraceContext> trace = TraceContext::Parse(kText);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(*trace);
  EXPECT_EQ(trace->trace_id()[0], 0x0a);
  EXPECT_EQ(trace->trace_id()[15], 0x9c);
  EXPECT_EQ(trace->parent_id(), 0xb7ad6b7169203331u);
  EXPECT_EQ(trace->flags(), 1);
  EXPECT_TRUE(trace->sampled());
  EXPECT_EQ(trace->ToString(), kText);
}

TEST(TraceContext, Child_IsTheSameTraceBelowAnotherSpan) {
  const TraceContext trace = *TraceContext::Parse(kText);
  EXPECT_EQ(trace.Child(0x42).ToString(),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000042-01");
  EXPECT_EQ(trace.Child(0), trace);
}

TEST(TraceContext, LaterVersions_AreReadAsFarAsTheyAreKnown) {
  const std::string later = "cc" + std::string(kText + 2, 50) + "-ff";
  for (const char* more : {"", "-what-the-future-will-be-like"}) {
    const absl::StatusOr<TraceContext> trace = TraceContext::Parse(later + more);
    ASSERT_TRUE(trace.ok()) << trace.status();
    EXPECT_EQ(trace->ToString(), kText);  // version 00, and the one flag that is known
  }
}

TEST(TraceContext, WhatIsNone_IsRefusedByField) {
  const std::string text = kText;
  const auto with = [&](size_t at, const std::string& other) {
    return std::string(text).replace(at, other.size(), other);
  };
  const struct {
    std::string text;
    const char* why;
  } kCases[] = {
      {"", "0 characters, fewer than 55"},
      {text.substr(1), "54 characters"},
      {text + "0", "56 characters, more than 55"},
      {text + "-00", "more than 55"},
      {"01" + text.substr(2) + "0", "56 characters"},
      {with(2, "_"), "version-traceid-parentid-flags"},
      {with(35, "0"), "version-traceid-parentid-flags"},
      {with(52, "0"), "version-traceid-parentid-flags"},
      {with(0, "ff"), "version"},
      {with(0, "0g"), "version"},
      {with(3, "0A"), "trace id"},
      {with(34, "-"), "trace id"},
      {with(3, std::string(32, '0')), "trace id"},
      {with(36, "B"), "parent id"},
      {with(36, std::string(16, '0')), "parent id"},
      {with(53, "x1"), "flags"},
      {with(54, " "), "flags"},
  };
  for (const auto& one : kCases) {
    const absl::StatusOr<TraceContext> trace = TraceContext::Parse(one.text);
    ASSERT_FALSE(trace.ok()) << one.text;
    EXPECT_EQ(trace.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(trace.status().message()), HasSubstr("traceparent: "));
    EXPECT_THAT(std::string(trace.status().message()), HasSubstr(one.why)) << one.text;
  }
}

}  // namespace
}  // namespace grid
