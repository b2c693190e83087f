#include "serialization/string_map.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"

namespace grid {
namespace {

std::string Hex(BytesView bytes) { return absl::BytesToHexString(std::string(AsText(bytes))); }
Buffer FromHex(std::string_view hex) {
  return Buffer::CopyOf(absl::HexStringToBytes(std::string(hex)));
}

TEST(StringMap, RecordedMapsDecodeAndEncodeToTheSameBytes) {
  std::ifstream file(GRID_TEST_VECTORS "/v1.json");
  std::stringstream text;
  text << file.rdbuf();
  const boost::json::value vectors = boost::json::parse(text.str());
  int seen = 0;
  for (const boost::json::value& item : vectors.at("typed_payloads").as_array()) {
    const std::string name(item.at("name").as_string());
    if (name.rfind("MSS-", 0) != 0) continue;
    ++seen;
    const std::string hex(item.at("hex").as_string());
    const boost::json::value& value = item.at("fields").at("value");
    const auto decoded = DecodeStringMap(FromHex(hex));
    ASSERT_TRUE(decoded.ok()) << name << ": " << decoded.status();
    ASSERT_EQ(decoded->has_value(), !value.is_null()) << name;
    if (decoded->has_value()) {
      StringMap expected;
      for (const auto& [key, text_value] : value.as_object()) {
        expected[std::string(key)] = std::string(text_value.as_string());
      }
      EXPECT_EQ(**decoded, expected) << name;
    }
    EXPECT_EQ(Hex(EncodeStringMap(*decoded)), hex) << name;
  }
  EXPECT_GE(seen, 5);
}

TEST(StringMap, HeadersGrowWithTheCount) {
  for (const int count : {15, 16, 65535, 65536}) {
    StringMap map;
    for (int i = 0; i < count; ++i) map[std::to_string(i)] = "v";
    const Buffer bytes = EncodeStringMap(map);
    EXPECT_EQ(bytes.data()[0], count <= 15 ? 0x8f : count <= 65535 ? 0xde : 0xdf);
    const auto decoded = DecodeStringMap(bytes);
    ASSERT_TRUE(decoded.ok()) << count;
    EXPECT_EQ(**decoded, map);
  }
}

TEST(StringMap, LastOfEqualKeysStaysAndBytesBehindAreIgnored) {
  const auto decoded = DecodeStringMap(FromHex("82a161a131a161a132ffff"));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(**decoded, (StringMap{{"a", "2"}}));
}

TEST(StringMap, EveryTruncationIsRefused) {
  const Buffer whole = FromHex("82a161a131a162a132");
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto decoded = DecodeStringMap(whole.view().first(size));
    EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(StringMap, WrongTypesNameTheEntry) {
  EXPECT_EQ(DecodeStringMap(FromHex("90")).status().message().substr(0, 11), "string map:");
  EXPECT_NE(DecodeStringMap(FromHex("8101a131")).status().message().find("key 0"),
            std::string::npos);
  EXPECT_NE(DecodeStringMap(FromHex("82a161a131a162c0")).status().message().find("value 1"),
            std::string::npos);
}

TEST(StringMap, DeclaredCountIsCheckedAgainstTheBytes) {
  const auto decoded = DecodeStringMap(FromHex("dfffffffffa161a131"));
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(decoded.status().message().find("4294967295 entries"), std::string::npos);
}

}  // namespace
}  // namespace grid
