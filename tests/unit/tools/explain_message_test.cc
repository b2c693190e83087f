#include "tools/common/explain_message.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "serialization/message.h"
#include "serialization/metadata.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

absl::StatusOr<json::object> ExplainHex(std::string_view hex) {
  const absl::StatusOr<std::string> bytes = ParseHex(hex);
  if (!bytes.ok()) return bytes.status();
  return ExplainMessage(AsBytes(*bytes));
}

TEST(ParseHex, TakesWhiteSpaceAndAPrefix) {
  EXPECT_EQ(*ParseHex("0x48 65\n6C6c 6f\n"), "Hello");
  EXPECT_EQ(*ParseHex("  48"), "H");
}

TEST(ParseHex, SaysWhereItIsWrong) {
  EXPECT_EQ(ParseHex("4g").status().message(), "hex: character 2 is no hex digit");
  EXPECT_EQ(ParseHex("484").status().message(), "hex: an odd number of digits (3)");
  EXPECT_EQ(ParseHex(" \n").status().message(), "hex: no digits");
}

TEST(ExplainMessage, RequestWithChecksum) {
  const auto explained = ExplainHex("970100cdea604e0e03c40568656c6c6f81f402a0");
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ(FormatExplanation(*explained),
            "size: 20\n"
            "mux_id: 1\n"
            "seq: 0\n"
            "deadline_ms: 60000\n"
            "handler: 78\n"
            "op: 14\n"
            "op_name: Request\n"
            "flags: 3\n"
            "flag_names: CRC|EOF\n"
            "payload:\n"
            "  size: 5\n"
            "  hex: 68656c6c6f\n"
            "  text: hello\n"
            "crc:\n"
            "  given: a002f481\n"
            "  computed: a002f481\n"
            "  ok: true\n");
  EXPECT_FALSE(HasBadChecksum(*explained));
}

TEST(ExplainMessage, WrongChecksumIsExplainedNotRefused) {
  const auto explained = ExplainHex("970100cdea604e0e03c40568656c6c6f81f402a1");
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_TRUE(HasBadChecksum(*explained));
  EXPECT_EQ(explained->at("crc").at("given"), "a102f481");
  EXPECT_EQ(explained->at("crc").at("computed"), "a002f481");
  EXPECT_EQ(explained->at("payload").at("text"), "hello");
}

TEST(ExplainMessage, NilAndEmptyPayloads) {
  EXPECT_EQ(ExplainHex("97010000000f02c400")->at("payload").at("is"), "nil");
  EXPECT_EQ(ExplainHex("97010000000f12c400")->at("payload").at("is"), "empty");
}

TEST(ExplainMessage, ControlPayloadsAreDecoded) {
  const auto ping = ExplainHex("970000cd2710000300c41281a174c70c050000000065937d25287735f2");
  ASSERT_TRUE(ping.ok()) << ping.status();
  EXPECT_EQ(ping->at("op_name"), "Ping");
  EXPECT_EQ(ping->at("payload").at("decoded").at("t"), "2024-01-02T03:04:05.678901234+00:00");
  const auto pong = ExplainHex(
      "97090400000400c42983a26e66c2a165b0636f6e746578742063616e63656c6564"
      "a174c70c05fffffff1886e090000000000");
  ASSERT_TRUE(pong.ok()) << pong.status();
  EXPECT_EQ(pong->at("payload").at("decoded").at("nf"), false);
  EXPECT_EQ(pong->at("payload").at("decoded").at("e"), "context canceled");
  const auto refused = ExplainHex(
      "970700cdea60ccc80602c41781a54572726f72af496e76616c69642048616e64"
      "6c6572");
  ASSERT_TRUE(refused.ok()) << refused.status();
  EXPECT_EQ(refused->at("payload").at("decoded").at("Error"), "Invalid Handler");
}

TEST(ExplainMessage, MergedShowsItsMessagesIndented) {
  const auto explained = ExplainHex(
      "97000200001100c400c40d97020500000c01c400ae964546c40f97020600000a01c4026d32fccffb");
  EXPECT_FALSE(explained.ok());  // one byte of the second is missing
  EXPECT_EQ(explained.status().message().substr(0, 15), "inner message 1");

  const auto whole =
      ExplainHex("97000200001100c400c40d97020700000a03c400d79e7839c40d97020000000701c4001cf6a63c");
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_EQ(whole->at("messages").as_array().size(), 2u);
  const std::string text = FormatExplanation(*whole);
  EXPECT_NE(text.find("message 0:\n  size: 13\n"), std::string::npos) << text;
  EXPECT_NE(text.find("message 1:\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  op_name: DisconnectClientMux\n"), std::string::npos) << text;
  EXPECT_FALSE(HasBadChecksum(*whole));
}

TEST(ExplainMessage, BadChecksumOfAnInnerMessageIsFound) {
  const auto explained = ExplainHex("97000100001100c400c40d97020700000a03c400d79e7838");
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_TRUE(HasBadChecksum(*explained));
}

TEST(ExplainMessage, MergedInMergedAndImpossibleCountsAreRefused) {
  EXPECT_NE(ExplainHex("97000100001100c400c40997000000001100c400")
                .status()
                .message()
                .find("Merged inside a Merged"),
            std::string::npos);
  EXPECT_NE(ExplainHex("9700ceffffffff00001100c400c400").status().message().find("4294967295"),
            std::string::npos);
}

TEST(ExplainMessage, SubrouteAndIgnoredBytes) {
  const auto subroute = ExplainHex(
      "970300cd13884e0e22c40568656c6c6f4e003cc0be20aea0ea976ec7db644da710f07e114deddb9698"
      "d1367833d1a420");
  ASSERT_TRUE(subroute.ok()) << subroute.status();
  EXPECT_EQ(subroute->at("subroute"),
            "4e003cc0be20aea0ea976ec7db644da710f07e114deddb9698d1367833d1a420");
  EXPECT_EQ(ExplainHex("97010000000f02c400abcd")->at("ignored"), "abcd");
}

TEST(ExplainMessage, ExtensionBlockIsTakenApart) {
  Metadata metadata;
  ASSERT_TRUE(metadata.Add("tenant", "blue").ok());
  ASSERT_TRUE(metadata.Add("id", "\x01").ok());
  const auto explain = [](const ExtensionFields& fields) {
    ExtensionBlock block;
    EXPECT_TRUE(block.Write(fields));
    const auto explained = ExplainMessage(AsBytes(test::Encoded(
        {.mux_id = 1, .op = Op::kRequest, .flags = kFlagExtended, .extension = block.view()})));
    EXPECT_TRUE(explained.ok()) << explained.status();
    return explained->at("extension").as_object();
  };
  const boost::json::object all = explain(
      {.traceparent = "00-1", .metadata = metadata.view().bytes(), .handler = 300, .priority = 2});
  EXPECT_EQ(all.at("Traceparent"), "00-1");
  EXPECT_EQ(all.at("Metadata").at("tenant"), "blue");
  EXPECT_EQ(all.at("Metadata").at("id"), "01");
  EXPECT_EQ(all.at("Handler"), 300);
  EXPECT_EQ(explain({.metadata = AsBytes("\x05")}).at("Metadata"), "05");
}

TEST(ExplainMessage, MalformedMessagesNameTheField) {
  for (const char* bad : {"97", "96010000000f02c400", "a0", "97a10000000f02c400",
                          "97010000000f02c4056869", "97010000000f03c400ab"}) {
    const auto explained = ExplainHex(bad);
    EXPECT_EQ(explained.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_FALSE(explained.status().message().empty());
  }
}

TEST(ExplainMessage, EveryRecordedMessageIsExplained) {
  std::ifstream file(GRID_TEST_VECTORS "/v1.json");
  std::stringstream text;
  text << file.rdbuf();
  const json::value vectors = json::parse(text.str());
  for (const json::value& item : vectors.at("messages").as_array()) {
    const std::string name(item.at("name").as_string());
    const std::string hex(item.at("hex").as_string());
    // Of the largest only the beginning is recorded.
    if (hex.size() / 2 < item.at("fields").at("payload_len").to_number<size_t>()) continue;
    const auto explained = ExplainHex(hex);
    ASSERT_TRUE(explained.ok()) << name << ": " << explained.status();
    EXPECT_FALSE(HasBadChecksum(*explained)) << name;
    EXPECT_FALSE(FormatExplanation(*explained).empty());
  }
}

}  // namespace
}  // namespace grid::tools
