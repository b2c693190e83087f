#include "grid/directory/selector.h"

#include <gtest/gtest.h>

#include <string>

namespace grid {
namespace {

Name N(std::string_view text) { return *Name::Parse(text); }
Path P(std::string_view text) { return *Path::Parse(text); }

Entry E(std::string_view name, Attributes attributes = {}) {
  return {.name = N(name), .attributes = std::move(attributes)};
}

void ExpectExact(const Selector& selector, const std::string& text) {
  EXPECT_EQ(selector.ToString(), text);
  const absl::StatusOr<Selector> parsed = Selector::Parse(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, selector);
}

TEST(SelectorTest, PrintsAndParsesExactly) {
  ExpectExact(Selector(), "names()");
  ExpectExact(Selector::Of({N("a/b/d"), N("a/b/c"), N("a/b/d")}), "names(a/b/c, a/b/d)");
  ExpectExact(Selector::Under(P("a")), "under(a)");
  ExpectExact(Selector::Under(Path::Root()).Where("k", "v"), "under() where(k=v)");
  ExpectExact(Selector::Under(P("a/b"))
                  .Where("zone", "a b")
                  .Where("version", "1.1")
                  .Except({N("a/b/d"), N("a/b/c")}),
              "under(a/b) where(version=1.1, zone=\"a b\") except(a/b/c, a/b/d)");
  ExpectExact(Selector::Under(P("a")).Where("k", "").Where("q\"\\", std::string("\0\xff", 2)),
              "under(a) where(k=\"\", \"q\\\"\\\\\"=\"\\x00\\xff\")");
}

TEST(SelectorTest, RefusalsGiveThePosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "at byte 0: expected \"names(\" or \"under(\""},
      {"everybody", "at byte 0: expected"},
      {"under(/)", "at byte 6: path \"/\""},
      {"under(a//b)", "at byte 6: path \"a//b\": at byte 2"},
      {"names(a/b)", "at byte 6: name \"a/b\": at byte 3"},
      {"names(a/b/d, a/b/c)", "at byte 13: names are sorted"},
      {"names(a/b/c, a/b/c)", "at byte 13: names are sorted"},
      {"names(a/b/c,a/b/d)", "at byte 11: expected \", \""},
      {"under(a) where()", "at byte 15: expected a value"},
      {"under(a) where(k)", "at byte 16: expected \"=\""},
      {"under(a) where(k=1, k=2)", "at byte 20: attributes are sorted"},
      {"under(a) where(k=\"b\")", "at byte 17: this is written b"},
      {"under(a) where(k=\"b c)", "at byte 17: the quotation mark is never closed"},
      {"under(a) where(k=\"\\q\")", "at byte 18: expected \\\", \\\\ or \\x"},
      {"under(a) except()", "at byte 17: except() without a name"},
      {"under(a) except(a/b/c) where(k=1)", "at byte 22: nothing follows here"},
      {"under(a) ", "at byte 8: nothing follows here"},
  };
  for (const auto& [text, expected] : cases) {
    const absl::Status status = Selector::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find(expected), std::string::npos) << status;
  }
}

TEST(SelectorTest, MatchesByNamePathAttributeAndException) {
  EXPECT_FALSE(Selector().Matches(E("a/b/c")));
  EXPECT_TRUE(Selector::Of({N("a/b/c")}).Matches(E("a/b/c")));
  EXPECT_FALSE(Selector::Of({N("a/b/c")}).Matches(E("a/b/c/d")));
  EXPECT_TRUE(Selector::Under(P("a/b")).Matches(E("a/b/c")));
  EXPECT_FALSE(Selector::Under(P("a/b")).Matches(E("a/bb/c")));
  const Selector where = Selector::Under(P("a")).Where("v", "1").Where("w", "");
  EXPECT_TRUE(where.Matches(E("a/b/c", {{"v", "1"}, {"w", ""}, {"x", "y"}})));
  EXPECT_FALSE(where.Matches(E("a/b/c", {{"v", "1"}})));
  EXPECT_FALSE(where.Matches(E("a/b/c", {{"v", "2"}, {"w", ""}})));
  const Selector except = Selector::Under(P("a")).Except({N("a/b/c")});
  EXPECT_FALSE(except.Matches(E("a/b/c")));
  EXPECT_TRUE(except.Matches(E("a/b/d")));
}

TEST(SelectorTest, LimitsAreNamed) {
  std::vector<Name> names;
  for (size_t i = 0; i <= Selector::kMaxNames; ++i) names.push_back(N("a/b/" + std::to_string(i)));
  EXPECT_NE(std::string(Selector::Of(names).Check().message()).find("10001 names, more than 10000"),
            std::string::npos);
  names.pop_back();
  EXPECT_TRUE(Selector::Of(names).Check().ok());
  EXPECT_FALSE(Selector::Under(P("a")).Where("", "x").Check().ok());
  EXPECT_FALSE(Selector::Parse(std::string(Selector::kMaxTextBytes + 1, 'x')).ok());
}

TEST(AttributesTest, LimitsAreNamed) {
  EXPECT_TRUE(CheckAttributes({}).ok());
  EXPECT_EQ(CheckAttributes({{"", "x"}}).message(), "attribute \"\": the key is empty");
  EXPECT_TRUE(CheckAttributes({{std::string(255, 'k'), std::string(4096, 'v')}}).ok());
  EXPECT_FALSE(CheckAttributes({{std::string(256, 'k'), ""}}).ok());
  EXPECT_FALSE(CheckAttributes({{"k", std::string(4097, 'v')}}).ok());
  Attributes many;
  for (int i = 0; i < 5; ++i) many[std::to_string(i)] = std::string(4000, 'v');
  EXPECT_EQ(CheckAttributes(many).message(), "attributes: 20005 bytes, more than 16384");
  many.clear();
  for (int i = 0; i < 65; ++i) many[std::to_string(i)] = "";
  EXPECT_EQ(CheckAttributes(many).message(), "attributes: 65, more than 64");
}

TEST(EntryTest, AlreadyHeld_TellsWhoHoldsIt) {
  const Entry holder{.name = N("a/b/c"), .epoch = 7, .member = "http://n 1:9000", .incarnation = 9};
  const absl::Status status = AlreadyHeldError(holder);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "a/b/c is held by http://n 1:9000, exclusive, epoch 7");
  const auto info = HolderOf(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->member, "http://n 1:9000");
  EXPECT_EQ(info->incarnation, 9u);
  EXPECT_EQ(info->epoch, 7u);
  EXPECT_FALSE(HolderOf(absl::AlreadyExistsError("x")).has_value());
}

}  // namespace
}  // namespace grid
