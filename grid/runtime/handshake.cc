#include "grid/runtime/handshake.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "serialization/checksum.h"
#include "serialization/message.h"

namespace grid {
namespace {

bool IsHttps(std::string_view host) { return host.substr(0, 8) == "https://"; }

template <typename Payload>
Buffer EncodeHandshake(Op op, const Payload& payload) {
  Buffer encoded;
  Encode(payload, &encoded);
  const Message message{.op = op, .payload = encoded};
  Buffer out = Buffer::Unpooled(EncodedSize(message));
  EncodeMessage(message, out.data());
  return out;
}

template <typename Payload>
absl::StatusOr<Payload> DecodeHandshake(Op op, BytesView bytes) {
  Message message;
  const DecodeError error = DecodeMessage(bytes, &message);
  if (error != DecodeError::kOk) {
    const std::string_view text = DescribeDecodeError(error);
    return absl::InvalidArgumentError(std::string(text));
  }
  if (message.op != op) {
    return absl::InvalidArgumentError(absl::StrCat("the first message must be ",
                                                   std::string(OpName(op)), ", got ",
                                                   std::string(OpName(message.op))));
  }
  Payload payload;
  absl::Status decoded = Decode(message.payload, &payload);
  if (!decoded.ok()) return decoded;
  return payload;
}

}  // namespace

bool DialsByRule(std::string_view local, std::string_view remote) {
  const std::string forth = std::string(local).append(remote);
  const std::string back = std::string(remote).append(local);
  const uint64_t h0 = Xxh3(AsBytes(forth));
  const uint64_t h1 = Xxh3(AsBytes(back));
  return h0 == h1 ? local < remote : h0 < h1;
}

bool UsesChecksums(std::string_view local, std::string_view remote) {
  return !(IsHttps(local) && IsHttps(remote));
}

bool IsClientName(std::string_view name) {
  constexpr size_t kMost = 255;
  return !name.empty() && name.size() <= kMost &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

WireTime ToWireTime(WallTime time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return {seconds.count(), static_cast<int32_t>((since - seconds).count())};
}

std::string Printable(std::string_view text) {
  constexpr size_t kMost = 200;
  const std::string_view head = text.substr(0, kMost);
  std::string printable = absl::CHexEscape(absl::string_view(head.data(), head.size()));
  if (text.size() > kMost) printable += "...";
  return printable;
}

Buffer EncodeConnect(const ConnectRequest& request) {
  return EncodeHandshake(Op::kConnect, request);
}

Buffer EncodeConnectResponse(const ConnectResponse& response) {
  return EncodeHandshake(Op::kConnectResponse, response);
}

absl::StatusOr<ConnectRequest> DecodeConnect(BytesView message) {
  return DecodeHandshake<ConnectRequest>(Op::kConnect, message);
}

absl::StatusOr<ConnectResponse> DecodeConnectResponse(BytesView message) {
  return DecodeHandshake<ConnectResponse>(Op::kConnectResponse, message);
}

absl::Status CheckClock(const WireTime& theirs, WallTime ours, std::chrono::minutes max_skew) {
  const int64_t now = ToWireTime(ours).seconds;
  // Unsigned, so that no pair of times can overflow.
  const uint64_t apart = theirs.seconds > now
                             ? static_cast<uint64_t>(theirs.seconds) - static_cast<uint64_t>(now)
                             : static_cast<uint64_t>(now) - static_cast<uint64_t>(theirs.seconds);
  if (apart <= static_cast<uint64_t>(std::chrono::seconds(max_skew).count())) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("clocks are ", apart, " s apart, the limit is ", max_skew.count(), " min"));
}

}  // namespace grid
