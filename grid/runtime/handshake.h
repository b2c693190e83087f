// The Connect exchange (PROTOCOL.md, "Connect"): what either side sends, and the checks of the
// acceptor. Pure functions.
#ifndef GRID_GRID_RUNTIME_HANDSHAKE_H_
#define GRID_GRID_RUNTIME_HANDSHAKE_H_

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "serialization/buffer.h"
#include "serialization/control_payloads.h"

namespace grid {

// True when, by the rule of the protocol, `local` dials `remote`: with h0 = xxh3_64(local + remote)
// and h1 = xxh3_64(remote + local), iff h0 < h1, or, when equal, iff local < remote.
bool DialsByRule(std::string_view local, std::string_view remote);

// True when messages between the two carry checksums: unless both names are https.
bool UsesChecksums(std::string_view local, std::string_view remote);

// True for what a client may be called: 1 to 255 printable ASCII characters without spaces.
bool IsClientName(std::string_view name);

WireTime ToWireTime(WallTime time);

// Largest first message that either side accepts: names and tokens are short, and who sends it is
// not known yet.
inline constexpr size_t kMaxHandshakeBytes = size_t{64} << 10;

// What a stranger sent, fit for a log line and for the wire's str: escaped, and cut to 200 bytes.
std::string Printable(std::string_view text);

// The messages, whole and ready to be written. Neither has a checksum.
Buffer EncodeConnect(const ConnectRequest& request);
Buffer EncodeConnectResponse(const ConnectResponse& response);

// The request in the first message of an incoming connection. An error, with the reason as its
// message, for anything else.
absl::StatusOr<ConnectRequest> DecodeConnect(BytesView message);
absl::StatusOr<ConnectResponse> DecodeConnectResponse(BytesView message);

// OK, or a reason to refuse in words for the dialer and the log: the clocks differ by more than
// `max_skew`.
absl::Status CheckClock(const WireTime& theirs, WallTime ours, std::chrono::minutes max_skew);

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_HANDSHAKE_H_
