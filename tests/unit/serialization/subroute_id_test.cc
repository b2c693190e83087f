#include "serialization/subroute_id.h"

#include <gtest/gtest.h>

#include "absl/hash/hash.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

TEST(SubrouteId, HandlerTakesTheFirstTwoBytes) {
  const SubrouteId id = MakeSubrouteId("sub/route", 78);
  EXPECT_EQ(test::ToHex(BytesView(id.bytes)),
            "4e003cc0be20aea0ea976ec7db644da710f07e114deddb9698d1367833d1a420");
  EXPECT_EQ(id.ForHandler(2), MakeSubrouteId("sub/route", 2));
  EXPECT_NE(id.ForHandler(2), id);
  EXPECT_EQ(id.ForHandler(2).ForHandler(78), id);
}

TEST(SubrouteId, IdsAbove255_TakeBothBytes_LowFirst) {
  const SubrouteId id = MakeSubrouteId("sub/route", 0x012c);
  EXPECT_EQ(test::ToHex(BytesView(id.bytes)),
            "2c013cc0be20aea0ea976ec7db644da710f07e114deddb9698d1367833d1a420");
  EXPECT_EQ(id.ForHandler(78), MakeSubrouteId("sub/route", 78));
}

TEST(SubrouteId, RoutesDiffer) {
  EXPECT_NE(MakeSubrouteId("sub/route", 1), MakeSubrouteId("sub/routf", 1));
  EXPECT_NE(MakeSubrouteId("", 1), MakeSubrouteId("/", 1));
}

TEST(SubrouteId, FromBytesIsTheInverse) {
  const SubrouteId id = MakeSubrouteId("sub/route", 7);
  const SubrouteId copy = SubrouteId::FromBytes(id.bytes.data());
  EXPECT_EQ(copy, id);
  EXPECT_EQ(absl::HashOf(copy), absl::HashOf(id));
}

}  // namespace
}  // namespace grid
