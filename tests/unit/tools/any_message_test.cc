#include "tools/common/any_message.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "serialization/messagepack.h"

namespace grid::tools {
namespace {

using Any = std::optional<AnyMessage>;

// What is sent for `text`, read as a T.
template <typename T>
T SentAs(std::string_view text) {
  Buffer bytes = Buffer::Empty();
  EXPECT_TRUE(Encode(AnyMessage::FromText(text), bytes).ok());
  T value{};
  const absl::Status decoded = Decode(bytes.view(), value);
  EXPECT_TRUE(decoded.ok()) << decoded;
  return value;
}

// How a T is shown that comes.
template <typename T>
std::string Shows(const T& value) {
  Buffer bytes = Buffer::Empty();
  EXPECT_TRUE(Encode(value, bytes).ok());
  Any any;
  const absl::Status decoded = Decode(bytes.view(), any);
  EXPECT_TRUE(decoded.ok()) << decoded;
  return boost::json::serialize(ToJson(any));
}

std::string ShowsRaw(std::string_view bytes) {
  Any any;
  EXPECT_TRUE(Decode(AsBytes(bytes), any).ok());
  return boost::json::serialize(ToJson(any));
}

TEST(AnyMessageTest, JsonIsSentAsMessagePackOfTheSameShape) {
  EXPECT_EQ(SentAs<int64_t>("-5"), -5);
  EXPECT_EQ(SentAs<uint64_t>("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(SentAs<double>("2.5"), 2.5);
  EXPECT_EQ(SentAs<bool>("true"), true);
  EXPECT_EQ(SentAs<std::string>("\"two words\""), "two words");
  EXPECT_EQ(SentAs<std::vector<int>>("[1, 2]"), (std::vector<int>{1, 2}));
  using Map = std::map<std::string, std::vector<std::string>>;
  EXPECT_EQ(SentAs<Map>(R"({"a": [], "b": ["c"]})"), (Map{{"a", {}}, {"b", {"c"}}}));
  EXPECT_EQ(SentAs<std::optional<int>>("null"), std::nullopt);
}

TEST(AnyMessageTest, WhatIsNoJsonIsAString) {
  const std::string too_deep(100, '[');
  for (const std::string& text : {std::string("hello"), std::string(), std::string("{"),
                                  std::string("nul"), std::string("1 2"), too_deep}) {
    EXPECT_EQ(SentAs<std::string>(text), text);
  }
}

TEST(AnyMessageTest, WhatComesIsShownAsJson) {
  EXPECT_EQ(Shows(int64_t{-3}), "-3");
  EXPECT_EQ(Shows(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(Shows(false), "false");
  EXPECT_EQ(Shows(std::string("\"")), R"("\"")");
  EXPECT_EQ(Shows(std::vector<std::string>{"a", "b"}), R"(["a","b"])");
  EXPECT_EQ(Shows(std::map<std::string, std::vector<int>>{{"a", {1}}}), R"({"a":[1]})");
  EXPECT_EQ(Shows(std::optional<int>()), "null");
  EXPECT_EQ(Shows(std::vector<std::optional<int>>{1, std::nullopt}), "[1,null]");
}

TEST(AnyMessageTest, WhatJsonDoesNotHaveIsShownAsText) {
  EXPECT_EQ(Shows(Bytes{'o', 'k'}), R"("ok")");
  EXPECT_EQ(Shows(Bytes{0xff, 'a'}), R"("\\xff\\x61")");
  EXPECT_EQ(Shows(std::numeric_limits<double>::infinity()), R"("inf")");
  EXPECT_EQ(Shows(-std::numeric_limits<double>::infinity()), R"("-inf")");
  EXPECT_EQ(Shows(std::numeric_limits<double>::quiet_NaN()), R"("nan")");
  EXPECT_EQ(Shows(std::map<int, int>{{1, 2}}), R"({"1":2})");
  EXPECT_EQ(ShowsRaw("\xd4\x05x"), R"({"extension":5,"bytes":"x"})");
}

TEST(AnyMessageTest, DepthIsALimit) {
  const std::string deep(100, '\x91');
  Any any;
  EXPECT_EQ(Decode(AsBytes(deep + "\x01"), any).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grid::tools
