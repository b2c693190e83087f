#include "serialization/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "serialization/extension_block.h"

namespace grid {
namespace {

using ::testing::HasSubstr;
using Entries = std::vector<std::pair<std::string, std::string>>;

Entries EntriesOf(const MetadataView& view) {
  Entries entries;
  for (const MetadataView::Entry entry : view) entries.emplace_back(entry.key, entry.value);
  return entries;
}

void ExpectInvalid(const absl::Status& status, const std::string& why) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("metadata: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(why));
}

TEST(Metadata, Nothing_IsNil) {
  const Metadata none;
  EXPECT_TRUE(none.view().empty());
  EXPECT_EQ(none.view().size(), 0u);
  EXPECT_TRUE(IsNil(none.view().bytes()));
  EXPECT_EQ(none.view().Find("a"), std::nullopt);
  EXPECT_TRUE(EntriesOf(none).empty());
  EXPECT_TRUE(EntriesOf(MetadataView()).empty());
}

TEST(Metadata, EntriesComeBackInTheirOrder) {
  const std::string longer(40, 'v');
  const std::string zeros("\0\xff", 2);
  Metadata metadata;
  ASSERT_TRUE(metadata.Add("tenant", "blue").ok());
  ASSERT_TRUE(metadata.Add("empty", "").ok());
  ASSERT_TRUE(metadata.Add("a", longer).ok());
  ASSERT_TRUE(metadata.Add(zeros, zeros).ok());
  const Entries expected = {{"tenant", "blue"}, {"empty", ""}, {"a", longer}, {zeros, zeros}};
  EXPECT_EQ(EntriesOf(metadata), expected);

  const std::string copy(AsText(metadata.view().bytes()));
  const absl::StatusOr<MetadataView> read = MetadataView::Parse(AsBytes(copy));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 4u);
  EXPECT_EQ(EntriesOf(*read), expected);
  EXPECT_EQ(read->Find("a"), longer);
  EXPECT_EQ(read->Find("empty"), "");
  EXPECT_EQ(read->Find("b"), std::nullopt);
}

TEST(Metadata, Limits_AreNamedAndNothingIsAdded) {
  Metadata metadata;
  ExpectInvalid(metadata.Add("", "x"), "a key is empty");
  ExpectInvalid(metadata.Add("k", std::string(112, 'v')),
                "113 bytes of keys and values, more than 112");
  EXPECT_TRUE(metadata.view().empty());
  ASSERT_TRUE(metadata.Add("k", std::string(111, 'v')).ok());
  ExpectInvalid(metadata.Add("k", ""), "a key occurs twice");
  ExpectInvalid(metadata.Add("l", ""), "113 bytes");
  EXPECT_EQ(metadata.view().size(), 1u);

  Metadata many;
  for (char key = 'a'; key < 'i'; ++key) ASSERT_TRUE(many.Add({&key, 1}, "").ok());
  ExpectInvalid(many.Add("i", ""), "more than 8 entries");
  EXPECT_EQ(many.view().size(), 8u);
}

// Three long texts need two bytes of header each, all others one.
TEST(Metadata, TheLargest_FitsABlockWithEverythingElse) {
  Metadata metadata;
  const std::string text(32, 't');
  ASSERT_TRUE(metadata.Add(text, std::string(32, 'u')).ok());
  ASSERT_TRUE(metadata.Add(std::string(32, 'v'), "12345").ok());
  for (char key = 'a'; key < 'g'; ++key) ASSERT_TRUE(metadata.Add({&key, 1}, "").ok());
  ASSERT_EQ(metadata.view().size(), MetadataView::kMaxEntries);
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  ExtensionBlock block;
  EXPECT_TRUE(block.Write({.window_messages = UINT32_MAX,
                           .window_bytes = UINT64_MAX,
                           .offset = UINT64_MAX,
                           .more = true,
                           .original_bytes = UINT64_MAX,
                           .dictionary = UINT32_MAX,
                           .traceparent = trace,
                           .metadata = metadata.view().bytes(),
                           .handler = UINT16_MAX,
                           .priority = 3}));
}

TEST(Metadata, WhatIsNone_IsRefused) {
  const std::string many =
      "\x89\xa1\x61\xa0\xa1\x62\xa0\xa1\x63\xa0\xa1\x64\xa0\xa1\x65\xa0"
      "\xa1\x66\xa0\xa1\x67\xa0\xa1\x68\xa0\xa1\x69\xa0";
  const std::string large = "\x81\xa1k\xd9\x70" + std::string(112, 'v');
  // Within the limits, but in headers that take more than these leave room for.
  std::string wide = "\x88";
  for (char key = 'a'; key < 'i'; ++key) {
    wide += std::string("\xdb\0\0\0\1", 5) + key + std::string("\xdb\0\0\0\x0c", 5);
    wide += std::string(12, 'v');
  }
  const struct {
    std::string bytes;
    const char* why;
  } kCases[] = {
      {"", "not a map"},
      {"\x90", "not a map"},
      {"\xa1k", "not a map"},
      {std::string("\xde\0\1\xa1k\xa1v", 7), "not a map of at most 15"},
      {"\x81", "no text, or is cut off"},
      {"\x81\xa1k", "no text, or is cut off"},
      {"\x81\xa1k\xa2v", "no text, or is cut off"},
      {"\x81\xa1k\x05", "no text, or is cut off"},
      {"\x81\x05\xa1v", "no text, or is cut off"},
      {"\x81\xa0\xa1v", "a key is empty"},
      {"\x82\xa1k\xa1v\xa1k\xa1w", "a key occurs twice"},
      {"\x80\x80", "something follows"},
      {"\x81\xa1k\xa1v\xc0", "something follows"},
      {many, "more than 8 entries"},
      {large, "113 bytes"},
      {wide, "more bytes"},
  };
  for (const auto& one : kCases) {
    ExpectInvalid(MetadataView::Parse(AsBytes(one.bytes)).status(), one.why);
  }
  const absl::StatusOr<MetadataView> empty = MetadataView::Parse(AsBytes("\x80"));
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty());
  // Another form of a text's header.
  const absl::StatusOr<MetadataView> other = MetadataView::Parse(AsBytes("\x81\xd9\x01k\xd9\x01v"));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(EntriesOf(*other), (Entries{{"k", "v"}}));
}

}  // namespace
}  // namespace grid
