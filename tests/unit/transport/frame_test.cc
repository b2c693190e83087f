// Frames of RFC 6455: what the writer makes the reader takes, in pieces of any size; and what it
// refuses. What is said to the peer then is in tests/live/transport_frames_test.cc.
#include "grid/transport/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "grid/transport/frame_reader.h"
#include "grid/transport/frame_writer.h"

namespace grid::internal {
namespace {

using Kind = FrameReader::Kind;

std::string Header(const FrameHeader& header) {
  uint8_t bytes[kMaxFrameHeader];
  return std::string(reinterpret_cast<const char*>(bytes), WriteFrameHeader(header, bytes));
}

MutableBytes Mutable(std::string& text) {
  return {reinterpret_cast<uint8_t*>(text.data()), text.size()};
}

std::string Masked(Opcode opcode, std::string payload, bool fin = true) {
  const MaskingKey key = {0x37, 0xfa, 0x21, 0x3d};
  ApplyMask(key, Mutable(payload));
  return Header(
             {.fin = fin, .opcode = opcode, .masked = true, .key = key, .length = payload.size()}) +
         payload;
}

struct Read {
  Kind kind;
  std::string payload;
  friend bool operator==(const Read&, const Read&) = default;
};

// What a reader makes of `bytes` when they come `piece` at a time.
std::vector<Read> ReadAll(FrameReader& reader, std::string_view bytes, size_t piece) {
  std::vector<Read> read;
  while (!bytes.empty()) {
    const MutableBytes room = reader.Room();
    const size_t size = std::min({piece, bytes.size(), room.size()});
    std::memcpy(room.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    reader.Commit(size);
    for (;;) {
      const FrameReader::Frame frame = reader.Next();
      if (frame.kind == Kind::kNone) break;
      read.push_back({frame.kind, std::string(AsText(frame.payload))});
    }
  }
  return read;
}

// Everything that a writer has to say.
std::string WriteAll(FrameWriter& writer) {
  std::string out;
  while (!writer.empty()) {
    const FrameWriter::Buffers& pending = writer.pending();
    // One byte only, to stop everywhere.
    const auto& from = pending[0].size() > 0 ? pending[0] : pending[1];
    out += *static_cast<const char*>(from.data());
    writer.Advance(1);
  }
  return out;
}

TEST(Frame, Headers_AreThoseOfTheRfc) {
  // Section 5.7.
  EXPECT_EQ(Header({.length = 256}), std::string("\x82\x7e\x01\x00", 4));
  EXPECT_EQ(Header({.length = 65536}), std::string("\x82\x7f\0\0\0\0\0\x01\0\0", 10));
  EXPECT_EQ(Masked(Opcode::kText, "Hello"), "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST(Frame, HeadersOfEveryLengthForm_AreReadBack) {
  for (const uint64_t length : {0u, 1u, 125u, 126u, 65535u, 65536u, 1u << 30}) {
    for (const bool masked : {false, true}) {
      const std::string bytes = Header({.masked = masked, .key = {1, 2, 3, 4}, .length = length});
      FrameHeader header;
      for (size_t cut = 0; cut < bytes.size(); ++cut) {
        EXPECT_FALSE(ReadFrameHeader(AsBytes(bytes).first(cut), &header));
      }
      ASSERT_TRUE(ReadFrameHeader(AsBytes(bytes), &header));
      EXPECT_EQ(header.length, length);
      EXPECT_EQ(header.masked, masked);
      EXPECT_EQ(header.header_size, bytes.size());
      EXPECT_TRUE(header.minimal);
    }
  }
}

TEST(Frame, Mask_IsThatOfTheRfcAtEveryLength) {
  const MaskingKey key = {0x12, 0x34, 0x56, 0x78};
  for (size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
    const std::string before = bytes;
    ApplyMask(key, Mutable(bytes));
    for (size_t i = 0; i < size; ++i) {
      ASSERT_EQ(static_cast<uint8_t>(bytes[i]), static_cast<uint8_t>(before[i]) ^ key[i % 4]);
    }
  }
}

TEST(FrameReader, PiecesOfAnySize_GiveTheSame) {
  const std::string large(100'000, 'l');
  const std::string bytes =
      Masked(Opcode::kBinary, "one") + Masked(Opcode::kPing, "p") + Masked(Opcode::kBinary, "") +
      Masked(Opcode::kBinary, "fr", false) + Masked(Opcode::kPong, "") +
      Masked(Opcode::kContinuation, "", false) + Masked(Opcode::kPing, "between") +
      Masked(Opcode::kContinuation, "agments") + Masked(Opcode::kBinary, large) +
      Masked(Opcode::kClose,
             "\x03\xe8"
             "bye");
  const std::vector<Read> expected = {{Kind::kMessage, "one"},
                                      {Kind::kPing, "p"},
                                      {Kind::kMessage, ""},
                                      {Kind::kPong, ""},
                                      {Kind::kPing, "between"},
                                      {Kind::kMessage, "fragments"},
                                      {Kind::kMessage, large},
                                      {Kind::kClose,
                                       "\x03\xe8"
                                       "bye"}};
  for (const size_t piece :
       {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1000}, bytes.size()}) {
    FrameReader reader(/*from_client=*/true, 1 << 20);
    EXPECT_EQ(ReadAll(reader, bytes, piece), expected) << piece;
  }
}

TEST(FrameReader, AfterABrokenRule_ReadsNothing) {
  FrameReader reader(/*from_client=*/true, 1000);
  const std::vector<Read> read = ReadAll(
      reader, Masked(Opcode::kBinary, std::string(1001, 'x')) + Masked(Opcode::kPing, ""), 10'000);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].kind, Kind::kBad);
}

TEST(FrameReader, LengthNotInItsShortestForm_IsRefused) {
  for (const std::string& bytes : {std::string("\x82\x7e\x00\x05hello", 9),
                                   std::string("\x82\x7f\0\0\0\0\0\0\xff\xffhello", 15),
                                   std::string("\x82\x7f\xff\0\0\0\0\0\0\0", 10)}) {
    FrameReader reader(/*from_client=*/false, SIZE_MAX);
    EXPECT_EQ(ReadAll(reader, bytes, 100), (std::vector<Read>{{Kind::kBad, ""}}));
  }
}

TEST(FrameWriter, ControlFramesGoBetweenMessages_AndCloseLast) {
  for (const bool to_server : {false, true}) {
    FrameWriter writer(to_server);
    std::string first = "first";
    std::string second(70'000, 's');
    writer.SetMessage(Mutable(first));
    EXPECT_FALSE(writer.empty());  // begun
    writer.SetPong(AsBytes("replaced"));
    writer.SetPong(AsBytes("pong"));
    writer.SetClose(CloseCode::kGoingAway, std::string(200, 'r'));
    writer.SetClose(CloseCode::kNormal, "not this one");
    std::string out;
    while (writer.has_message()) {
      const auto& from = writer.pending()[0].size() > 0 ? writer.pending()[0] : writer.pending()[1];
      out += *static_cast<const char*>(from.data());
      writer.Advance(1);
    }
    writer.SetMessage(Mutable(second));
    out += WriteAll(writer);
    EXPECT_TRUE(writer.closed());

    FrameReader reader(/*from_client=*/to_server, 1 << 20);
    EXPECT_EQ(ReadAll(reader, out, 1000),
              (std::vector<Read>{{Kind::kMessage, "first"},
                                 {Kind::kPong, "pong"},
                                 {Kind::kMessage, std::string(70'000, 's')},
                                 {Kind::kClose, "\x03\xe9" + std::string(123, 'r')}}));
  }
}

TEST(FrameWriter, CloseReason_IsNotCutInsideACharacter) {
  FrameWriter writer(false);
  std::string reason(121, 'r');
  reason += "\xe2\x82\xac";  // a euro sign, of which two bytes would fit
  writer.SetClose(CloseCode::kNormal, reason);
  EXPECT_EQ(WriteAll(writer).size(), 2 + 2 + 121u);
}

TEST(FrameWriter, Abandoned_HasNothingToWrite) {
  FrameWriter writer(true);
  std::string message = "m";
  writer.SetMessage(Mutable(message));
  EXPECT_FALSE(writer.empty());
  writer.Abandon();
  EXPECT_TRUE(writer.empty());
  EXPECT_FALSE(writer.has_message());
}

TEST(CloseCodes, ThoseThatMayBeSent) {
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999}) {
    EXPECT_TRUE(IsSendableCloseCode(static_cast<uint16_t>(code))) << code;
  }
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    EXPECT_FALSE(IsSendableCloseCode(static_cast<uint16_t>(code))) << code;
  }
}

}  // namespace
}  // namespace grid::internal
