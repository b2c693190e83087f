#include "serialization/extension_block.h"

#include <gtest/gtest.h>

#include <string>

#include "serialization/message.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

using test::Encoded;

std::string Written(const ExtensionFields& fields) {
  ExtensionBlock block;
  EXPECT_TRUE(block.Write(fields));
  return std::string(AsText(block.view()));
}

TEST(ExtensionBlock, Nothing_IsAnEmptyMap) { EXPECT_EQ(Written({}), "\x80"); }

TEST(ExtensionBlock, WritesWhatIsSet_InTheOrderOfItsKeys) {
  EXPECT_EQ(Written({.code = 5, .delivery = 4}), "\x82\x0b\x05\x0c\x04");
  EXPECT_EQ(Written({.offset = 65536, .more = true}),
            std::string("\x82\x05\xce\0\1\0\0\x06\xc3", 9));
}

TEST(ExtensionBlock, EveryField_ComesBack) {
  const ExtensionFields fields{
      .grant_messages = UINT32_MAX,
      .grant_bytes = UINT64_MAX,
      .window_messages = UINT32_MAX,
      .window_bytes = UINT64_MAX,
      .offset = UINT64_MAX,
      .more = true,
      .original_bytes = UINT64_MAX,
      .dictionary = UINT32_MAX,
      .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      .metadata = AsBytes("\x81\xa1k\xa1v"),
      .code = 255,
      .delivery = 255,
      .handler = UINT16_MAX,
      .priority = 255};
  const std::string block = Written(fields);
  ExtensionFields read;
  ASSERT_TRUE(ReadExtension(AsBytes(block), &read));
  EXPECT_EQ(read.grant_messages, fields.grant_messages);
  EXPECT_EQ(read.grant_bytes, fields.grant_bytes);
  EXPECT_EQ(read.window_messages, fields.window_messages);
  EXPECT_EQ(read.window_bytes, fields.window_bytes);
  EXPECT_EQ(read.offset, fields.offset);
  EXPECT_TRUE(read.more);
  EXPECT_EQ(read.original_bytes, fields.original_bytes);
  EXPECT_EQ(read.dictionary, fields.dictionary);
  EXPECT_EQ(read.traceparent, fields.traceparent);
  EXPECT_EQ(AsText(read.metadata), AsText(fields.metadata));
  EXPECT_EQ(read.code, fields.code);
  EXPECT_EQ(read.delivery, fields.delivery);
  EXPECT_EQ(read.handler, fields.handler);
  EXPECT_EQ(read.priority, fields.priority);
}

TEST(ExtensionBlock, MoreThanFits_IsRefusedAndLeavesNothing) {
  // A map's header, a key, a header of two bytes, and the bytes.
  const std::string most(kMaxExtensionBytes - 4, 'm');
  EXPECT_EQ(Written({.metadata = AsBytes(most)}).size(), kMaxExtensionBytes);
  ExtensionBlock block;
  ASSERT_TRUE(block.Write({.code = 1}));
  EXPECT_FALSE(block.Write({.metadata = AsBytes(most), .code = 1}));
  EXPECT_TRUE(block.view().empty());
  const std::string huge(1 << 20, 'm');
  EXPECT_FALSE(block.Write({.metadata = AsBytes(huge)}));
  EXPECT_FALSE(block.Write({.traceparent = huge}));
}

TEST(ExtensionBlock, UnknownKeys_AreSkipped) {
  ExtensionFields read;
  // 100: [1, 2], 11: 7
  ASSERT_TRUE(ReadExtension(AsBytes("\x82\x64\x92\x01\x02\x0b\x07"), &read));
  EXPECT_EQ(read.code, 7);
}

TEST(ExtensionBlock, WhatIsNoBlock_IsRefused) {
  ExtensionFields read;
  EXPECT_FALSE(ReadExtension({}, &read));
  EXPECT_FALSE(ReadExtension(AsBytes("\x90"), &read));                  // an array
  EXPECT_FALSE(ReadExtension(AsBytes("\x81"), &read));                  // cut off
  EXPECT_FALSE(ReadExtension(AsBytes("\x81\x0b\xcd\x01\x2c"), &read));  // 300 as a uint8
  EXPECT_FALSE(ReadExtension(AsBytes("\x81\xa1k\x01"), &read));         // a key that is no number
  EXPECT_FALSE(ReadExtension(AsBytes("\x80\x01"), &read));              // something behind it
  EXPECT_FALSE(ReadExtension(AsBytes("\xdf\xff\xff\xff\xff\x0b\x01"), &read));  // 2^32 - 1 entries
}

TEST(ExtensionBlock, TravelsBetweenArrayAndTrailers) {
  ExtensionBlock block;
  ASSERT_TRUE(block.Write({.code = 5}));
  uint8_t subroute[kSubrouteIdSize] = {2};
  const Message message{.mux_id = 1,
                        .op = Op::kRequest,
                        .flags = kFlagExtended | kFlagSubroute | kFlagCrc,
                        .payload = AsBytes("hi"),
                        .subroute = subroute,
                        .extension = block.view()};
  const std::string bytes = Encoded(message);
  Message read;
  ASSERT_EQ(DecodeMessage(AsBytes(bytes), &read), DecodeError::kOk);
  EXPECT_EQ(AsText(read.extension), AsText(block.view()));
  EXPECT_EQ(AsText(read.payload), "hi");
  ASSERT_NE(read.subroute, nullptr);
  EXPECT_EQ(read.subroute[0], 2);
}

TEST(ExtensionBlock, HandlersAbove255_AreZeroInTheArray) {
  const std::string zero = Encoded({.mux_id = 1, .handler = 0, .op = Op::kRequest});
  for (const uint16_t handler : {256, 300, 65535}) {
    EXPECT_EQ(Encoded({.mux_id = 1, .handler = handler, .op = Op::kRequest}), zero);
  }
}

// What an end without any extension makes of the flag: nothing.
TEST(ExtensionBlock, FlagWithoutBlock_DecodesAsBefore) {
  const std::string bytes =
      Encoded({.mux_id = 1, .op = Op::kRequest, .flags = kFlagExtended, .payload = AsBytes("hi")});
  Message read;
  ASSERT_EQ(DecodeMessage(AsBytes(bytes), &read), DecodeError::kOk);
  EXPECT_TRUE(IsNil(read.extension));
  for (const std::string_view behind :
       {"\xc4", "\xc4\x05\x80", "\xc4\x01\x80\x80", "\x80\x80\x80"}) {
    const std::string longer = bytes + std::string(behind);
    ASSERT_EQ(DecodeMessage(AsBytes(longer), &read), DecodeError::kOk);
    EXPECT_TRUE(IsNil(read.extension));
  }
}

}  // namespace
}  // namespace grid
