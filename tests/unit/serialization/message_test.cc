#include "serialization/message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/serialization/vector_file.h"

namespace grid {
namespace {

using test::Encoded;
using test::FromHex;
using test::ToHex;

DecodeError DecodeHex(const std::string& hex) {
  const std::string bytes = FromHex(hex);
  Message message;
  return DecodeMessage(AsBytes(bytes), &message);
}

const std::vector<uint64_t> kEdges = {0,          1,          127,      128,
                                      255,        256,        65535,    65536,
                                      4294967295, 4294967296, 1u << 31, uint64_t{1} << 63,
                                      UINT64_MAX};

TEST(Message, IntegersTakeTheirShortestForm) {
  const std::vector<std::pair<uint64_t, std::string>> forms = {
      {0, "00"},
      {127, "7f"},
      {128, "cc80"},
      {255, "ccff"},
      {256, "cd0100"},
      {65535, "cdffff"},
      {65536, "ce00010000"},
      {4294967295, "ceffffffff"},
      {4294967296, "cf0000000100000000"},
      {UINT64_MAX, "cfffffffffffffffff"},
  };
  for (const auto& [value, form] : forms) {
    EXPECT_EQ(ToHex(Encoded({.mux_id = value})), "97" + form + "0000000000c400");
  }
}

TEST(Message, EveryFieldAtEveryEdgeComesBack) {
  const std::string subroute(32, 's');
  const std::string payload = "payload";
  for (const uint64_t mux : kEdges) {
    for (const uint64_t seq : kEdges) {
      for (const uint64_t deadline : kEdges) {
        for (const uint8_t flags : {uint8_t{0}, uint8_t{kFlagCrc}, uint8_t{kFlagSubroute},
                                    uint8_t{kFlagCrc | kFlagSubroute | kFlagEof}, uint8_t{0xff}}) {
          Message message{.mux_id = mux,
                          .seq = static_cast<uint32_t>(seq),
                          .deadline_ms = static_cast<uint32_t>(deadline),
                          .handler = static_cast<uint8_t>(mux),
                          .op = static_cast<Op>(seq & 0xff),
                          .flags = flags,
                          .payload = AsBytes(payload)};
          if ((flags & kFlagSubroute) != 0) message.subroute = AsBytes(subroute).data();
          const std::string bytes = Encoded(message);
          Message in;
          BytesView rest;
          ASSERT_EQ(DecodeMessage(AsBytes(bytes), &in, &rest), DecodeError::kOk) << ToHex(bytes);
          ASSERT_TRUE(rest.empty());
          ASSERT_EQ(in.mux_id, message.mux_id);
          ASSERT_EQ(PeekMuxId(AsBytes(bytes)), message.mux_id);
          ASSERT_EQ(in.seq, message.seq);
          ASSERT_EQ(in.deadline_ms, message.deadline_ms);
          ASSERT_EQ(in.handler, message.handler);
          ASSERT_EQ(in.op, message.op);
          ASSERT_EQ(in.flags, message.flags);
          ASSERT_EQ(AsText(in.payload), payload);
          ASSERT_EQ(in.subroute == nullptr, message.subroute == nullptr);
        }
      }
    }
  }
}

TEST(Message, OverheadIsAtMostTheConstant) {
  const std::string subroute(32, 's');
  const std::string payload(70000, 'p');
  const Message message{.mux_id = UINT64_MAX,
                        .seq = UINT32_MAX,
                        .deadline_ms = UINT32_MAX,
                        .handler = 255,
                        .op = static_cast<Op>(255),
                        .flags = 255,
                        .payload = AsBytes(payload),
                        .subroute = AsBytes(subroute).data()};
  EXPECT_EQ(EncodedSize(message), kMaxMessageOverhead + payload.size());
  EXPECT_EQ(Encoded(message).size(), EncodedSize(message));
}

TEST(Message, DecodesInPlace) {
  const std::string subroute(32, 's');
  const std::string bytes = Encoded({.op = Op::kRequest,
                                     .flags = kFlagSubroute,
                                     .payload = AsBytes("hello"),
                                     .subroute = AsBytes(subroute).data()});
  Message in;
  ASSERT_EQ(DecodeMessage(AsBytes(bytes), &in), DecodeError::kOk);
  EXPECT_EQ(AsText(in.payload).data(), bytes.data() + 9);
  EXPECT_EQ(reinterpret_cast<const char*>(in.subroute), bytes.data() + bytes.size() - 32);
}

TEST(Message, EmptyPayloadIsNilUnlessFlagged) {
  Message in;
  const std::string nil = Encoded({.op = Op::kRequest});
  ASSERT_EQ(DecodeMessage(AsBytes(nil), &in), DecodeError::kOk);
  EXPECT_TRUE(IsNil(in.payload));
  const std::string empty =
      Encoded({.op = Op::kRequest, .flags = kFlagPayloadIsZero, .payload = EmptyBytes()});
  ASSERT_EQ(DecodeMessage(AsBytes(empty), &in), DecodeError::kOk);
  EXPECT_FALSE(IsNil(in.payload));
  EXPECT_TRUE(in.payload.empty());
}

TEST(Message, AnyIntegerWidthIsRead) {
  for (const char* form : {"05", "cc05", "cd0005", "ce00000005", "cf0000000000000005", "d005",
                           "d10005", "d200000005", "d30000000000000005"}) {
    const std::string f(form);
    // Every field in that form, and the last of them close to the end of the bytes.
    const std::string bytes = FromHex("97" + f + f + f + f + f + f + "c400");
    Message in;
    // Flags 5 ask for a CRC, which is not there.
    EXPECT_EQ(DecodeMessage(AsBytes(bytes), &in), DecodeError::kMissingCrc) << form;
    const std::string good = FromHex("97" + f + f + f + f + f + "00c400");
    ASSERT_EQ(DecodeMessage(AsBytes(good), &in), DecodeError::kOk) << form;
    EXPECT_EQ(in.mux_id, 5u);
    EXPECT_EQ(in.seq, 5u);
    EXPECT_EQ(in.deadline_ms, 5u);
    EXPECT_EQ(in.handler, 5u);
    EXPECT_EQ(in.op, Op::kConnectMux);
  }
}

TEST(Message, BadFieldsAreNamed) {
  const std::vector<std::pair<DecodeError, size_t>> fields = {
      {DecodeError::kBadMuxId, 0},   {DecodeError::kBadSeq, 1}, {DecodeError::kBadDeadline, 2},
      {DecodeError::kBadHandler, 3}, {DecodeError::kBadOp, 4},  {DecodeError::kBadFlags, 5},
  };
  // Negative, nil, bool, str, float, array, map, bin, ext, the unused tag.
  const std::vector<std::string> bad = {
      "ff",   "d0ff",   "d1ffff", "d2ffffffff", "d3ffffffffffffffff",
      "c0",   "c3",     "a135",   "ca40a00000", "9105",
      "8105", "c40105", "d40005", "c1"};
  for (const auto& [error, index] : fields) {
    for (const std::string& form : bad) {
      std::string hex = "97";
      for (size_t i = 0; i < 6; ++i) hex += i == index ? form : "00";
      EXPECT_EQ(DecodeHex(hex + "c400"), error) << hex;
    }
    EXPECT_NE(DescribeDecodeError(error), DescribeDecodeError(DecodeError::kOk));
  }
}

TEST(Message, FieldsAboveTheirRangeAreRefused) {
  EXPECT_EQ(DecodeHex("97cfffffffffffffffff0000000000c400"), DecodeError::kOk);
  EXPECT_EQ(DecodeHex("9700ceffffffff00000000c400"), DecodeError::kOk);
  EXPECT_EQ(DecodeHex("9700cf000000010000000000000000c400"), DecodeError::kBadSeq);
  EXPECT_EQ(DecodeHex("970000cf0000000100000000000000c400"), DecodeError::kBadDeadline);
  EXPECT_EQ(DecodeHex("97000000ccff0000c400"), DecodeError::kOk);
  EXPECT_EQ(DecodeHex("97000000cd01000000c400"), DecodeError::kBadHandler);
  EXPECT_EQ(DecodeHex("9700000000cd010000c400"), DecodeError::kBadOp);
  EXPECT_EQ(DecodeHex("970000000000cd0100c400"), DecodeError::kBadFlags);
}

TEST(Message, EveryPrefixIsRefused) {
  const std::string subroute(32, 's');
  for (const size_t size : {0u, 5u, 300u, 70000u}) {
    const std::string payload(size, 'p');
    const std::string bytes = Encoded({.mux_id = UINT64_MAX,
                                       .seq = 70000,
                                       .deadline_ms = 60000,
                                       .handler = 200,
                                       .op = Op::kRequest,
                                       .flags = kFlagSubroute | kFlagCrc,
                                       .payload = AsBytes(payload),
                                       .subroute = AsBytes(subroute).data()});
    for (size_t n = 0; n < bytes.size(); n += n < 100 || n + 100 > bytes.size() ? 1 : 97) {
      // A heap block of just that size, for AddressSanitizer to see a read beyond it.
      const auto exact = std::make_unique<uint8_t[]>(n);
      std::copy_n(bytes.begin(), n, exact.get());
      Message in;
      ASSERT_NE(DecodeMessage({exact.get(), n}, &in), DecodeError::kOk) << n;
    }
  }
}

TEST(Message, DeclaredPayloadLengthBeyondTheBytesIsTruncated) {
  EXPECT_EQ(DecodeHex("97050000000f02c6ffffffff6869"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("97050000000f02c5ffff6869"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("97050000000f02c4036869"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("97050000000f02c6ffff"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("97050000000f02c4"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("97050000000f02"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("97050000000f02a0"), DecodeError::kBadPayload);
}

TEST(Message, ArrayHeaders) {
  EXPECT_EQ(DecodeHex("dd00000007050000000f02c400"), DecodeError::kOk);
  EXPECT_EQ(DecodeHex("ddffffffff050000000f02c400"), DecodeError::kWrongArity);
  EXPECT_EQ(DecodeHex("dc"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("dd000000"), DecodeError::kTruncated);
  EXPECT_EQ(DecodeHex("90"), DecodeError::kWrongArity);
  EXPECT_EQ(DecodeHex("c0"), DecodeError::kNotAnArray);
  EXPECT_EQ(DecodeHex("de0007"), DecodeError::kNotAnArray);
}

TEST(Message, AnyFlippedBitIsCaughtByTheChecksum) {
  std::string bytes =
      Encoded({.mux_id = 9, .op = Op::kRequest, .flags = kFlagCrc, .payload = AsBytes("hello")});
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    // Without its flag the checksum is bytes that nobody looks at, as version 1 has it.
    if (bit == 8 * 6) continue;
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    Message in;
    EXPECT_NE(DecodeMessage(AsBytes(damaged), &in), DecodeError::kOk) << bit;
  }
}

TEST(Message, MissingTrailers) {
  EXPECT_EQ(DecodeHex("97050000000f01c400"), DecodeError::kMissingCrc);
  EXPECT_EQ(DecodeHex("97050000000f01c400010203"), DecodeError::kMissingCrc);
  EXPECT_EQ(DecodeHex("97050000000f20c400" + std::string(62, '0')), DecodeError::kMissingSubroute);
  EXPECT_EQ(DecodeHex("97050000000f20c400" + std::string(64, '0')), DecodeError::kOk);
}

TEST(Message, BytesBetweenArrayAndTrailersAreTheRest) {
  const std::string subroute(32, 's');
  Message message{.mux_id = 1,
                  .op = Op::kRequest,
                  .flags = kFlagSubroute,
                  .payload = AsBytes("p"),
                  .subroute = AsBytes(subroute).data()};
  std::string bytes = Encoded(message);
  bytes.insert(bytes.size() - 32, "extension");
  Message in;
  BytesView rest;
  ASSERT_EQ(DecodeMessage(AsBytes(bytes), &in, &rest), DecodeError::kOk);
  EXPECT_EQ(AsText(rest), "extension");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(in.subroute), 32), subroute);
}

TEST(Message, UnknownOpsAndFlagsAreRead) {
  const std::string bytes = FromHex("970500000000cce0c400");
  Message in;
  // 0xe0 holds the Subroute bit: the id is missing; without it the rest is fine.
  EXPECT_EQ(DecodeMessage(AsBytes(bytes), &in), DecodeError::kMissingSubroute);
  const std::string other = FromHex("9705000000ccfaccc0c400");
  ASSERT_EQ(DecodeMessage(AsBytes(other), &in), DecodeError::kOk);
  EXPECT_EQ(in.op, static_cast<Op>(0xfa));
  EXPECT_EQ(in.flags, 0xc0);
}

// The bytes that serialization/README.md prints.
TEST(Message, README_WorkedExample) {
  const Message message{.mux_id = 2,
                        .deadline_ms = 60000,
                        .handler = 78,
                        .op = Op::kRequest,
                        .flags = kFlagCrc | kFlagEof,
                        .payload = AsBytes("hi")};
  EXPECT_EQ(EncodedSize(message), 17u);
  EXPECT_EQ(ToHex(Encoded(message)), "970200cdea604e0e03c402686916238e56");
}

TEST(Message, OpNames) {
  EXPECT_EQ(OpName(Op::kConnect), "Connect");
  EXPECT_EQ(OpName(Op::kUnblockClMux), "UnblockClMux");
  EXPECT_EQ(OpName(Op::kMerged), "Merged");
  EXPECT_EQ(OpName(Op::kInvalid), "Unknown");
  EXPECT_EQ(OpName(static_cast<Op>(18)), "Unknown");
  EXPECT_EQ(OpName(static_cast<Op>(255)), "Unknown");
}

TEST(Message, PeekMuxId_OfWhatCantBeRead_IsZero) {
  for (const char* hex : {"", "97", "97ce", "97cf00000000000000", "97c0", "96ff", "dc000707"}) {
    EXPECT_EQ(PeekMuxId(AsBytes(FromHex(hex))), 0u) << hex;
  }
  EXPECT_EQ(PeekMuxId(AsBytes(FromHex("9707"))), 7u);
}

TEST(Message, RandomBytesNeverReadBeyondTheirEnd) {
  std::mt19937_64 random(20240102);
  for (int i = 0; i < 200000; ++i) {
    const size_t size = random() % 60;
    const auto bytes = std::make_unique<uint8_t[]>(size);
    for (size_t k = 0; k < size; ++k) {
      // Mostly what a message is made of, so that many get far.
      const uint64_t r = random();
      bytes[k] = r % 4 != 0 ? static_cast<uint8_t>(r >> 8 & 0x3f) : static_cast<uint8_t>(r >> 16);
    }
    if (size != 0 && i % 8 != 0) bytes[0] = 0x97;
    Message in;
    BytesView rest;
    const uint64_t peeked = PeekMuxId({bytes.get(), size});
    if (DecodeMessage({bytes.get(), size}, &in, &rest) != DecodeError::kOk) continue;
    ASSERT_EQ(peeked, bytes[0] == 0x97 ? in.mux_id : 0);
    ASSERT_LE(in.payload.size() + rest.size(), size);
  }
}

}  // namespace
}  // namespace grid
