#include "serialization/control_payloads.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "serialization/buffer_pool.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

using test::EncodedPayload;
using test::FromHex;
using test::ToHex;

template <typename T>
absl::Status DecodeText(const std::string& bytes, T* value) {
  return Decode(AsBytes(bytes), value);
}

// "" when it decodes.
template <typename T>
std::string ErrorOf(const std::string& hex) {
  T value;
  const absl::Status status = DecodeText(FromHex(hex), &value);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  }
  return std::string(status.message());
}

ConnectRequest SampleRequest() {
  ConnectRequest request;
  for (size_t i = 0; i < request.id.size(); ++i) request.id[i] = static_cast<uint8_t>(i);
  request.host = "http://10.0.0.1:9000";
  request.time = {1704164645, 678901234};
  request.token = "secret";
  return request;
}

TEST(ControlPayloads, ConnectRequestRoundTrips) {
  const ConnectRequest request = SampleRequest();
  ConnectRequest back;
  ASSERT_TRUE(DecodeText(EncodedPayload(request), &back).ok());
  EXPECT_EQ(back.id, request.id);
  EXPECT_EQ(back.host, request.host);
  EXPECT_EQ(back.time, request.time);
  EXPECT_EQ(back.token, request.token);
}

TEST(ControlPayloads, LongStringsRoundTrip) {
  for (const size_t size : {31u, 32u, 255u, 256u, 65535u, 65536u, 200000u}) {
    ConnectRequest request = SampleRequest();
    request.host.assign(size, 'h');
    request.token.assign(size, 't');
    ConnectRequest back;
    ASSERT_TRUE(DecodeText(EncodedPayload(request), &back).ok());
    EXPECT_EQ(back.host, request.host);
    EXPECT_EQ(back.token, request.token);
  }
}

TEST(ControlPayloads, PongErrorIsNilOrText) {
  const WireTime time{5, 6};
  EXPECT_EQ(ToHex(EncodedPayload(PongMessage{.not_found = true, .error = {}, .time = time})),
            "83a26e66c3a165c0a174c70c05000000000000000500000006");
  PongMessage back;
  ASSERT_TRUE(
      DecodeText(EncodedPayload(PongMessage{.not_found = true, .error = "", .time = time}), &back)
          .ok());
  EXPECT_TRUE(back.not_found);
  EXPECT_EQ(back.error, "");
  EXPECT_EQ(back.time, time);
  ASSERT_TRUE(DecodeText(FromHex("81a165c0"), &back).ok());
  EXPECT_EQ(back.error, std::nullopt);
  // Of a key that comes twice the last one counts.
  ASSERT_TRUE(DecodeText(FromHex("82a165a178a165c0"), &back).ok());
  EXPECT_EQ(back.error, std::nullopt);
}

TEST(ControlPayloads, EncodingAppends) {
  const auto pool = BufferPool::Create();
  Buffer out = pool->Copy(AsBytes("before"));
  Encode(MuxConnectError{.error = "oops"}, &out);
  EXPECT_EQ(out.text(), "before" + FromHex("81a54572726f72a46f6f7073"));
}

TEST(ControlPayloads, DecodingResetsTheTarget) {
  PongMessage pong{.not_found = true, .error = "old", .time = {1, 2}};
  ASSERT_TRUE(DecodeText("\x80", &pong).ok());
  EXPECT_FALSE(pong.not_found);
  EXPECT_EQ(pong.error, std::nullopt);
  EXPECT_EQ(pong.time, WireTime());
}

TEST(ControlPayloads, UnknownKeysAreSkipped) {
  // {"Ext": {"meta": 1, "x": [nil, {"y": bin}]}, 'Host' as bin key: "h", "Future": float}
  const std::string bytes =
      "\x83\xa3"
      "Ext\x82\xa4meta\x01\xa1x\x92\xc0\x81\xa1y\xc4\x01z"
      "\xc4\x04Host\xa1h"
      "\xa6"
      "Future" +
      FromHex("cb4000000000000000");
  ConnectRequest request;
  const absl::Status status = DecodeText(bytes, &request);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(request.host, "h");
}

TEST(ControlPayloads, MapHeadersOfAnyWidth) {
  for (const char* hex :
       {"81a54572726f72a178", "de0001a54572726f72a178", "df00000001a54572726f72a178",
        "81a54572726f72d90178", "81a54572726f72da000178", "81a54572726f72db0000000178",
        "81d9054572726f72a178", "81a54572726f72a178ffff"}) {
    MuxConnectError error;
    ASSERT_TRUE(DecodeText(FromHex(hex), &error).ok()) << hex;
    EXPECT_EQ(error.error, "x");
  }
}

TEST(ControlPayloads, WrongTypesAreNamed) {
  EXPECT_EQ(ErrorOf<ConnectRequest>("81a2494401"), "ConnectRequest.ID has the wrong type");
  EXPECT_EQ(ErrorOf<ConnectRequest>("81a24944c40101"), "ConnectRequest.ID has the wrong length");
  EXPECT_EQ(ErrorOf<ConnectRequest>("81a4486f737401"), "ConnectRequest.Host has the wrong type");
  EXPECT_EQ(ErrorOf<ConnectRequest>("81a4486f7374c40178"),
            "ConnectRequest.Host has the wrong type");
  EXPECT_EQ(ErrorOf<ConnectRequest>("81a454696d6501"), "ConnectRequest.Time has the wrong type");
  EXPECT_EQ(ErrorOf<ConnectRequest>("81a5546f6b656ec0"), "ConnectRequest.Token has the wrong type");
  EXPECT_EQ(ErrorOf<ConnectResponse>("81a8416363657074656401"),
            "ConnectResponse.Accepted has the wrong type");
  EXPECT_EQ(ErrorOf<PongMessage>("81a26e66c0"), "PongMessage.nf has the wrong type");
  EXPECT_EQ(ErrorOf<PongMessage>("81a16501"), "PongMessage.e has the wrong type");
  EXPECT_EQ(ErrorOf<MuxConnectError>("8101a178"), "MuxConnectError.(key) has the wrong type");
  EXPECT_EQ(ErrorOf<PingMessage>("c0"), "PingMessage.(map) has the wrong type");
  EXPECT_EQ(ErrorOf<PingMessage>("90"), "PingMessage.(map) has the wrong type");
  EXPECT_EQ(ErrorOf<PingMessage>(""), "PingMessage.(map) is truncated");
}

TEST(ControlPayloads, ErrorsRepeatLittleOfAnUnknownKey) {
  const std::string key(200, '\x01');
  MuxConnectError error;
  const absl::Status status = DecodeText("\x81\xd9\xc8" + key + "\xc1", &error);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_LT(status.message().size(), 200u);
  EXPECT_EQ(std::string(status.message()).find('\x01'), std::string::npos);
}

TEST(ControlPayloads, EveryPrefixIsRefused) {
  const std::string bytes = EncodedPayload(SampleRequest());
  for (size_t n = 0; n < bytes.size(); ++n) {
    ConnectRequest request;
    EXPECT_FALSE(DecodeText(bytes.substr(0, n), &request).ok()) << n;
  }
}

TEST(ControlPayloads, DeepNestingInAnUnknownKeyIsRefused) {
  PingMessage ping;
  const std::string shallow = "\x81\xa1x" + std::string(64, '\x91') + "\xc0";
  EXPECT_TRUE(DecodeText(shallow, &ping).ok());
  const std::string deep = "\x81\xa1x" + std::string(1'000'000, '\x91') + "\xc0";
  EXPECT_EQ(std::string(DecodeText(deep, &ping).message()), "PingMessage.x is nested too deep");
}

TEST(ControlPayloads, HugeDeclaredLengthsAreTruncated) {
  for (const char* hex :
       {"dfffffffff", "81a4486f7374dbffffffff", "81a24944c6ffffffff", "81a178ddffffffff",
        "81dbffffffff", "81a454696d65c9ffffffff05", "81a178c6ffffffff"}) {
    EXPECT_NE(ErrorOf<ConnectRequest>(hex).find("is truncated"), std::string::npos) << hex;
  }
}

struct TimeCase {
  const char* hex;
  WireTime time;
};

TEST(WireTime, EveryEncodingIsRead) {
  const std::vector<TimeCase> cases = {
      {"c70c050000000065937d25287735f2", {1704164645, 678901234}},
      {"c8000c050000000065937d25287735f2", {1704164645, 678901234}},
      {"c9000000"
       "0c050000000065937d25287735f2",
       {1704164645, 678901234}},
      {"d6ffffffffff", {4294967295, 0}},
      // 30 bits of nanoseconds, 34 bits of seconds
      {"d7ffa1dcd7c865937d25", {1704164645, 678901234}},
      {"d7ff0000000300000000", {12884901888, 0}},
      {"c70cff000000000000000065937d25", {1704164645, 0}},
      // Nanoseconds outside a second are carried, as Go does.
      {"c70c05000000000000000a3b9aca00", {11, 0}},
      {"c70c05000000000000000affffffff", {9, 999'999'999}},
      {"c70cffffffffff000000000000000a", {14, 294'967'295}},
      {"c70c05ffffffffffffffff1dcd6500", {-1, 500'000'000}},
  };
  for (const TimeCase& c : cases) {
    PingMessage ping;
    const absl::Status status = DecodeText(FromHex(std::string("81a174") + c.hex), &ping);
    ASSERT_TRUE(status.ok()) << c.hex << " " << status;
    EXPECT_EQ(ping.time.seconds, c.time.seconds) << c.hex;
    EXPECT_EQ(ping.time.nanoseconds, c.time.nanoseconds) << c.hex;
  }
}

TEST(Dictionaries, AreAnArrayInExt) {
  ConnectResponse sent;
  sent.accepted = true;
  sent.extensions.zstd = 3;
  for (uint32_t id = 1; id <= DictionaryIds::kMax; ++id) {
    EXPECT_TRUE(sent.extensions.dictionaries.Add(0xffff0000 + id));
  }
  EXPECT_FALSE(sent.extensions.dictionaries.Add(1));           // no room
  EXPECT_FALSE(sent.extensions.dictionaries.Add(0xffff0001));  // there already
  Buffer bytes;
  Encode(sent, &bytes);
  ConnectResponse read;
  ASSERT_TRUE(Decode(bytes, &read).ok());
  EXPECT_TRUE(read.extensions == sent.extensions);
}

TEST(Dictionaries, TooMany_ZeroAndRepeats_AreLeftOut) {
  // An array of 20, in the form of 3 bytes.
  std::string bytes = "\x81\xa3";
  bytes += "Ext\x81\xac";
  bytes += "dictionaries";
  for (const int byte : {0xdc, 0, 20, 0, 7, 7}) bytes += static_cast<char>(byte);
  for (char id = 20; id < 37; ++id) bytes += id;
  ConnectResponse read;
  ASSERT_TRUE(Decode(AsBytes(bytes), &read).ok());
  EXPECT_EQ(read.extensions.dictionaries.size(), DictionaryIds::kMax);
  EXPECT_FALSE(read.extensions.dictionaries.contains(0));
  EXPECT_TRUE(read.extensions.dictionaries.contains(7));
  EXPECT_FALSE(read.extensions.dictionaries.contains(36));
}

TEST(Dictionaries, WhatIsNoArrayOfIds_IsRefused) {
  for (const std::string_view value : {"\x01", "\x91\xa1x", "\x92\x01", "\x91\xff"}) {
    ConnectResponse read;
    EXPECT_FALSE(Decode(AsBytes("\x81\xa3"
                                "Ext\x81\xac"
                                "dictionaries" +
                                std::string(value)),
                        &read)
                     .ok());
  }
}

TEST(Dictionaries, AgreedUpon_AreThoseOfBoth) {
  Extensions ours{.zstd = 3}, theirs{.zstd = 1};
  for (const uint32_t id : {1, 2, 3}) ours.dictionaries.Add(id);
  for (const uint32_t id : {3, 4, 1}) theirs.dictionaries.Add(id);
  const Extensions agreed = Agree(ours, theirs);
  EXPECT_EQ(agreed.zstd, 1u);
  EXPECT_EQ(agreed.dictionaries.size(), 2u);
  EXPECT_TRUE(agreed.dictionaries.contains(1) && agreed.dictionaries.contains(3));
  theirs.zstd = 0;
  EXPECT_TRUE(Agree(ours, theirs) == Extensions());
}

TEST(WireTime, OtherExtensionsAreRefused) {
  for (const char* hex :
       {"d60500000000", "d7050000000000000000", "c70b0500000000000000000000ff", "d4ff00",
        "d5ff0000", "c700ff", "c70005", "c70c06000000000000000000000000",
        "c70c05"
        "0000",
        "d6ff0000",
        // the carry would overflow
        "c70c057fffffffffffffff7fffffff", "c70c05800000000000000080000000"}) {
    PingMessage ping;
    EXPECT_FALSE(DecodeText(FromHex(std::string("81a174") + hex), &ping).ok()) << hex;
  }
}

TEST(WireTime, DefaultIsGosZeroTime) {
  EXPECT_EQ(ToHex(EncodedPayload(PingMessage{})), "81a174c70c05fffffff1886e090000000000");
}

TEST(WireTime, ExtremesRoundTrip) {
  for (const int64_t seconds : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0},
                                std::numeric_limits<int64_t>::max()}) {
    PingMessage back;
    ASSERT_TRUE(DecodeText(EncodedPayload(PingMessage{{seconds, 999'999'999}}), &back).ok());
    EXPECT_EQ(back.time, (WireTime{seconds, 999'999'999}));
  }
}

}  // namespace
}  // namespace grid
