#include "grid/runtime/handshake.h"

#include <gtest/gtest.h>

#include "grid/manager.h"
#include "serialization/message.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

WallTime At(int64_t seconds, int64_t nanoseconds = 0) {
  return WallTime(std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds));
}

TEST(DialsByRule, AgreesWithEveryRecordedPair) {
  int pairs = 0;
  const boost::json::value file = test::ReadVectorFile("v1.json");
  for (const auto& value : file.at("should_connect").as_array()) {
    const auto& pair = value.as_object();
    const std::string local = test::Text(pair.at("local"));
    const std::string remote = test::Text(pair.at("remote"));
    EXPECT_EQ(DialsByRule(local, remote), pair.at("should_connect").as_bool())
        << local << " -> " << remote;
    EXPECT_EQ(ShouldDial(local, remote), pair.at("should_connect").as_bool());
    ++pairs;
  }
  EXPECT_EQ(pairs, 17);
}

TEST(UsesChecksums, UnlessBothAreHttps) {
  EXPECT_TRUE(UsesChecksums("http://a:1", "http://b:1"));
  EXPECT_TRUE(UsesChecksums("https://a:1", "http://b:1"));
  EXPECT_TRUE(UsesChecksums("http://a:1", "https://b:1"));
  EXPECT_FALSE(UsesChecksums("https://a:1", "https://b:1"));
}

TEST(ToWireTime, BeforeTheEpoch_HasPositiveNanoseconds) {
  EXPECT_EQ(ToWireTime(At(5, 7)), (WireTime{5, 7}));
  EXPECT_EQ(ToWireTime(WallTime(std::chrono::milliseconds(-500))), (WireTime{-1, 500'000'000}));
}

TEST(CheckClock, LimitIsFiveMinutesEitherWay) {
  const std::chrono::minutes limit(5);
  EXPECT_TRUE(CheckClock({1000, 0}, At(1000 + 300), limit).ok());
  EXPECT_TRUE(CheckClock({1000, 0}, At(1000 - 300), limit).ok());
  EXPECT_FALSE(CheckClock({1000, 0}, At(1000 + 301), limit).ok());
  EXPECT_FALSE(CheckClock({1000, 0}, At(1000 - 301), limit).ok());
}

TEST(CheckClock, ExtremeTimes_AreRefusedAndDoNotOverflow) {
  const std::chrono::minutes limit(5);
  EXPECT_FALSE(CheckClock({INT64_MIN, 0}, At(1000), limit).ok());
  EXPECT_FALSE(CheckClock({INT64_MAX, 0}, At(-1000), limit).ok());
  EXPECT_FALSE(CheckClock(WireTime(), At(1000), limit).ok());  // Go's zero time
}

TEST(Printable, EscapesWhatWouldForgeALogLine) {
  EXPECT_EQ(Printable("http://a:1"), "http://a:1");
  EXPECT_EQ(Printable("a\nerror: b\x1b\xff"), "a\\nerror: b\\x1b\\xff");
}

TEST(Printable, CutsAfter200Bytes) {
  EXPECT_EQ(Printable(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(Printable(std::string(20'000'000, 'x')), std::string(200, 'x') + "...");
}

TEST(DecodeConnect, RoundTrip) {
  ConnectRequest request;
  request.id.fill(7);
  request.host = "http://a:1";
  request.time = {5, 6};
  request.token = "secret";
  const auto decoded = DecodeConnect(EncodeConnect(request));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->id, request.id);
  EXPECT_EQ(decoded->host, request.host);
  EXPECT_EQ(decoded->time, request.time);
  EXPECT_EQ(decoded->token, request.token);
}

TEST(DecodeConnect, AnotherMessage_IsRefusedByName) {
  const auto decoded = DecodeConnect(EncodeConnectResponse({}));
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.status().message(), "the first message must be Connect, got ConnectResponse");
}

TEST(DecodeConnect, Garbage_IsAnError) {
  EXPECT_FALSE(DecodeConnect(AsBytes("hello")).ok());
  EXPECT_FALSE(DecodeConnect({}).ok());
}

}  // namespace
}  // namespace grid
