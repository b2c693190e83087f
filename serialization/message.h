// The wire message: a 7-element MessagePack array and its trailers (grid/PROTOCOL.md).
//
// Encoding writes into the caller's bytes; decoding reads in place. Neither allocates. Pure
// functions, any thread.
//
//   Message m{.mux_id = 7, .handler = 78, .op = Op::kRequest, .payload = AsBytes("hi")};
//   size_t n = EncodedSize(m);
//   uint8_t* end = EncodeMessage(m, out);  // out + n
//
//   Message in;
//   DecodeError e = DecodeMessage(bytes, &in);  // in.payload and in.subroute point into `bytes`
#ifndef GRID_SERIALIZATION_MESSAGE_H_
#define GRID_SERIALIZATION_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "serialization/bytes.h"
#include "serialization/extension_block.h"

namespace grid {

enum class Op : uint8_t {
  kInvalid = 0,
  kConnect = 1,
  kConnectResponse = 2,
  kPing = 3,
  kPong = 4,
  kConnectMux = 5,
  kMuxConnectError = 6,
  kDisconnectClientMux = 7,
  kDisconnectServerMux = 8,
  kMuxClientMsg = 9,
  kMuxServerMsg = 10,
  kUnblockSrvMux = 11,
  kUnblockClMux = 12,
  kAckMux = 13,
  kRequest = 14,
  kResponse = 15,
  kDisconnect = 16,
  kMerged = 17,
};
inline constexpr uint8_t kMaxOp = 17;

// The op's name as the protocol document writes it ("ConnectMux"), "Unknown" for other values.
std::string_view OpName(Op op);

// Whether the payload is the application's: what is cut into fragments and compressed.
inline bool CarriesPayload(Op op) {
  return op == Op::kRequest || op == Op::kResponse || op == Op::kConnectMux ||
         op == Op::kMuxClientMsg || op == Op::kMuxServerMsg;
}

inline constexpr uint8_t kFlagCrc = 1;
inline constexpr uint8_t kFlagEof = 2;
inline constexpr uint8_t kFlagStateless = 4;
inline constexpr uint8_t kFlagPayloadIsErr = 8;
inline constexpr uint8_t kFlagPayloadIsZero = 16;
inline constexpr uint8_t kFlagSubroute = 32;
// Of extensions, and only where these were agreed upon.
inline constexpr uint8_t kFlagExtended = 64;     // an extension block follows the array
inline constexpr uint8_t kFlagCompressed = 128;  // the payload is a zstd frame

inline constexpr size_t kSubrouteIdSize = 32;
inline constexpr size_t kCrcSize = 4;
// Most bytes that EncodeMessage writes besides the payload and an extension block: array, bin
// header, subroute id, CRC.
inline constexpr size_t kMaxMessageOverhead =
    1 + 9 + 5 + 5 + 2 + 2 + 2 + 5 + kSubrouteIdSize + kCrcSize;
// Most that an extension block adds.
inline constexpr size_t kMaxExtensionOverhead = 2 + kMaxExtensionBytes;

struct Message {
  uint64_t mux_id = 0;
  uint32_t seq = 0;
  uint32_t deadline_ms = 0;  // 0: none
  // Above 255 in an extension block only (handlers16): the array has 0 then.
  uint16_t handler = 0;
  Op op = Op::kInvalid;
  uint8_t flags = 0;
  // Nil and empty both encode as an empty bin. Decoding gives nil for an empty bin, or empty when
  // kFlagPayloadIsZero is set. EncodeMessage sets no flag by itself.
  BytesView payload = {};
  // 32 bytes, set exactly when kFlagSubroute is in `flags`.
  const uint8_t* subroute = nullptr;
  // The map of the extension block (extension_block.h), at most kMaxExtensionBytes; written unless
  // it is empty, and then kFlagExtended must be set. Decoding leaves it nil when there is none, or
  // none that is whole.
  BytesView extension = {};
};

// Exact number of bytes that EncodeMessage(message) writes. When kFlagCrc is set the checksum
// counts.
size_t EncodedSize(const Message& message);

// Writes `message` with its trailers (extension block if there is one, subroute id if
// kFlagSubroute, checksum if kFlagCrc) at `out`, which must have EncodedSize(message) bytes.
// Returns the end.
uint8_t* EncodeMessage(const Message& message, uint8_t* out);

enum class DecodeError : uint8_t {
  kOk = 0,
  kTruncated,        // the array ends early, or the payload is longer than what is there
  kNotAnArray,       // the first byte starts no array
  kWrongArity,       // an array, but not of 7
  kBadMuxId,         // not a non-negative integer of up to 64 bits
  kBadSeq,           // not an integer within uint32
  kBadDeadline,      // not an integer within uint32
  kBadHandler,       // not an integer within uint8
  kBadOp,            // not an integer within uint8
  kBadFlags,         // not an integer within uint8
  kBadPayload,       // not a bin
  kMissingCrc,       // CRC flag, but fewer than 4 bytes behind the array
  kCrcMismatch,      // checksum does not match
  kMissingSubroute,  // Subroute flag, but fewer than 32 bytes behind the array
};
// A sentence that names the field and the limit, for logs and statuses.
std::string_view DescribeDecodeError(DecodeError error);

// Reads one message that fills `bytes` exactly. Views in `message` point into `bytes`. With `rest`
// not null, *rest gets what stands between the array and the trailers (the inner messages of a
// Merged; otherwise ignored by version 1). The checksum is verified when its flag is set. Ops and
// flag bits that are not known are no error: the caller ignores and counts them.
DecodeError DecodeMessage(BytesView bytes, Message* message, BytesView* rest = nullptr);

// The MuxID of a message that has not been decoded yet; 0 when it can't be read.
uint64_t PeekMuxId(BytesView bytes);

}  // namespace grid

#endif  // GRID_SERIALIZATION_MESSAGE_H_
