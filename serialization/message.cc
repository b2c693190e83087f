#include "serialization/message.h"

#include <cassert>
#include <cstring>
#include <limits>

#include "serialization/checksum.h"
#include "serialization/msgpack_cursor.h"

namespace grid {
namespace {

using internal::MsgpackError;
using internal::MsgpackReader;

constexpr uint8_t kArrayOf7 = 0x97;
constexpr std::string_view kOpNames[] = {
    "Unknown",
    "Connect",
    "ConnectResponse",
    "Ping",
    "Pong",
    "ConnectMux",
    "MuxConnectError",
    "DisconnectClientMux",
    "DisconnectServerMux",
    "MuxClientMsg",
    "MuxServerMsg",
    "UnblockSrvMux",
    "UnblockClMux",
    "AckMux",
    "Request",
    "Response",
    "Disconnect",
    "Merged",
};
static_assert(sizeof(kOpNames) / sizeof(kOpNames[0]) == kMaxOp + 1);

// What the array says of the handler.
uint64_t ArrayHandler(const Message& message) {
  return message.handler <= UINT8_MAX ? message.handler : 0;
}

// The checksum trailer is the protocol's only little-endian integer.
uint32_t LoadLittle32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// Reads an unsigned field; `bad` is what to say when it is there but unfit.
template <typename T>
[[gnu::always_inline]] inline DecodeError ReadField(MsgpackReader& in, DecodeError bad, T* field) {
  uint64_t value = 0;
  const MsgpackError error = in.ReadUint(static_cast<T>(~T{0}), &value);
  *field = static_cast<T>(value);
  if (error == MsgpackError::kOk) [[likely]] {
    return DecodeError::kOk;
  }
  return error == MsgpackError::kTruncated ? DecodeError::kTruncated : bad;
}

// Anything but the one-byte header that every peer writes.
DecodeError ReadWideArrayHeader(MsgpackReader& in) {
  uint32_t count = 0;
  switch (in.ReadArrayHeader(&count)) {
    case MsgpackError::kOk:
      return count == 7 ? DecodeError::kOk : DecodeError::kWrongArity;
    case MsgpackError::kTruncated:
      return DecodeError::kTruncated;
    default:
      return DecodeError::kNotAnArray;
  }
}

}  // namespace

std::string_view OpName(Op op) {
  const auto value = static_cast<uint8_t>(op);
  return kOpNames[value <= kMaxOp ? value : 0];
}

std::string_view DescribeDecodeError(DecodeError error) {
  switch (error) {
    case DecodeError::kOk:
      return "no error";
    case DecodeError::kTruncated:
      return "message is truncated: the array or its payload is longer than the bytes";
    case DecodeError::kNotAnArray:
      return "message does not start with an array";
    case DecodeError::kWrongArity:
      return "message array does not have 7 elements";
    case DecodeError::kBadMuxId:
      return "MuxID is not an unsigned integer of 64 bits";
    case DecodeError::kBadSeq:
      return "Seq is not an unsigned integer of 32 bits";
    case DecodeError::kBadDeadline:
      return "DeadlineMS is not an unsigned integer of 32 bits";
    case DecodeError::kBadHandler:
      return "Handler is not an unsigned integer of 8 bits";
    case DecodeError::kBadOp:
      return "Op is not an unsigned integer of 8 bits";
    case DecodeError::kBadFlags:
      return "Flags is not an unsigned integer of 8 bits";
    case DecodeError::kBadPayload:
      return "Payload is not a bin";
    case DecodeError::kMissingCrc:
      return "CRC flag set, but fewer than 4 bytes follow the array";
    case DecodeError::kCrcMismatch:
      return "CRC does not match the message";
    case DecodeError::kMissingSubroute:
      return "Subroute flag set, but fewer than 32 bytes follow the array";
  }
  return "unknown decode error";
}

size_t EncodedSize(const Message& message) {
  using internal::UintSize;
  const size_t payload = message.payload.size();
  size_t size = 1 + UintSize(message.mux_id) + UintSize(message.seq) +
                UintSize(message.deadline_ms) + UintSize(ArrayHandler(message)) +
                UintSize(static_cast<uint8_t>(message.op)) + UintSize(message.flags) +
                internal::BinHeaderSizeFor(payload) + payload;
  if (!message.extension.empty()) size += 2 + message.extension.size();
  if ((message.flags & kFlagSubroute) != 0) size += kSubrouteIdSize;
  if ((message.flags & kFlagCrc) != 0) size += kCrcSize;
  return size;
}

uint8_t* EncodeMessage(const Message& message, uint8_t* out) {
  assert(message.payload.size() <= UINT32_MAX);
  uint8_t* p = out;
  *p++ = kArrayOf7;
  p = internal::WriteUint(message.mux_id, p);
  p = internal::WriteUint(message.seq, p);
  p = internal::WriteUint(message.deadline_ms, p);
  p = internal::WriteUint(ArrayHandler(message), p);
  p = internal::WriteUint(static_cast<uint8_t>(message.op), p);
  p = internal::WriteUint(message.flags, p);
  p = internal::WriteBin(message.payload, p);
  if (!message.extension.empty()) {
    assert(message.extension.size() <= kMaxExtensionBytes);
    p = internal::WriteBin(message.extension, p);
  }
  if ((message.flags & kFlagSubroute) != 0) {
    assert(message.subroute != nullptr);
    std::memcpy(p, message.subroute, kSubrouteIdSize);
    p += kSubrouteIdSize;
  }
  if ((message.flags & kFlagCrc) != 0) {
    const uint32_t crc = MessageChecksum({out, p});
    std::memcpy(p, &crc, kCrcSize);
    p += kCrcSize;
  }
  return p;
}

DecodeError DecodeMessage(BytesView bytes, Message* message, BytesView* rest) {
  MsgpackReader in(bytes);
  message->payload = {};
  message->subroute = nullptr;
  message->extension = {};
  if (rest != nullptr) *rest = {};

  uint8_t handler = 0;
  uint8_t op = 0;
  DecodeError error = DecodeError::kOk;
  if (!bytes.empty() && bytes[0] == kArrayOf7) [[likely]] {
    in = MsgpackReader(bytes.subspan(1));
  } else if ((error = ReadWideArrayHeader(in)) != DecodeError::kOk) {
    return error;
  }
  if ((error = ReadField(in, DecodeError::kBadMuxId, &message->mux_id)) != DecodeError::kOk ||
      (error = ReadField(in, DecodeError::kBadSeq, &message->seq)) != DecodeError::kOk ||
      (error = ReadField(in, DecodeError::kBadDeadline, &message->deadline_ms)) !=
          DecodeError::kOk ||
      (error = ReadField(in, DecodeError::kBadHandler, &handler)) != DecodeError::kOk ||
      (error = ReadField(in, DecodeError::kBadOp, &op)) != DecodeError::kOk ||
      (error = ReadField(in, DecodeError::kBadFlags, &message->flags)) != DecodeError::kOk)
      [[unlikely]] {
    return error;
  }
  message->handler = handler;
  message->op = static_cast<Op>(op);

  BytesView payload;
  if (const MsgpackError bin = in.ReadBin(&payload); bin != MsgpackError::kOk) [[unlikely]] {
    return bin == MsgpackError::kTruncated ? DecodeError::kTruncated : DecodeError::kBadPayload;
  }

  // The trailers are taken off the end, last one first: something that only a newer peer knows may
  // stand between the array and them.
  const uint8_t* const tail = in.position();
  size_t tail_size = in.remaining();
  const uint8_t flags = message->flags;
  if ((flags & kFlagCrc) != 0) {
    if (tail_size < kCrcSize) return DecodeError::kMissingCrc;
    tail_size -= kCrcSize;
    const uint8_t* crc = tail + tail_size;
    if (LoadLittle32(crc) != MessageChecksum({bytes.data(), crc})) return DecodeError::kCrcMismatch;
  }
  if ((flags & kFlagSubroute) != 0) {
    if (tail_size < kSubrouteIdSize) return DecodeError::kMissingSubroute;
    tail_size -= kSubrouteIdSize;
    message->subroute = tail + tail_size;
  }
  if (!payload.empty() || (flags & kFlagPayloadIsZero) != 0) message->payload = payload;
  // Whether the flag means anything is not known here: without the extension that defines it, it is
  // no error.
  constexpr uint8_t kBin8 = 0xc4;
  if ((flags & kFlagExtended) != 0 && tail_size > 2 && tail[0] == kBin8 &&
      tail_size - 2 == tail[1]) {
    message->extension = {tail + 2, tail_size - 2};
  }
  if (rest != nullptr) *rest = {tail, tail_size};
  return DecodeError::kOk;
}

uint64_t PeekMuxId(BytesView bytes) {
  if (bytes.empty() || bytes[0] != kArrayOf7) return 0;
  uint64_t id = 0;
  MsgpackReader in(bytes.subspan(1));
  return in.ReadUint(std::numeric_limits<uint64_t>::max(), &id) == MsgpackError::kOk ? id : 0;
}

}  // namespace grid
