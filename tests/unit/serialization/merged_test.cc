#include "serialization/merged.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

using test::FromHex;

TEST(Merged, BinHeadersAreTheShortest) {
  const std::vector<std::pair<size_t, std::string>> headers = {
      {0, "c400"},       {255, "c4ff"},         {256, "c50100"},
      {65535, "c5ffff"}, {65536, "c600010000"}, {size_t{32} << 20, "c602000000"},
  };
  for (const auto& [size, hex] : headers) {
    uint8_t out[kMaxBinHeader];
    uint8_t* const end = WriteBinHeader(size, out);
    EXPECT_EQ(test::ToHex(BytesView(out, end)), hex);
    EXPECT_EQ(BinHeaderSize(size), hex.size() / 2);
  }
}

TEST(Merged, HeaderIsWrittenUpToTheGivenEnd) {
  for (const uint32_t count : {0u, 1u, 50u, 127u, 128u, 255u, 256u, 65535u, 65536u, UINT32_MAX}) {
    std::string room(kMaxMergedHeader + 2, 'x');
    auto* const end = reinterpret_cast<uint8_t*>(room.data()) + room.size() - 1;
    uint8_t* const begin = WriteMergedHeaderBackward(count, end);
    EXPECT_GE(end - begin, 9);
    EXPECT_EQ(room.back(), 'x');
    EXPECT_EQ(room.front(), 'x');
    Message outer;
    BytesView rest;
    ASSERT_EQ(DecodeMessage({begin, end}, &outer, &rest), DecodeError::kOk);
    EXPECT_EQ(outer.op, Op::kMerged);
    EXPECT_EQ(outer.seq, count);
    EXPECT_EQ(outer.flags, 0);
    EXPECT_TRUE(IsNil(outer.payload));
    EXPECT_TRUE(rest.empty());
  }
}

TEST(Merged, ReaderWalksEveryMessage) {
  const std::string long_one(70000, 'z');
  const std::vector<std::string> inner = {"", "a", std::string(300, 'y'), long_one};
  std::string rest;
  for (const std::string& one : inner) {
    uint8_t header[kMaxBinHeader];
    rest += AsText({header, WriteBinHeader(one.size(), header)});
    rest += one;
  }
  MergedReader reader(4, AsBytes(rest));
  EXPECT_FALSE(reader.ImpossibleCount());
  BytesView one;
  for (const std::string& want : inner) {
    ASSERT_TRUE(reader.Next(&one));
    EXPECT_EQ(AsText(one), want);
  }
  EXPECT_FALSE(reader.Next(&one));
  EXPECT_TRUE(reader.ok());
}

TEST(Merged, FewerMessagesThanAnnounced) {
  const std::string rest = FromHex("c40161c40162");
  MergedReader reader(3, AsBytes(rest));
  BytesView one;
  EXPECT_TRUE(reader.Next(&one));
  EXPECT_TRUE(reader.Next(&one));
  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.Next(&one));
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.Next(&one));
}

TEST(Merged, NothingAnnouncedIsFineWhateverFollows) {
  const std::string rest = FromHex("c40161");
  MergedReader reader(0, AsBytes(rest));
  BytesView one;
  EXPECT_FALSE(reader.Next(&one));
  EXPECT_TRUE(reader.ok());
}

TEST(Merged, NotABinOrTruncated) {
  for (const char* hex :
       {"a161", "97", "c0", "c402", "c40261", "c5ffff61", "c6ffffffff61", "c6ff"}) {
    const std::string rest = FromHex(hex);
    MergedReader reader(1, AsBytes(rest));
    BytesView one;
    EXPECT_FALSE(reader.Next(&one)) << hex;
    EXPECT_FALSE(reader.ok()) << hex;
  }
}

TEST(Merged, CountIsHeldAgainstTheBytes) {
  const std::string rest = FromHex("c400c400c400");
  EXPECT_FALSE(MergedReader(3, AsBytes(rest)).ImpossibleCount());
  EXPECT_TRUE(MergedReader(4, AsBytes(rest)).ImpossibleCount());
  EXPECT_TRUE(MergedReader(UINT32_MAX, AsBytes(rest)).ImpossibleCount());
  EXPECT_FALSE(MergedReader(0, BytesView()).ImpossibleCount());
  EXPECT_TRUE(MergedReader(1, BytesView()).ImpossibleCount());
}

}  // namespace
}  // namespace grid
