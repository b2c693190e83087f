// Takes a message apart the way that grid/PROTOCOL.md shows it: one line for each field, its bytes
// in hex and what they say.
//
//   97                                array of 7
//   ce 00 10 00 00                    MuxID 1048576
//   ...
//
// A pure function of the bytes, so a document that holds its output can be checked word by word.
#ifndef GRID_TESTS_UNIT_DOCS_ANNOTATE_H_
#define GRID_TESTS_UNIT_DOCS_ANNOTATE_H_

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

#include "serialization/control_payloads.h"
#include "serialization/merged.h"
#include "serialization/message.h"

namespace grid::docs {

class Annotator {
 public:
  // Lines with a newline at the end of each. Decodes with the library's codec; throws
  // std::runtime_error for what it refuses, and for bytes that the library writes differently.
  static std::string Annotate(BytesView bytes) {
    Annotator annotator(bytes);
    annotator.Run();
    return annotator.out_;
  }

 private:
  static constexpr size_t kBytesPerLine = 11;

  explicit Annotator(BytesView bytes) : bytes_(bytes), rest_(bytes) {}

  void Run() {
    Message message;
    BytesView inner;
    const DecodeError error = DecodeMessage(bytes_, &message, &inner);
    if (error != DecodeError::kOk) Refuse(DescribeDecodeError(error));
    CheckEncoding(message);
    Line(1, "array of 7");
    Number("MuxID ", message.mux_id);
    Number("Seq ", message.seq);
    Number("DeadlineMS ", message.deadline_ms);
    Number("Handler ", message.handler);
    Line(1, "Op " + std::to_string(static_cast<int>(message.op)) + ", " +
                std::string(OpName(message.op)));
    Line(message.flags < 0x80 ? 1 : 2, "Flags " + FlagNames(message.flags));
    Payload(message);
    if (!IsNil(message.extension)) Extension(message.extension);
    if (message.op == Op::kMerged) Inner(message.seq, inner);
    if (message.subroute != nullptr) Line(kSubrouteIdSize, "Subroute");
    if ((message.flags & kFlagCrc) != 0) {
      const BytesView crc = rest_.first(kCrcSize);
      char text[16];
      std::snprintf(text, sizeof(text), "CRC %02x%02x%02x%02x", crc[3], crc[2], crc[1], crc[0]);
      Line(kCrcSize, text);
    }
    if (!rest_.empty()) Refuse("bytes are left over");
  }

  [[noreturn]] static void Refuse(std::string_view why) {
    throw std::runtime_error(std::string(why));
  }

  // The codec, told the fields, writes the same bytes (those of a Merged's inner messages aside).
  void CheckEncoding(const Message& message) const {
    std::string again(EncodedSize(message), '\0');
    EncodeMessage(message, reinterpret_cast<uint8_t*>(again.data()));
    if (!AsText(bytes_).starts_with(again)) Refuse("the codec writes this message differently");
  }

  static std::string FlagNames(uint8_t flags) {
    static constexpr std::string_view kNames[] = {"CRC",          "EOF",           "Stateless",
                                                  "PayloadIsErr", "PayloadIsZero", "Subroute",
                                                  "Extended",     "Compressed"};
    std::string names;
    for (size_t i = 0; i < 8; ++i) {
      if ((flags >> i & 1) == 0) continue;
      names += (names.empty() ? "" : " | ") + std::string(kNames[i]);
    }
    return names.empty() ? "none" : names;
  }

  void Number(const char* name, uint64_t value) {
    const uint8_t head = rest_[0];
    const size_t size = head < 0xcc ? 1 : size_t{1} + (size_t{1} << (head - 0xcc));
    Line(size, name + std::to_string(value));
  }

  void Payload(const Message& message) {
    const size_t header = BinHeaderSize(message.payload.size());
    const std::string size = std::to_string(message.payload.size());
    switch (message.op) {
      case Op::kConnect:
        return Control<ConnectRequest>(message.payload, header, "ConnectRequest");
      case Op::kConnectResponse:
        return Control<ConnectResponse>(message.payload, header, "ConnectResponse");
      case Op::kPing:
        if (IsNil(message.payload)) break;
        return Control<PingMessage>(message.payload, header, "PingMessage");
      case Op::kPong:
        return Control<PongMessage>(message.payload, header, "PongMessage");
      case Op::kMuxConnectError:
        return Control<MuxConnectError>(message.payload, header, "MuxConnectError");
      default:
        break;
    }
    if (IsNil(message.payload)) return Line(header, "Payload nil");
    if (message.payload.empty()) return Line(header, "Payload empty");
    if ((message.flags & kFlagCompressed) != 0) {
      return Line(header + message.payload.size(), "Payload, a zstd frame of " + size + " bytes");
    }
    Line(header + message.payload.size(), "Payload " + Quoted(AsText(message.payload)));
  }

  static std::string Quoted(std::string_view text) {
    for (const char c : text) {
      if (c < ' ' || c > '~') Refuse("a payload that is no plain text");
    }
    return "\"" + std::string(text) + "\"";
  }

  template <typename T>
  void Control(BytesView payload, size_t header, const std::string& name) {
    T value;
    if (!Decode(payload, &value).ok()) Refuse("the payload is no " + name);
    Buffer again;
    Encode(value, &again);
    if (AsText(again) != AsText(payload)) Refuse("the codec writes this payload differently");
    Line(header, "Payload, " + std::to_string(payload.size()) + " bytes: " + name);
    const size_t end = rest_.size() - payload.size();
    while (rest_.size() > end) Value();
  }

  // Keys with names, and their values.
  void Extension(BytesView block) {
    ExtensionFields fields;
    ExtensionBlock again;
    if (!ReadExtension(block, &fields) || !again.Write(fields) ||
        AsText(again.view()) != AsText(block)) {
      Refuse("the codec writes this extension block differently");
    }
    Line(2, "Extension block, " + std::to_string(block.size()) + " bytes");
    const size_t end = rest_.size() - block.size();
    Value();
    while (rest_.size() > end) {
      static constexpr std::string_view kKeys[] = {
          "",         "GrantMessages", "GrantBytes", "WindowMessages", "WindowBytes", "Offset",
          "More",     "OriginalBytes", "Dictionary", "Traceparent",    "Metadata",    "Code",
          "Delivery", "Handler",       "Priority",   "Pieces"};
      const uint8_t key = rest_[0];
      if (key >= std::size(kKeys)) Refuse("an unknown key of an extension block");
      Line(1, "  " + std::string(kKeys[key]));
      // A map in a bin: taken apart as well.
      if (key == 10) Line(2, "  bin of " + std::to_string(rest_[1]) + ":");
      const size_t value_end = key == 10 ? rest_.size() - fields.metadata.size() : rest_.size() - 1;
      while (rest_.size() > value_end) Value();
    }
  }

  // One value of a control payload; of the MessagePack types that occur there.
  void Value() {
    const uint8_t head = rest_[0];
    if (head < 0x80 || (head >= 0xcc && head <= 0xcf)) return Number("  ", Unsigned());
    if (head >= 0x80 && head < 0x90) return Line(1, "  map of " + std::to_string(head & 15));
    if (head >= 0x90 && head < 0xa0) return Line(1, "  array of " + std::to_string(head & 15));
    if (head >= 0xa0 && head < 0xc0) return Text(1, head & 31);
    switch (head) {
      case 0xc0:
        return Line(1, "  nil");
      case 0xc2:
        return Line(1, "  false");
      case 0xc3:
        return Line(1, "  true");
      case 0xc4:
        return Line(size_t{2} + rest_[1], "  bin of " + std::to_string(rest_[1]));
      case 0xd9:
        return Text(2, rest_[1]);
      case 0xc7: {
        PingMessage time;  // the codec's word on it
        Buffer map = Buffer::CopyOf(std::string_view("\x81\xa1t"));
        map.Append(rest_.first(15));
        if (!Decode(map, &time).ok()) Refuse("an extension that is no time");
        return Line(15, "  time " + std::to_string(time.time.seconds) + " s, " +
                            std::to_string(time.time.nanoseconds) + " ns");
      }
      default:
        Refuse("a type that control payloads don't hold");
    }
  }

  uint64_t Unsigned() const {
    if (rest_[0] < 0x80) return rest_[0];
    uint64_t value = 0;
    for (int i = 1; i <= 1 << (rest_[0] - 0xcc); ++i) value = value << 8 | rest_[i];
    return value;
  }

  void Text(size_t header, size_t size) {
    Line(header + size, "  " + Quoted(AsText(rest_.subspan(header, size))));
  }

  void Inner(uint32_t count, BytesView inner) {
    MergedReader reader(count, inner);
    BytesView message;
    while (reader.Next(&message)) {
      Line(BinHeaderSize(message.size()),
           "a message of " + std::to_string(message.size()) + " bytes:");
      out_ += Annotate(message);
      rest_ = rest_.subspan(message.size());
    }
    if (!reader.ok()) Refuse("the Merged is shorter than it says");
  }

  // The next `size` bytes and, behind the first of their lines, the note.
  void Line(size_t size, const std::string& note) {
    if (rest_.size() < size) Refuse("truncated");
    for (size_t at = 0; at < size; at += kBytesPerLine) {
      std::string line;
      for (size_t i = at; i < std::min(size, at + kBytesPerLine); ++i) {
        char hex[4];
        std::snprintf(hex, sizeof(hex), "%02x ", rest_[i]);
        line += hex;
      }
      if (at == 0) {
        line.resize(3 * kBytesPerLine + 1, ' ');
        line += note;
      } else {
        line.pop_back();
      }
      out_ += line + "\n";
    }
    rest_ = rest_.subspan(size);
  }

  const BytesView bytes_;
  BytesView rest_;
  std::string out_;
};

}  // namespace grid::docs

#endif  // GRID_TESTS_UNIT_DOCS_ANNOTATE_H_
