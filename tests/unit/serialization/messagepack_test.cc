#include "serialization/messagepack.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <limits>
#include <list>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "serialization/json.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace outside {

// With a conversion of its own: what it packs is not what its fields are.
struct Celsius {
  double degrees = 0;
  template <typename Packer>
  void msgpack_pack(Packer& packer) const {
    packer.pack_map(1);
    packer.pack("kelvin");
    packer.pack(degrees + 273.15);
  }
  void msgpack_unpack(const msgpack::object& object) {
    degrees = object.as<std::map<std::string, double>>().at("kelvin") - 273.15;
  }
};

enum class Color : uint8_t { kRed = 1, kBlue = 2 };

}  // namespace outside
}  // namespace grid

MSGPACK_ADD_ENUM(grid::outside::Color);

namespace grid {
namespace {

Buffer FromHex(const std::string& hex) { return Buffer::CopyOf(test::FromHex(hex)); }

struct Drive {
  std::string path;
  uint64_t used = 0;
  MSGPACK_DEFINE_MAP(path, used);
  bool operator==(const Drive&) const = default;
};

struct Point {
  int x = 7;
  int y = 8;
  MSGPACK_DEFINE(x, y);
  bool operator==(const Point&) const = default;
};

struct Base {
  int id = 0;
  MSGPACK_DEFINE_MAP(id);
  bool operator==(const Base&) const = default;
};

struct All : Base {
  bool flag = false;
  int8_t tiny = 0;
  int64_t big = 0;
  uint16_t word = 0;
  float ratio = 0;
  double precise = 0;
  std::string text;
  Bytes bytes;
  std::vector<Drive> drives;
  std::vector<bool> bits;
  std::map<std::string, Point> points;
  std::optional<int> maybe;
  std::set<int> set;
  std::array<int, 3> array{};
  std::pair<int, std::string> pair;
  std::unordered_map<int, int> table;
  outside::Color color = outside::Color::kRed;
  MSGPACK_DEFINE_MAP(MSGPACK_BASE_MAP(Base), MSGPACK_NVP("f", flag), tiny, big, word, ratio,
                     precise, text, bytes, drives, bits, points, maybe, set, array, pair, table,
                     color);
  bool operator==(const All&) const = default;
};

template <typename T>
std::string EncodedHex(const T& value) {
  Buffer out;
  EXPECT_TRUE(Encode(value, out).ok());
  return test::ToHex(out.view());
}

template <typename T>
absl::StatusOr<T> Decoded(BytesView bytes, const DecodeLimits& limits = {}) {
  T value{};
  if (absl::Status status = Decode(bytes, value, limits); !status.ok()) return status;
  return value;
}

template <typename T>
std::string DecodeError(const std::string& hex, const DecodeLimits& limits = {}) {
  return std::string(Decoded<T>(FromHex(hex), limits).status().message());
}

All Sample() {
  All all;
  all.id = 12;
  all.flag = true;
  all.tiny = -128;
  all.big = std::numeric_limits<int64_t>::min();
  all.word = 65535;
  all.ratio = 0.5F;
  all.precise = -1e300;
  all.text = std::string(70'000, 't');
  all.bytes = Bytes(300, 1);
  all.drives = {{"/d1", 1}, {"/d2", 1ULL << 40}};
  all.bits = {true, false, true};
  all.points = {{"a", {1, -2}}, {"b", {3, 4}}};
  all.maybe = 5;
  all.set = {3, 1, 2};
  all.array = {9, 8, 7};
  all.pair = {1, "one"};
  all.table = {{1, 2}, {3, 4}};
  all.color = outside::Color::kBlue;
  return all;
}

TEST(MessagePack, EveryKindOfField_RoundTrips) {
  Buffer out;
  ASSERT_TRUE(Encode(Sample(), out).ok());
  const absl::StatusOr<All> back = Decoded<All>(out);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == Sample());
}

TEST(MessagePack, WhatMsgpackCPacks_IsRead_AndTheOtherWayRound) {
  msgpack::sbuffer theirs;
  msgpack::pack(theirs, Sample());
  Buffer ours;
  ASSERT_TRUE(Encode(Sample(), ours).ok());
  EXPECT_EQ(ours.text(), std::string_view(theirs.data(), theirs.size()));
  EXPECT_TRUE(
      msgpack::unpack(reinterpret_cast<const char*>(ours.data()), ours.size()).get().as<All>() ==
      Sample());
}

TEST(MessagePack, MapFields_InAnyOrderWithUnknownOnes) {
  // {"used": 3, "new": [1, {"a": nil}], "path": "x", "used": 4}
  const auto drive =
      Decoded<Drive>(FromHex("84a47573656403a36e6577920181a161c0a470617468a178a47573656404"));
  ASSERT_TRUE(drive.ok()) << drive.status();
  EXPECT_EQ(drive->path, "x");
  EXPECT_EQ(drive->used, 4U) << "of an entry that comes twice the last";
}

TEST(MessagePack, MissingFields_KeepTheirDefault) {
  EXPECT_TRUE(*Decoded<Drive>(FromHex("80")) == Drive());
  EXPECT_TRUE(*Decoded<Point>(FromHex("90")) == Point());
  EXPECT_TRUE(*Decoded<Point>(FromHex("9101")) == (Point{1, 8}));
  EXPECT_TRUE(*Decoded<Point>(FromHex("93010203")) == (Point{1, 2}))
      << "more than there are fields";
}

TEST(MessagePack, BytesBehindTheValue_AreIgnored) {
  EXPECT_EQ(*Decoded<int>(FromHex("05ffff")), 5);
}

TEST(MessagePack, ConversionByHand_IsUsed) {
  const outside::Celsius warm{20};
  Buffer out;
  ASSERT_TRUE(Encode(warm, out).ok());
  EXPECT_NEAR(Decoded<outside::Celsius>(out)->degrees, 20, 1e-9);
  EXPECT_EQ(DecodeError<outside::Celsius>("01"), "the value has the wrong type");
  EXPECT_EQ(DecodeError<outside::Celsius>("80").substr(0, 21), "the value was refused");
}

TEST(MessagePack, Nil_IsAValueOfOptionalOnly) {
  EXPECT_EQ(EncodedHex(std::optional<Drive>()), "c0");
  EXPECT_FALSE(Decoded<std::optional<Drive>>(FromHex("c0"))->has_value());
  EXPECT_EQ(DecodeError<Drive>("c0"), "the value has the wrong type");
}

TEST(MessagePack, NoPayload_IsNil) {
  Buffer out;
  ASSERT_TRUE(Encode(NoPayload(), out).ok());
  EXPECT_TRUE(out.is_nil());
  EXPECT_TRUE(Decoded<NoPayload>({}).ok());
  EXPECT_TRUE(Decoded<NoPayload>(FromHex("80")).ok());
  EXPECT_EQ(DecodeError<Drive>(""), "the value is truncated");
}

TEST(MessagePack, Encode_AppendsAndGrowsAsNeeded) {
  Buffer out = Buffer::CopyOf("head");
  ASSERT_TRUE(Encode(std::string(100'000, 'x'), out).ok());
  EXPECT_EQ(out.size(), 4U + 5 + 100'000);
  EXPECT_EQ(out.text().substr(0, 4), "head");
  EXPECT_EQ(out.text().back(), 'x');
}

TEST(MessagePack, Errors_NameTheField) {
  // {"path": 1}
  EXPECT_EQ(DecodeError<Drive>("81a47061746801"), "field \"path\" has the wrong type");
  // [{"path": "a"}, {"used": -1}]
  EXPECT_EQ(DecodeError<std::vector<Drive>>("9281a470617468a16181a475736564ff"),
            "field \"[1].used\" is out of range");
  // {"drives": [{"used": "x"}]}
  EXPECT_EQ(DecodeError<All>("81a66472697665739181a475736564a178"),
            "field \"drives[0].used\" has the wrong type");
  // {"points": {"p": [1, true]}}
  EXPECT_EQ(DecodeError<All>("81a6706f696e747381a1709201c3"),
            "field \"points.p[1]\" has the wrong type");
  // {"set": 1}
  EXPECT_EQ(DecodeError<All>("81a373657401"), "field \"set\" has the wrong type");
  // {"word": 65536}
  EXPECT_EQ(DecodeError<All>("81a4776f7264ce00010000"), "field \"word\" is out of range");
  // An unknown entry that is cut off.
  EXPECT_EQ(DecodeError<Drive>("81a36e6577a5"), "field \"new\" is truncated");
}

TEST(MessagePack, ErrorText_EscapesWhatThePeerNames) {
  EXPECT_EQ(DecodeError<StringMap>("81a20a0b01"), "field \"??\" has the wrong type");
  const std::string name(200, 'n');
  Buffer out;
  ASSERT_TRUE(Encode(std::map<std::string, int>{{name, 1}}, out).ok());
  EXPECT_LT(Decoded<StringMap>(out).status().message().size(), 120U);
}

TEST(MessagePack, Limits_AreCheckedBeforeAnythingIsAllocated) {
  EXPECT_EQ(DecodeError<std::string>("a3616263", {.max_length = 2}),
            "the value is longer than the limit (2 bytes)");
  EXPECT_EQ(DecodeError<std::vector<int>>("93010203", {.max_elements = 2}),
            "the value has more elements than the limit (2)");
  EXPECT_EQ(
      DecodeError<std::vector<All>>("93010203", {.max_total = 2 * sizeof(All)}),
      "the value takes more memory than the limit (" + std::to_string(2 * sizeof(All)) + " bytes)");
  EXPECT_EQ((DecodeError<std::vector<std::vector<int>>>("919101", {.max_depth = 1})),
            "field \"[0]\" is nested too deep (1)");
  // Declared, but not there.
  EXPECT_EQ(DecodeError<std::vector<int>>("ddffffffff"), "the value is truncated");
  EXPECT_EQ(DecodeError<StringMap>("dfffffffffa161a131"), "the value is truncated");
  EXPECT_EQ(DecodeError<Bytes>("c6ffffffff00"), "the value is truncated");
  // Through the tree of msgpack-c as well.
  EXPECT_EQ((DecodeError<std::multimap<int, int>>("83010102020303", {.max_total = 10})),
            "the value takes more memory than the limit (10 bytes)");
  EXPECT_EQ((DecodeError<std::multimap<int, std::vector<int>>>("81019101", {.max_depth = 1})),
            "the value is nested too deep (1)");
}

TEST(MessagePack, DepthAboveWhatTheStackIsFor_IsCut) {
  const std::string deep(90, '\x91');
  std::set<int> value;
  const absl::Status status = Decode(AsBytes(deep), value, {.max_depth = 100});
  EXPECT_FALSE(status.ok());
  outside::Celsius celsius;
  EXPECT_EQ(Decode(AsBytes(deep), celsius, {.max_depth = 100}).message(),
            "the value is nested too deep (100)");
  EXPECT_EQ(DecodeError<std::vector<int>>("9101", {.max_depth = -1}),
            "the value is nested too deep (-1)");
}

struct Large {
  std::array<char, 4096> room{};
  int x = 0;
  MSGPACK_DEFINE_MAP(x);
};

TEST(MessagePack, ElementsThatTakeNoBytes_AreChargedWhatTheyTakeInMemory) {
  std::string small("\xdd\x00\x00\xc3\x50", 5);  // 50,000 empty maps
  small.append(50'000, '\x80');
  const DecodeLimits limits{.max_total = 1 << 20};
  const std::string expected = "the value takes more memory than the limit (1048576 bytes)";
  EXPECT_EQ(Decoded<std::list<Large>>(AsBytes(small), limits).status().message(), expected);
  EXPECT_EQ(Decoded<std::deque<Large>>(AsBytes(small), limits).status().message(), expected);
  EXPECT_EQ(Decoded<std::vector<Large>>(AsBytes(small), limits).status().message(), expected);
  std::string map("\xdf\x00\x00\xc3\x50", 5);
  for (int i = 0; i < 50'000; ++i) map.append("\x01\x80");
  EXPECT_EQ((Decoded<std::unordered_map<int, Large>>(AsBytes(map), limits).status().message()),
            expected);
  EXPECT_EQ((Decoded<std::map<int, Large>>(AsBytes(map), limits).status().message()), expected);
}

TEST(MessagePack, LimitsHoldThroughMsgpackCsTree) {
  EXPECT_EQ((DecodeError<std::multimap<int, int>>("83010102020303", {.max_elements = 2})),
            "the value has more elements than the limit (2)");
}

TEST(MessagePack, Pointers_AreNilOrAValue) {
  using Pointers = std::vector<std::shared_ptr<int>>;
  const Pointers pointers{nullptr, std::make_shared<int>(7)};
  EXPECT_EQ(EncodedHex(pointers), "92c007");
  const auto back = Decoded<Pointers>(FromHex("92c007"));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->at(0), nullptr);
  EXPECT_EQ(*back->at(1), 7);
}

// Derived from a class of the macros, with a conversion of its own.
struct Checked : Point {
  void msgpack_unpack(const msgpack::object& object) {
    Point::msgpack_unpack(object);
    if (x < 0) throw std::invalid_argument("x is negative");
  }
};

TEST(MessagePack, ConversionOfADerivedClass_IsNotPassedOver) {
  EXPECT_EQ(DecodeError<Checked>("92ff01"), "the value was refused: x is negative");
  EXPECT_EQ(Decoded<Checked>(FromHex("920201"))->x, 2);
}

struct Unset {
  std::shared_ptr<int> value;
  template <typename Packer>
  void msgpack_pack(Packer& packer) const {
    if (value == nullptr) throw std::logic_error("unset");
    packer.pack(*value);
  }
  void msgpack_unpack(const msgpack::object& object) {
    value = std::make_shared<int>(object.as<int>());
  }
};

TEST(MessagePack, ClassThatThrowsWhenItIsNew_CanBeSent) {
  EXPECT_EQ(EncodedHex(Unset{std::make_shared<int>(5)}), "05");
  EXPECT_EQ(*Decoded<Unset>(FromHex("05"))->value, 5);
  Buffer out;
  EXPECT_EQ(Encode(Unset(), out).message(), "can't be packed: unset");
}

TEST(MessagePack, StdByte_IsBin) {
  const std::vector<std::byte> bytes{std::byte{1}, std::byte{200}};
  EXPECT_EQ(EncodedHex(bytes), "c40201c8");
  EXPECT_EQ(*Decoded<std::vector<std::byte>>(FromHex("c40201c8")), bytes);
}

TEST(MessagePack, WholeNumbers_AreReadAsFloats) {
  EXPECT_EQ(*Decoded<double>(FromHex("cfffffffffffffffff")), 18446744073709551615.0);
  EXPECT_EQ(*Decoded<double>(FromHex("ff")), -1.0);
}

TEST(Json, LargeDocument_ComesBack) {
  Buffer out;
  ASSERT_TRUE(Encode(Json{boost::json::string(6 << 20, 'x')}, out).ok());
  const auto back = Decoded<Json>(out);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->value.as_string().size(), size_t{6} << 20);
}

TEST(MessagePack, EveryPrefix_IsRefusedNotRead) {
  Buffer out;
  ASSERT_TRUE(Encode(Sample(), out).ok());
  for (size_t size = 0; size < out.size(); size += 1 + size / 400) {
    EXPECT_FALSE(Decoded<All>(out.view().first(size)).ok()) << size;
  }
}

TEST(MessagePack, ChangedBytes_NeverDoMoreThanFail) {
  All small = Sample();
  small.text = "short";
  small.bytes = {1, 2, 3};
  Buffer out;
  ASSERT_TRUE(Encode(small, out).ok());
  constexpr int kRounds = 20'000;
  constexpr uint64_t kSeed = 20'240'611;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  int read = 0;
  for (int round = 0; round < kRounds; ++round) {
    Buffer changed = Buffer::CopyOf(out.view());
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      changed.data()[random() % changed.size()] = static_cast<uint8_t>(random());
    }
    if (Decoded<All>(changed).ok()) ++read;
  }
  EXPECT_GT(read, 0);
  EXPECT_LT(read, kRounds);
}

// The recorded payloads of version 1.

boost::json::object Recorded(const std::string& name) {
  static const boost::json::value file = test::ReadVectorFile("v1.json");
  for (const auto& item : file.at("typed_payloads").as_array()) {
    if (test::Text(item.at("name")) == name) return item.as_object();
  }
  ADD_FAILURE() << "no vector " << name;
  return {};
}

// Both ways: the value gives the bytes, the bytes give the value.
template <typename T>
void Reproduces(const std::string& name, const T& value) {
  const std::string hex = test::Text(Recorded(name).at("hex"));
  EXPECT_EQ(EncodedHex(value), hex) << name;
  const absl::StatusOr<T> back = Decoded<T>(FromHex(hex));
  ASSERT_TRUE(back.ok()) << name << ": " << back.status();
  EXPECT_EQ(EncodedHex(*back), hex) << name;
}

TEST(TypedPayloads, EveryRecordedOne_IsReproduced) {
  using MaybeMap = std::optional<StringMap>;
  using MaybeBytes = std::optional<Bytes>;
  Reproduces("MSS-nil", MaybeMap());
  Reproduces("MSS-empty", MaybeMap(StringMap()));
  Reproduces("MSS-one", MaybeMap(StringMap{{"key", "value"}}));
  Reproduces("MSS-utf8", StringMap{{"k\u00e9y", "v\u00e4lue"}});
  Reproduces("MSS-two", StringMap{{"a", "1"}, {"b", "2"}});
  Reproduces("Bytes-nil", MaybeBytes());
  Reproduces("Bytes-empty", MaybeBytes(Bytes()));
  Reproduces("Bytes-300", Bytes(300, 'x'));
  Reproduces("URLValues-nil", UrlValues());
  Reproduces("URLValues-empty", UrlValues());
  Reproduces("URLValues-one", UrlValues{{"k", {"v1", "v2"}}});
  Reproduces("URLValues-no-values", UrlValues{{"k", {}}});
  Reproduces("JSON-nil", std::optional<Json>());
  Reproduces("JSON-zero", std::optional<Json>(Json{boost::json::object{{"a", ""}}}));
  Reproduces("Array-MSS-empty", Array<MaybeMap>());
  Reproduces("Array-MSS-2", Array<MaybeMap>{StringMap{{"a", "1"}}, std::nullopt});
  Reproduces("Array-Bytes-3", Array<MaybeBytes>{Bytes{'a'}, Bytes(), std::nullopt});
  Array<MaybeBytes> twenty;
  for (uint8_t i = 0; i < 20; ++i) twenty.emplace_back(Bytes{i});
  Reproduces("Array-Bytes-20", twenty);
  EXPECT_EQ(test::ReadVectorFile("v1.json").at("typed_payloads").as_array().size(), 18U)
      << "a vector that is not named above";
}

TEST(Json, WhatIsNoJson_IsRefused) {
  EXPECT_NE(DecodeError<Json>("c4037b2261").find("the value was refused"), std::string::npos);
  EXPECT_EQ(DecodeError<Json>("80"), "the value has the wrong type");
}

}  // namespace
}  // namespace grid
