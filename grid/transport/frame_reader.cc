#include "grid/transport/frame_reader.h"

#include <cstring>

namespace grid::internal {

bool IsSendableCloseCode(uint16_t code) {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

FrameReader::Frame FrameReader::Bad(std::string_view why) {
  bad_ = true;
  return {.kind = Kind::kBad, .why = why};
}

FrameReader::Frame FrameReader::Check(const FrameHeader& header) {
  if (header.reserved != 0) return Bad("a frame with a reserved bit");
  if (header.masked != from_client_) {
    return Bad(from_client_ ? "a frame without a mask from a client"
                            : "a frame with a mask from a server");
  }
  if (!header.minimal) return Bad("a frame whose length is not in its shortest form");
  switch (header.opcode) {
    case Opcode::kClose:
    case Opcode::kPing:
    case Opcode::kPong:
      if (!header.fin) return Bad("a control frame in fragments");
      if (header.length > kMaxControlPayload) return Bad("a control frame of more than 125 bytes");
      return {};
    case Opcode::kText: {
      Frame bad = Bad("a text message; every message must be binary");
      bad.code = CloseCode::kUnsupportedData;
      bad.cause = CloseCause::kTextFrame;
      return bad;
    }
    case Opcode::kBinary:
      if (in_message_) return Bad("a new message inside another");
      break;
    case Opcode::kContinuation:
      if (!in_message_) return Bad("a continuation of nothing");
      break;
    default:
      return Bad("a frame with a reserved opcode");
  }
  if (header.length > max_message_bytes_ || assembled_ + header.length > max_message_bytes_) {
    Frame bad = Bad("a message above the limit");
    bad.code = CloseCode::kMessageTooBig;
    bad.cause = CloseCause::kMessageTooBig;
    return bad;
  }
  return {};
}

FrameReader::Frame FrameReader::Control(const FrameHeader& header, MutableBytes payload) {
  if (header.opcode == Opcode::kPing) return {.kind = Kind::kPing, .payload = payload};
  if (header.opcode == Opcode::kPong) return {.kind = Kind::kPong, .payload = payload};
  if (payload.size() == 1) return Bad("a close frame of one byte");
  if (payload.size() >= 2) {
    const auto code = static_cast<uint16_t>(payload[0] << 8 | payload[1]);
    if (!IsSendableCloseCode(code)) return Bad("a close frame with a reserved code");
  }
  return {.kind = Kind::kClose, .payload = payload};
}

FrameReader::Frame FrameReader::Next() {
  if (bad_) return {};
  buffer_.Consume(given_);
  given_ = 0;
  for (;;) {
    const MutableBytes bytes = buffer_.contents();
    const size_t at = assembled_ + dead_;
    const MutableBytes arrived = bytes.subspan(at);
    FrameHeader header;
    if (!ReadFrameHeader(arrived, &header)) return {};
    if (Frame checked = Check(header); checked.kind != Kind::kNone) return checked;
    if (arrived.size() - header.header_size < header.length) return {};

    const MutableBytes payload =
        arrived.subspan(header.header_size, static_cast<size_t>(header.length));
    if (header.masked) ApplyMask(header.key, payload);
    const size_t frame_size = header.header_size + payload.size();
    if (IsControl(header.opcode)) {
      if (in_message_) {
        dead_ += frame_size;
      } else {
        given_ = frame_size;
      }
      return Control(header, payload);
    }
    if (header.fin && !in_message_) {
      given_ = frame_size;
      return {.kind = Kind::kMessage, .payload = payload};
    }
    // A fragment: to the end of those before it.
    std::memmove(bytes.data() + assembled_, payload.data(), payload.size());
    assembled_ += payload.size();
    dead_ += header.header_size;
    in_message_ = true;
    if (!header.fin) continue;
    given_ = assembled_ + dead_;
    const BytesView message = bytes.first(assembled_);
    in_message_ = false;
    assembled_ = dead_ = 0;
    return {.kind = Kind::kMessage, .payload = message};
  }
}

}  // namespace grid::internal
