// The part of the contract (contract.h) that is about what other systems call these things.
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_ROWS_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_ROWS_H_

#include "absl/strings/str_cat.h"
#include "tests/directory/world.h"

namespace grid {

TEST_P(DirectoryContract, RowNamespaceRealm_IsTheFirstSegment) {
  Make();
  const Held first = Register(0, "red/k/a"), second = Register(1, "blue/k/a");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(Names(2, Under("red")), "red/k/a");
  EXPECT_EQ(Names(2, Under("blue")), "blue/k/a");
}

TEST_P(DirectoryContract, RowCategoryVersion_IsASharedName_TheVersionItsLastSegment) {
  Make();
  std::vector<Registration> held;
  for (const int member : {0, 1}) {
    for (const char* version : {"1.0", "1.1"}) {
      Held one = Register(member, absl::StrCat("r/render/farm/", version), Holding::kShared);
      ASSERT_TRUE(one.ok()) << one.status();
      held.push_back(*std::move(one));
    }
  }
  EXPECT_EQ(Names(2, Only("r/render/farm/1.1")), "r/render/farm/1.1 r/render/farm/1.1");
  EXPECT_EQ(Names(2, Under("r/render/farm").Except({N("r/render/farm/1.0")})),
            "r/render/farm/1.1 r/render/farm/1.1");
}

TEST_P(DirectoryContract, RowTopicSubscriber_IsAPath_SubscribersAreSharedNamesUnderIt) {
  Make();
  const Held first = Register(0, "r/topic/news/a", Holding::kShared);
  const Held second = Register(1, "r/topic/news/b", Holding::kShared);
  const Held other = Register(1, "r/topic/newspaper/b", Holding::kShared);
  EXPECT_EQ(Names(2, Under("r/topic/news")), "r/topic/news/a r/topic/news/b");
}

TEST_P(DirectoryContract, RowAnnotations_AreAttributes) {
  Make();
  Held held = Register(0, "r/k/a", Holding::kExclusive, {{"owner", "me"}, {"load", "1"}});
  ASSERT_TRUE(held.ok() && Update(*held, {{"owner", "me"}, {"draining", "true"}}).ok());
  EXPECT_EQ(Names(1, Under("r").Where("owner", "me").Where("draining", "true")), "r/k/a");
}

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_ROWS_H_
