// Payloads of the connection-level messages: ConnectRequest, ConnectResponse, PingMessage,
// PongMessage, MuxConnectError; and the time encoding that they use (grid/PROTOCOL.md).
//
// Each is a MessagePack map with string keys. Encoding appends to a Buffer; decoding skips unknown
// keys (with bounded depth), leaves missing fields at their defaults, accepts any order, and
// returns InvalidArgument naming the field for a wrong type. Trailing bytes are ignored.
#ifndef GRID_SERIALIZATION_CONTROL_PAYLOADS_H_
#define GRID_SERIALIZATION_CONTROL_PAYLOADS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/extensions.h"

namespace grid {

// A point in time as Go's MessagePack encodes it: ext type 5, 12 bytes, big-endian int64 seconds
// and int32 nanoseconds since the Unix epoch. Default: Go's zero time, 0001-01-01T00:00:00Z.
// Reading also accepts the official MessagePack timestamp (ext -1) of 4, 8 and 12 bytes.
struct WireTime {
  int64_t seconds = -62135596800;
  int32_t nanoseconds = 0;
  friend bool operator==(const WireTime&, const WireTime&) = default;
};

// The 16 bytes of an instance's UUID: new for every start of a process.
using InstanceId = std::array<uint8_t, 16>;

struct ConnectRequest {  // keys ID, Host, Time, Token; Ext where there is any
  InstanceId id{};
  std::string host;
  WireTime time;
  std::string token;
  Extensions extensions = {};
};

struct ConnectResponse {  // keys ID, Accepted, RejectedReason; Ext where there is any
  InstanceId id{};
  bool accepted = false;
  std::string rejected_reason;
  Extensions extensions = {};
};

struct PingMessage {  // key t
  WireTime time;
};

struct PongMessage {                 // keys nf, e, t
  bool not_found = false;            // no such mux
  std::optional<std::string> error;  // nil when absent
  WireTime time;                     // copied from the ping
};

struct MuxConnectError {  // key Error
  std::string error;
};

void Encode(const ConnectRequest& value, Buffer* out);
void Encode(const ConnectResponse& value, Buffer* out);
void Encode(const PingMessage& value, Buffer* out);
void Encode(const PongMessage& value, Buffer* out);
void Encode(const MuxConnectError& value, Buffer* out);

absl::Status Decode(BytesView bytes, ConnectRequest* value);
absl::Status Decode(BytesView bytes, ConnectResponse* value);
absl::Status Decode(BytesView bytes, PingMessage* value);
absl::Status Decode(BytesView bytes, PongMessage* value);
absl::Status Decode(BytesView bytes, MuxConnectError* value);

}  // namespace grid

#endif  // GRID_SERIALIZATION_CONTROL_PAYLOADS_H_
