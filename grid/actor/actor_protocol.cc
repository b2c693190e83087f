#include "grid/actor/actor_protocol.h"

#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/message_type.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

constexpr size_t kLengthBytes = 4;

// The first byte of an outcome.
enum : uint8_t { kNil = 0, kBytes = 1, kError = 2 };

// What a status carries besides its text, of ours only.
constexpr std::string_view kPayloadPrefix = "grid/";

struct ErrorMessage {
  int32_t code = 0;  // of absl::Status
  std::string text = {};
  uint8_t delivery = 0;
  std::map<std::string, std::string> details = {};  // payloads of the status
  MSGPACK_DEFINE_ARRAY(code, text, delivery, details);
};

void AppendLength(size_t length, Buffer& out) {
  uint8_t bytes[kLengthBytes];
  for (size_t i = 0; i < kLengthBytes; ++i) {
    bytes[i] = static_cast<uint8_t>(length >> (8 * (kLengthBytes - 1 - i)));
  }
  out.Append(BytesView(bytes, kLengthBytes));
}

uint32_t LengthAt(BytesView bytes) {
  uint32_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length = length << 8 | bytes[i];
  return length;
}

absl::Status Wrong(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("delivery: ", absl::string_view(what.data(), what.size())));
}

}  // namespace

absl::StatusOr<Buffer> EncodeDelivery(std::span<const Target> targets, const Message& message) {
  if (message.type.empty() || message.type.size() > kMaxMessageTypeBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the message type's name must have 1 to ",
                                                   kMaxMessageTypeBytes, " bytes, not ",
                                                   message.type.size()));
  }
  DeliverHeader header{.type_bytes = static_cast<uint32_t>(message.type.size()),
                       .nil_body = IsNil(message.body),
                       .acknowledge = static_cast<uint8_t>(message.acknowledge),
                       .call = message.call,
                       .deduplicate_ms = static_cast<uint64_t>(message.deduplicate.count()),
                       .from = message.from == nullptr ? std::string() : message.from->text(),
                       .published = WirePublication(message.publication)};
  header.targets.reserve(targets.size());
  for (const Target& target : targets) {
    header.targets.push_back({.name = target.name.text(), .epoch = target.epoch});
  }
  Buffer payload;
  payload.Reserve(kLengthBytes + 64 * (targets.size() + 1) + message.type.size() +
                  message.body.size());
  AppendLength(0, payload);
  if (absl::Status status = Encode(header, payload); !status.ok()) return status;
  const size_t length = payload.size() - kLengthBytes;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    payload.data()[i] = static_cast<uint8_t>(length >> (8 * (kLengthBytes - 1 - i)));
  }
  payload.Append(AsBytes(message.type));
  payload.Append(message.body);
  return payload;
}

absl::StatusOr<ArrivedDelivery> DecodeDelivery(BytesView payload, size_t max_targets) {
  if (payload.size() < kLengthBytes) return Wrong("it is too short");
  const size_t length = LengthAt(payload);
  if (length > payload.size() - kLengthBytes) return Wrong("the header is cut off");
  ArrivedDelivery arrived{
      .header = {}, .type_offset = kLengthBytes + length, .from = {}, .publication = {}};
  DeliverHeader& header = arrived.header;
  if (absl::Status status = Decode(payload.subspan(kLengthBytes, length), header); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("delivery: ", status.message()));
  }
  const size_t behind = payload.size() - arrived.type_offset;
  if (header.targets.empty()) return Wrong("there is no target");
  if (header.targets.size() > max_targets) {
    return Wrong(absl::StrCat(header.targets.size(), " targets, more than ", max_targets));
  }
  if (header.type_bytes == 0 || header.type_bytes > kMaxMessageTypeBytes) {
    return Wrong(
        absl::StrCat("type_bytes is ", header.type_bytes, ", not 1 to ", kMaxMessageTypeBytes));
  }
  if (header.type_bytes > behind) return Wrong("the type is cut off");
  if (header.nil_body && header.type_bytes != behind) return Wrong("a nil body has bytes");
  if (header.acknowledge > static_cast<uint8_t>(Acknowledgement::kProcessed)) {
    return Wrong(absl::StrCat("acknowledge is ", header.acknowledge, ", not 0 to 2"));
  }
  if (header.deduplicate_ms > std::numeric_limits<uint32_t>::max()) {
    return Wrong("deduplicate_ms is more than 49 days");
  }
  if (!header.from.empty()) {
    absl::StatusOr<Name> from = Name::Parse(header.from);
    if (!from.ok()) return Wrong(absl::StrCat("from: ", from.status().message()));
    arrived.from = *std::move(from);
  }
  absl::StatusOr<std::optional<Publication>> publication = PublicationFrom(header.published);
  if (!publication.ok()) return Wrong(absl::StrCat(publication.status().message()));
  arrived.publication = *publication;
  return arrived;
}

std::vector<uint64_t> WirePublication(const std::optional<Publication>& publication) {
  if (!publication.has_value()) return {};
  return {publication->publisher, publication->incarnation, publication->sequence};
}

absl::StatusOr<std::optional<Publication>> PublicationFrom(const std::vector<uint64_t>& wire) {
  if (wire.empty()) return std::nullopt;
  if (wire.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("published has ", wire.size(), " numbers, not 0 or 3"));
  }
  const Publication publication{.publisher = wire[0], .incarnation = wire[1], .sequence = wire[2]};
  if (publication.publisher == 0 || publication.incarnation == 0 || publication.sequence == 0) {
    return absl::InvalidArgumentError("published has a 0");
  }
  return publication;
}

void EncodeOutcome(const LetterOutcome& outcome, Buffer& out) {
  if (outcome.ok()) {
    const uint8_t kind = outcome->is_nil() ? kNil : kBytes;
    out.Reserve(out.size() + 1 + outcome->size());
    out.Append(BytesView(&kind, 1));
    if (kind == kBytes) out.Append(outcome->view());
    return;
  }
  const absl::Status& status = outcome.status();
  ErrorMessage message{.code = static_cast<int32_t>(status.raw_code()),
                       .text = std::string(status.message()),
                       .delivery = static_cast<uint8_t>(DeliveryOf(status))};
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    if (url.substr(0, kPayloadPrefix.size()) ==
        absl::string_view(kPayloadPrefix.data(), kPayloadPrefix.size())) {
      message.details.emplace(std::string(url), std::string(payload));
    }
  });
  const uint8_t kind = kError;
  out.Append(BytesView(&kind, 1));
  // Strings and numbers, which MessagePack has room for.
  Encode(message, out).IgnoreError();
}

LetterOutcome DecodeOutcome(BytesView bytes) {
  const auto wrong = [](absl::string_view why) {
    return WithDelivery(absl::InvalidArgumentError(absl::StrCat("the answer: ", why)),
                        Delivery::kMaybeExecuted);
  };
  if (bytes.empty()) return wrong("it is empty");
  const BytesView rest = bytes.subspan(1);
  switch (bytes[0]) {
    case kNil:
      return Buffer();
    case kBytes: {
      Buffer body = Buffer::Empty();
      body.Append(rest);
      return body;
    }
    case kError:
      break;
    default:
      return wrong(absl::StrCat("its kind is ", bytes[0], ", not 0 to 2"));
  }
  ErrorMessage message;
  if (absl::Status status = Decode(rest, message); !status.ok()) return wrong(status.message());
  if (message.code == 0 || message.delivery > static_cast<uint8_t>(Delivery::kExecuted)) {
    return wrong("it is no error");
  }
  // Codes that we don't know are kUnknown.
  absl::Status status(static_cast<absl::StatusCode>(message.code), message.text);
  for (const auto& [url, payload] : message.details) status.SetPayload(url, absl::Cord(payload));
  return WithDelivery(std::move(status), static_cast<Delivery>(message.delivery), /*remote=*/true);
}

LetterOutcome DecodeOutcome(Buffer bytes) {
  if (bytes.size() == 0 || bytes.data()[0] != kBytes) return DecodeOutcome(bytes.view());
  std::memmove(bytes.data(), bytes.data() + 1, bytes.size() - 1);
  bytes.Resize(bytes.size() - 1);
  return bytes;
}

void EncodeIndex(uint32_t index, Buffer& out) { AppendLength(index, out); }

std::optional<uint32_t> DecodeIndex(BytesView bytes) {
  if (bytes.size() < kIndexBytes) return std::nullopt;
  return LengthAt(bytes);
}

}  // namespace grid::internal
