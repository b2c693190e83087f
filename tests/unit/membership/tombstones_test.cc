#include "grid/membership/tombstones.h"

#include <gtest/gtest.h>

#include "grid/membership/member.h"

namespace grid::internal {
namespace {

Entry Of(const Tombstone& tombstone, uint64_t epoch = 1) {
  return {.name = *TombstoneName(tombstone),
          .holding = Holding::kShared,
          .epoch = epoch,
          .member = "http://declarer",
          .attributes = {{Member::kUrl, tombstone.first}}};
}

TEST(TombstonesTest, NamesAndEntriesAreExactInverses) {
  for (const uint64_t incarnation : {uint64_t{1}, uint64_t{1} << 40, UINT64_MAX}) {
    const Tombstone tombstone("http://node1:9000", incarnation);
    EXPECT_EQ(TombstoneName(tombstone)->text(),
              "sys/member/http_3a_2f_2fnode1_3a9000/down/" + std::to_string(incarnation));
    EXPECT_EQ(TombstoneOf(Of(tombstone)), tombstone);
  }
  EXPECT_FALSE(TombstoneName({"", 1}).ok());
  EXPECT_FALSE(TombstoneName({std::string(300, 'x'), 1}).ok());
  Entry entry = Of({"a", 1});
  entry.attributes = {};
  EXPECT_EQ(TombstoneOf(entry), std::nullopt);
  entry.attributes = {{Member::kUrl, "b"}};
  EXPECT_EQ(TombstoneOf(entry), std::nullopt);
  // 2^64 + 1, which would be 1.
  entry = Of({"a", 1});
  entry.name = *Name::Parse("sys/member/a/down/18446744073709551617");
  EXPECT_EQ(TombstoneOf(entry), std::nullopt);
}

TEST(TombstonesTest, OneStandsAsLongAsAnybodyHoldsItUp) {
  Tombstones tombstones(2);
  EXPECT_TRUE(tombstones.Put({"a", 1}, 10));
  EXPECT_TRUE(tombstones.Put({"a", 1}, 11));
  EXPECT_TRUE(tombstones.Put({"a", 2}, 12));
  EXPECT_FALSE(tombstones.Put({"b", 1}, 13)) << "one too many";
  EXPECT_TRUE(tombstones.Put({"a", 2}, 14));
  EXPECT_EQ(tombstones.size(), 2u);
  tombstones.Remove({"a", 1}, 10);
  tombstones.Remove({"a", 1}, 12);
  EXPECT_TRUE(tombstones.contains({"a", 1}));
  tombstones.Remove({"a", 1}, 11);
  tombstones.Remove({"a", 1}, 11);
  EXPECT_FALSE(tombstones.contains({"a", 1}));
  EXPECT_TRUE(tombstones.contains({"a", 2}));
  EXPECT_FALSE(tombstones.contains({"b", 1}));
  tombstones.Clear();
  EXPECT_EQ(tombstones.size(), 0u);
}

}  // namespace
}  // namespace grid::internal
