#include "grid/directory/name.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>

namespace grid {
namespace {

std::string Refusal(std::string_view text) {
  const absl::StatusOr<Name> name = Name::Parse(text);
  EXPECT_EQ(name.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(name.status().message());
}

TEST(NameTest, PrintsWhatItWasParsedFrom) {
  for (const std::string& text : {std::string("a/b/c"), std::string("shop/cart/4711/1.0"),
                                  std::string("A.z/_-/0..1/..."), std::string(255, 'x') + "/y/z"}) {
    const absl::StatusOr<Name> name = Name::Parse(text);
    ASSERT_TRUE(name.ok()) << name.status();
    EXPECT_EQ(name->text(), text);
  }
}

TEST(NameTest, HasSegments) {
  const Name name = *Name::Parse("shop/cart/4711/v1/2");
  EXPECT_EQ(name.size(), 5u);
  EXPECT_EQ(name.realm(), "shop");
  EXPECT_EQ(name.kind(), "cart");
  EXPECT_EQ(name.key(), "4711");
  EXPECT_EQ(name.Segment(4), "2");
  EXPECT_EQ(name.Segment(5), "");
}

TEST(NameTest, RefusalsGiveThePosition) {
  EXPECT_EQ(Refusal("a/b*/c"),
            "name \"a/b*/c\": at byte 3: only A-Z a-z 0-9 . _ - may be in a segment");
  EXPECT_EQ(Refusal(""), "name \"\": at byte 0: a segment is empty");
  EXPECT_EQ(Refusal("/a/b/c"), "name \"/a/b/c\": at byte 0: a segment is empty");
  EXPECT_EQ(Refusal("a//b/c"), "name \"a//b/c\": at byte 2: a segment is empty");
  EXPECT_EQ(Refusal("a/b/c/"), "name \"a/b/c/\": at byte 6: a segment is empty");
  EXPECT_EQ(Refusal("a/./c"), "name \"a/./c\": at byte 2: \".\" is no segment");
  EXPECT_EQ(Refusal("a/b/.."), "name \"a/b/..\": at byte 4: \"..\" is no segment");
  EXPECT_EQ(Refusal("a/b"),
            "name \"a/b\": at byte 3: the text ends, but a name is realm/kind/key or longer");
  EXPECT_EQ(Refusal(std::string_view("a/b\0/c", 6)),
            "name \"a/b\\x00/c\": at byte 3: only A-Z a-z 0-9 . _ - may be in a segment");
  EXPECT_NE(Refusal("a/b\xc3\xa4/c").find("at byte 3"), std::string::npos);
}

TEST(NameTest, EveryByteIsTakenOrRefused) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("a/b/c") + static_cast<char>(byte) + "d";
    const bool allowed =
        std::isalnum(byte) != 0 || byte == '.' || byte == '_' || byte == '-' || byte == '/';
    EXPECT_EQ(Name::Parse(text).ok(), allowed) << byte;
  }
}

TEST(NameTest, LimitsAreExact) {
  EXPECT_TRUE(Name::Parse("a/b/" + std::string(255, 'x')).ok());
  EXPECT_NE(Refusal("a/b/" + std::string(256, 'x')).find("at byte 259: a segment has more than"),
            std::string::npos);
  const std::string quarter = std::string(255, 'x') + "/";
  const std::string longest = quarter + quarter + quarter + std::string(255, 'x');
  ASSERT_EQ(longest.size(), Path::kMaxBytes);
  EXPECT_TRUE(Name::Parse(longest).ok());
  EXPECT_NE(Refusal(longest + "/y").find("at byte 1023: more than 1023 bytes"), std::string::npos);
  std::string many = "0";
  for (int i = 1; i < 16; ++i) many += "/" + std::to_string(i);
  EXPECT_TRUE(Name::Parse(many).ok());
  EXPECT_NE(Refusal(many + "/x").find(": more than 16 segments"), std::string::npos);
}

TEST(NameTest, HugeGarbageIsShownInPart) {
  EXPECT_LT(Refusal(std::string(1 << 20, '\xff')).size(), 500u);
}

TEST(PathTest, PrefixesMatchWholeSegments) {
  const Path path = *Path::Parse("p");
  EXPECT_TRUE(path.Contains(*Name::Parse("p/q/r")));
  EXPECT_FALSE(path.Contains(*Name::Parse("pingers/q/r")));
  EXPECT_TRUE(Path::Parse("a/b")->Contains(*Name::Parse("a/b/c")));
  EXPECT_FALSE(Path::Parse("a/b")->Contains(*Name::Parse("a/bc/d")));
  EXPECT_FALSE(Path::Parse("a/b")->Contains(*Name::Parse("a/b-c/d")));
  EXPECT_TRUE(Path::Parse("a/b/c")->Contains(*Name::Parse("a/b/c")));
  EXPECT_FALSE(Path::Parse("a/b/c/d")->Contains(*Name::Parse("a/b/c")));
  EXPECT_TRUE(Path::Root().Contains(*Name::Parse("a/b/c")));
  EXPECT_EQ(Path::Root().size(), 0u);
}

TEST(PathTest, IsCheckedAsNamesAre) {
  EXPECT_TRUE(Path::Parse("a").ok());
  EXPECT_EQ(Path::Parse("a/b")->size(), 2u);
  EXPECT_EQ(Path::Parse("a/").status().message(), "path \"a/\": at byte 2: a segment is empty");
  EXPECT_FALSE(Path::Parse("").ok());
}

}  // namespace
}  // namespace grid
