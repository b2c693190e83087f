// Every byte sequence recorded from the Go implementation, reproduced and read back.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "serialization/checksum.h"
#include "serialization/control_payloads.h"
#include "serialization/merged.h"
#include "serialization/message.h"
#include "serialization/subroute_id.h"
#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using test::Encoded;
using test::EncodedPayload;
using test::FromHex;
using test::ReadVectorFile;
using test::Sequence;
using test::Text;
using test::ToHex;

// 2024-01-02T03:04:05.678901234Z
constexpr WireTime kRecordedTime{1704164645, 678901234};

const value& V1() {
  static const value v1 = ReadVectorFile("v1.json");
  return v1;
}
const array& Entries(const char* section) { return V1().at(section).as_array(); }

// A message rebuilt from the fields that a vector names; owns what the message points to.
class Rebuilt {
 public:
  explicit Rebuilt(const object& fields) {
    message.mux_id = std::stoull(Text(fields.at("mux_id")));
    message.seq = fields.at("seq").to_number<uint32_t>();
    message.deadline_ms = fields.at("deadline_ms").to_number<uint32_t>();
    message.handler = fields.at("handler").to_number<uint8_t>();
    message.op = static_cast<Op>(fields.at("op").to_number<int>());
    message.flags = fields.at("flags").to_number<uint8_t>();
    payload_ = Payload(fields);
    EXPECT_EQ(payload_.size(), fields.at("payload_len").to_number<size_t>());
    if (!fields.at("payload_nil").as_bool()) message.payload = AsBytes(payload_);
    if (fields.contains("subroute_id")) {
      subroute_ = FromHex(Text(fields.at("subroute_id")));
      EXPECT_EQ(subroute_.size(), kSubrouteIdSize);
      message.subroute = AsBytes(subroute_).data();
    }
  }
  Rebuilt(const Rebuilt&) = delete;

  Message message;

 private:
  static std::string Payload(const object& fields) {
    if (fields.contains("payload_hex")) return FromHex(Text(fields.at("payload_hex")));
    const auto size = fields.at("payload_len").to_number<size_t>();
    if (fields.contains("payload_rule")) {
      EXPECT_EQ(Text(fields.at("payload_rule")),
                "payload[i] = i % 251, " + std::to_string(size) + " bytes");
      return Sequence(size);
    }
    EXPECT_NE(Text(fields.at("hex_is")).find("payload is all zero"), std::string::npos);
    return std::string(size, '\0');
  }

  std::string payload_;
  std::string subroute_;
};

void ExpectSameMessage(const Message& got, const Message& want) {
  EXPECT_EQ(got.mux_id, want.mux_id);
  EXPECT_EQ(got.seq, want.seq);
  EXPECT_EQ(got.deadline_ms, want.deadline_ms);
  EXPECT_EQ(got.handler, want.handler);
  EXPECT_EQ(got.op, want.op);
  EXPECT_EQ(got.flags, want.flags);
  EXPECT_EQ(IsNil(got.payload), IsNil(want.payload));
  EXPECT_EQ(AsText(got.payload), AsText(want.payload));
  ASSERT_EQ(got.subroute == nullptr, want.subroute == nullptr);
  if (want.subroute != nullptr) {
    EXPECT_EQ(SubrouteId::FromBytes(got.subroute), SubrouteId::FromBytes(want.subroute));
  }
}

// What the vector says of the checksum, against the bytes.
void CheckChecksum(const object& fields, const std::string& bytes) {
  const bool has_crc = (fields.at("flags").to_number<int>() & kFlagCrc) != 0;
  ASSERT_EQ(has_crc, fields.contains("xxh3_64"));
  if (!has_crc) return;
  const size_t covered = bytes.size() - kCrcSize;
  EXPECT_EQ(Text(fields.at("crc_of")), "first " + std::to_string(covered) + " bytes");
  EXPECT_EQ(Text(fields.at("crc_trailer_le")), ToHex(bytes.substr(covered)));
  EXPECT_EQ(std::stoull(Text(fields.at("xxh3_64")), nullptr, 16),
            Xxh3(AsBytes(bytes).first(covered)));
}

// The payload of a connection-level message, decoded and encoded again.
template <typename T>
void ExpectPayloadRoundTrip(BytesView payload) {
  T decoded;
  ASSERT_TRUE(Decode(payload, &decoded).ok());
  EXPECT_EQ(ToHex(EncodedPayload(decoded)), ToHex(payload));
}

void CheckControlPayload(const Message& message) {
  if (message.payload.empty()) return;
  switch (message.op) {
    case Op::kConnect:
      return ExpectPayloadRoundTrip<ConnectRequest>(message.payload);
    case Op::kConnectResponse:
      return ExpectPayloadRoundTrip<ConnectResponse>(message.payload);
    case Op::kPing:
      return ExpectPayloadRoundTrip<PingMessage>(message.payload);
    case Op::kPong:
      return ExpectPayloadRoundTrip<PongMessage>(message.payload);
    case Op::kMuxConnectError:
      return ExpectPayloadRoundTrip<MuxConnectError>(message.payload);
    default:
      return;
  }
}

// Checks one message that is no Merged, given whole or as its beginning.
void CheckMessage(const object& fields, const std::string& hex) {
  const Rebuilt rebuilt(fields);
  EXPECT_EQ(fields.at("rest_len").to_number<size_t>(), 0u);
  EXPECT_EQ(Text(fields.at("op_name")), OpName(rebuilt.message.op));

  const std::string bytes = Encoded(rebuilt.message);
  if (fields.contains("hex_is")) {
    EXPECT_EQ(bytes.size(), fields.at("total_len").to_number<size_t>());
    EXPECT_LT(hex.size(), 2 * bytes.size());
    EXPECT_EQ(hex, ToHex(bytes.substr(0, hex.size() / 2)));
    if (fields.contains("last_8_bytes")) {
      EXPECT_EQ(Text(fields.at("last_8_bytes")), ToHex(bytes.substr(bytes.size() - 8)));
    }
  } else {
    EXPECT_EQ(hex, ToHex(bytes));
  }
  CheckChecksum(fields, bytes);

  Message decoded;
  BytesView rest;
  ASSERT_EQ(DecodeMessage(AsBytes(bytes), &decoded, &rest), DecodeError::kOk);
  EXPECT_TRUE(rest.empty());
  ExpectSameMessage(decoded, rebuilt.message);
  CheckControlPayload(decoded);
}

// Checks a Merged: the inner messages one by one, then the whole put together from them again.
void CheckMerged(const object& fields, const array& inner, const std::string& bytes) {
  const Rebuilt rebuilt(fields);
  ASSERT_EQ(rebuilt.message.op, Op::kMerged);
  Message outer;
  BytesView rest;
  ASSERT_EQ(DecodeMessage(AsBytes(bytes), &outer, &rest), DecodeError::kOk);
  ExpectSameMessage(outer, rebuilt.message);
  EXPECT_EQ(rest.size(), fields.at("rest_len").to_number<size_t>());
  ASSERT_EQ(outer.seq, inner.size());

  MergedReader reader(outer.seq, rest);
  EXPECT_FALSE(reader.ImpossibleCount());
  std::string body;
  BytesView one;
  for (const value& expected : inner) {
    const object& entry = expected.as_object();
    ASSERT_TRUE(reader.Next(&one));
    // v1.json wraps the fields beside a hex, session.json lists them bare.
    CheckMessage(entry.contains("fields") ? entry.at("fields").as_object() : entry, ToHex(one));
    if (entry.contains("hex")) {
      EXPECT_EQ(Text(entry.at("hex")), ToHex(one));
    }
    std::string header(BinHeaderSize(one.size()), '\0');
    WriteBinHeader(one.size(), reinterpret_cast<uint8_t*>(header.data()));
    body += header;
    body += AsText(one);
  }
  EXPECT_FALSE(reader.Next(&one));
  EXPECT_TRUE(reader.ok());

  uint8_t header[kMaxMergedHeader];
  uint8_t* const end = header + sizeof(header);
  uint8_t* const begin = WriteMergedHeaderBackward(outer.seq, end);
  EXPECT_EQ(ToHex(bytes), ToHex(BytesView(begin, end)) + ToHex(body));
}

TEST(Vectors, EveryMessageIsReproducedAndReadBack) {
  size_t checked = 0;
  for (const value& entry : Entries("messages")) {
    SCOPED_TRACE(Text(entry.at("name")));
    const object& fields = entry.at("fields").as_object();
    const std::string hex = Text(entry.at("hex"));
    if (fields.contains("inner")) {
      CheckMerged(fields, fields.at("inner").as_array(), FromHex(hex));
    } else {
      CheckMessage(fields, hex);
    }
    ++checked;
  }
  EXPECT_EQ(checked, 70u);
}

TEST(Vectors, EveryParseLeniencyCaseIsTakenOrRefusedAsRecorded) {
  const std::map<std::string, DecodeError> refusals = {
      {"muxid-negative", DecodeError::kBadMuxId},
      {"muxid-float", DecodeError::kBadMuxId},
      {"seq-too-big-for-uint32", DecodeError::kBadSeq},
      {"payload-as-str", DecodeError::kBadPayload},
      {"payload-nil-c0", DecodeError::kBadPayload},
      {"payload-array", DecodeError::kBadPayload},
      {"array-of-6", DecodeError::kWrongArity},
      {"array-of-8", DecodeError::kWrongArity},
      {"map-header", DecodeError::kNotAnArray},
      {"crc-flag-wrong-crc", DecodeError::kCrcMismatch},
      {"sub-flag-without-sub", DecodeError::kMissingSubroute},
      {"empty-input", DecodeError::kTruncated},
  };
  size_t accepted = 0;
  size_t refused = 0;
  for (const value& entry : Entries("parse_leniency")) {
    const std::string name = Text(entry.at("name"));
    SCOPED_TRACE(name);
    const std::string bytes = FromHex(Text(entry.at("hex")));
    Message message;
    BytesView rest;
    const DecodeError error = DecodeMessage(AsBytes(bytes), &message, &rest);
    if (!entry.at("accepted").as_bool()) {
      ASSERT_TRUE(refusals.contains(name));
      EXPECT_EQ(error, refusals.at(name)) << DescribeDecodeError(error);
      ++refused;
      continue;
    }
    ++accepted;
    ASSERT_EQ(error, DecodeError::kOk) << DescribeDecodeError(error);
    EXPECT_EQ(message.mux_id, entry.at("mux_id").to_number<uint64_t>());
    EXPECT_EQ(OpName(message.op), Text(entry.at("op")));
    EXPECT_EQ(ToHex(message.payload), Text(entry.at("payload_hex")));
    EXPECT_EQ(IsNil(message.payload), entry.at("payload_nil").as_bool());
    EXPECT_EQ(rest.size(), entry.at("rest_len").to_number<size_t>());
  }
  EXPECT_EQ(accepted, 9u);
  EXPECT_EQ(refused, refusals.size());
}

InstanceId RecordedId(uint8_t first) {
  InstanceId id;
  for (size_t i = 0; i < id.size(); ++i) id[i] = static_cast<uint8_t>(first + i);
  return id;
}

TEST(Vectors, EveryPayloadStructIsReproduced) {
  const std::map<std::string, std::string> ours = {
      {"connectResp-accepted",
       EncodedPayload(
           ConnectResponse{.id = RecordedId(0xf0), .accepted = true, .rejected_reason = ""})},
      {"connectResp-rejected",
       EncodedPayload(
           ConnectResponse{.id = RecordedId(0xf0), .accepted = false, .rejected_reason = "nope"})},
      {"ping", EncodedPayload(PingMessage{.time = kRecordedTime})},
      {"ping-epoch", EncodedPayload(PingMessage{.time = {0, 0}})},
      {"ping-before-epoch", EncodedPayload(PingMessage{.time = {-1, 500'000'000}})},
      {"pong-err",
       EncodedPayload(PongMessage{.not_found = false, .error = "oops", .time = kRecordedTime})},
      {"muxConnectError", EncodedPayload(MuxConnectError{.error = "Invalid Handler"})},
  };
  size_t checked = 0;
  for (const value& entry : Entries("payload_structs")) {
    const std::string name = Text(entry.at("name"));
    SCOPED_TRACE(name);
    ASSERT_TRUE(ours.contains(name));
    EXPECT_EQ(ToHex(ours.at(name)), Text(entry.at("hex")));
    ++checked;
  }
  EXPECT_EQ(checked, ours.size());
}

TEST(Vectors, EveryStructLeniencyCaseOfControlPayloadsIsTakenOrRefusedAsRecorded) {
  const auto expect_ping = [](WireTime want) {
    return [want](BytesView bytes, bool accepted) {
      PingMessage ping;
      ASSERT_EQ(Decode(bytes, &ping).ok(), accepted);
      EXPECT_EQ(ping.time, want);
    };
  };
  const std::map<std::string, std::function<void(BytesView, bool)>> checks = {
      {"ping-official-ts32", expect_ping({1704173797, 0})},
      {"ping-official-ts96", expect_ping({1704173797, 678906610})},
      {"ping-missing-field", expect_ping(WireTime{-62135596800, 0})},
      {"connectResp-reordered",
       [](BytesView bytes, bool accepted) {
         ConnectResponse response;
         ASSERT_EQ(Decode(bytes, &response).ok(), accepted);
         EXPECT_EQ(response.id, InstanceId{});
         EXPECT_TRUE(response.accepted);
         EXPECT_EQ(response.rejected_reason, "x");
       }},
      {"connectResp-short-id",
       [](BytesView bytes, bool accepted) {
         ConnectResponse response;
         const absl::Status status = Decode(bytes, &response);
         EXPECT_EQ(status.ok(), accepted);
         EXPECT_EQ(std::string(status.message()), "ConnectResponse.ID has the wrong length");
       }},
  };
  // Values of typed payloads, which are not decoded here.
  const std::vector<std::string> typed = {"MSS-trailing", "Bytes-from-str", "URLValues-from-nil"};
  size_t checked = 0;
  size_t skipped = 0;
  for (const value& entry : Entries("struct_leniency")) {
    const std::string name = Text(entry.at("name"));
    SCOPED_TRACE(name);
    if (std::find(typed.begin(), typed.end(), name) != typed.end()) {
      ++skipped;
      continue;
    }
    ASSERT_TRUE(checks.contains(name));
    const std::string bytes = FromHex(Text(entry.at("hex")));
    checks.at(name)(AsBytes(bytes), entry.at("accepted").as_bool());
    ++checked;
  }
  EXPECT_EQ(checked, checks.size());
  EXPECT_EQ(skipped, typed.size());
}

TEST(Vectors, EverySubrouteIdIsReproduced) {
  size_t checked = 0;
  for (const value& entry : Entries("subroute_ids")) {
    const SubrouteId id = MakeSubrouteId(std::string_view(entry.at("subroute").as_string()),
                                         entry.at("handler").to_number<uint8_t>());
    EXPECT_EQ(ToHex(BytesView(id.bytes)), Text(entry.at("id")));
    ++checked;
  }
  EXPECT_EQ(checked, 8u);
}

TEST(Vectors, EveryXxh3IsReproduced) {
  size_t checked = 0;
  for (const value& entry : Entries("xxh3")) {
    SCOPED_TRACE(Text(entry.at("name")));
    const object& fields = entry.as_object();
    const auto size = fields.at("len").to_number<size_t>();
    if (!fields.contains("text")) {
      EXPECT_EQ(Text(fields.at("rule")), "byte i = i % 251");
    }
    const std::string input =
        fields.contains("text") ? Text(fields.at("text")) : test::Sequence(size);
    ASSERT_EQ(input.size(), size);
    EXPECT_EQ(Xxh3(AsBytes(input)), std::stoull(Text(fields.at("xxh3_64")), nullptr, 16));
    const uint32_t crc = MessageChecksum(AsBytes(input));
    const uint8_t little[] = {static_cast<uint8_t>(crc), static_cast<uint8_t>(crc >> 8),
                              static_cast<uint8_t>(crc >> 16), static_cast<uint8_t>(crc >> 24)};
    EXPECT_EQ(ToHex(BytesView(little)), Text(fields.at("crc_le_hex")));
    ++checked;
  }
  EXPECT_EQ(checked, 15u);
}

TEST(Vectors, HashesOfHostPairsAreReproduced) {
  size_t checked = 0;
  for (const value& entry : Entries("should_connect")) {
    const std::string local = Text(entry.at("local"));
    const std::string remote = Text(entry.at("remote"));
    EXPECT_EQ(Xxh3(AsBytes(local + remote)), std::stoull(Text(entry.at("h0")), nullptr, 16));
    EXPECT_EQ(Xxh3(AsBytes(remote + local)), std::stoull(Text(entry.at("h1")), nullptr, 16));
    ++checked;
  }
  EXPECT_EQ(checked, 17u);
}

TEST(Vectors, EverySessionFrameIsReadAndReproduced) {
  const value session = ReadVectorFile("session.json");
  size_t frames = 0;
  size_t inner = 0;
  for (const value& entry : session.at("frames").as_array()) {
    SCOPED_TRACE(frames);
    const object& frame = entry.as_object();
    const std::string hex = Text(frame.at("payload_hex"));
    const object& fields = frame.at("message").as_object();
    if (frame.contains("inner")) {
      CheckMerged(fields, frame.at("inner").as_array(), FromHex(hex));
      inner += frame.at("inner").as_array().size();
    } else {
      CheckMessage(fields, hex);
    }
    ++frames;
  }
  EXPECT_EQ(frames, 18u);
  EXPECT_EQ(inner, 6u);
}

// A section added to the file must not go unnoticed by the tests above.
TEST(Vectors, FileHoldsTheSectionsThatAreTested) {
  std::vector<std::string> sections;
  for (const auto& member : V1().as_object()) sections.emplace_back(member.key());
  std::sort(sections.begin(), sections.end());
  EXPECT_EQ(sections,
            (std::vector<std::string>{"constants", "messages", "note", "parse_leniency",
                                      "payload_structs", "should_connect", "struct_leniency",
                                      "subroute_ids", "typed_payloads", "xxh3"}));
}

}  // namespace
}  // namespace grid
