#include "grid/mux/fragmenter.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace grid {
namespace {

class FragmenterTest : public ::testing::Test {
 protected:
  Fragmenter Cut(const Message& message, size_t most) {
    return Fragmenter(message, Buffer::CopyOf(message.payload), most, *pool_);
  }
  static ExtensionFields Fields(const Message& part) {
    ExtensionFields fields;
    EXPECT_TRUE(ReadExtension(part.extension, &fields));
    return fields;
  }

  std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  ExtensionBlock block_;
};

TEST_F(FragmenterTest, PartsAreThoseOfThePayload) {
  Fragmenter cut = Cut({.mux_id = 7,
                        .seq = 3,
                        .deadline_ms = 50,
                        .handler = 9,
                        .op = Op::kRequest,
                        .flags = kFlagCrc | kFlagEof,
                        .payload = AsBytes("abcdefgh")},
                       3);
  std::string whole;
  for (const size_t offset : {0, 3, 6}) {
    EXPECT_EQ(cut.left(), 8 - offset);
    const Message part = cut.Next(&block_);
    EXPECT_EQ(part.mux_id, 7u);
    EXPECT_EQ(part.seq, 3u);
    EXPECT_EQ(part.deadline_ms, 50u);
    EXPECT_EQ(part.handler, 9);
    EXPECT_EQ(part.flags, kFlagCrc | kFlagEof | kFlagExtended);
    EXPECT_EQ(Fields(part).offset, offset);
    EXPECT_EQ(Fields(part).more, offset != 6);
    whole += AsText(part.payload);
  }
  EXPECT_EQ(whole, "abcdefgh");
  EXPECT_EQ(cut.left(), 0u);
}

TEST_F(FragmenterTest, FieldsOfTheMessage_AreInTheLast) {
  ExtensionBlock own;
  own.Write({.grant_messages = 4, .priority = 3});
  Fragmenter cut =
      Cut({.op = Op::kRequest, .payload = AsBytes("abcd"), .extension = own.view()}, 2);
  own = ExtensionBlock();  // it was copied
  EXPECT_EQ(Fields(cut.Next(&block_)).priority, 0);
  const ExtensionFields last = Fields(cut.Next(&block_));
  EXPECT_EQ(last.priority, 3);
  EXPECT_EQ(last.grant_messages, 4u);
  EXPECT_EQ(last.offset, 2u);
}

TEST_F(FragmenterTest, SubrouteIsInAll_AlsoAfterAMove) {
  std::string subroute(kSubrouteIdSize, 's');
  Fragmenter cut = Cut({.op = Op::kRequest,
                        .flags = kFlagSubroute,
                        .payload = AsBytes("ab"),
                        .subroute = AsBytes(subroute).data()},
                       1);
  subroute.assign(kSubrouteIdSize, 'x');
  for (int i = 0; i < 2; ++i) {
    Fragmenter moved = std::move(cut);
    const Message part = moved.Next(&block_);
    EXPECT_EQ(AsText({part.subroute, kSubrouteIdSize}), std::string(kSubrouteIdSize, 's'));
    cut = std::move(moved);
  }
}

}  // namespace
}  // namespace grid
