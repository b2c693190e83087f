#include "tools/common/explain_message.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cctype>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "serialization/checksum.h"
#include "serialization/control_payloads.h"
#include "serialization/merged.h"
#include "serialization/message.h"
#include "serialization/metadata.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

// Merged in Merged is a protocol error, and is not followed further down.
constexpr int kMaxDepth = 2;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }
json::string_view JsonText(std::string_view text) { return {text.data(), text.size()}; }
std::string Hex(BytesView bytes) { return absl::BytesToHexString(View(AsText(bytes))); }
std::string Hex32(uint32_t value) { return absl::StrFormat("%08x", value); }

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '\n' && c != '\t') return false;
  }
  return true;
}

std::string FormatTime(const WireTime& time) {
  return absl::FormatTime(absl::RFC3339_full,
                          absl::FromUnixSeconds(time.seconds) + absl::Nanoseconds(time.nanoseconds),
                          absl::UTCTimeZone());
}

json::array FlagNames(uint8_t flags) {
  static constexpr struct {
    uint8_t bit;
    const char* name;
  } kNames[] = {{kFlagCrc, "CRC"},
                {kFlagEof, "EOF"},
                {kFlagStateless, "Stateless"},
                {kFlagPayloadIsErr, "PayloadIsErr"},
                {kFlagPayloadIsZero, "PayloadIsZero"},
                {kFlagSubroute, "Subroute"},
                {kFlagExtended, "Extended"},
                {kFlagCompressed, "Compressed"}};
  json::array names;
  for (const auto& flag : kNames) {
    if ((flags & flag.bit) != 0) names.emplace_back(flag.name);
  }
  return names;
}

void Describe(const Extensions& value, json::object* out) {
  json::object features;
  for (const ExtensionName& feature : kExtensionNames) {
    if (value.*feature.value != 0) features[JsonText(feature.name)] = value.*feature.value;
  }
  json::array dictionaries;
  for (const uint32_t id : value.dictionaries) dictionaries.emplace_back(id);
  if (!dictionaries.empty()) features[JsonText(kDictionariesName)] = std::move(dictionaries);
  if (!features.empty()) (*out)["Ext"] = std::move(features);
}
void Describe(const ConnectRequest& value, json::object* out) {
  (*out)["ID"] = Hex(value.id);
  (*out)["Host"] = value.host;
  (*out)["Time"] = FormatTime(value.time);
  (*out)["Token"] = value.token;
  Describe(value.extensions, out);
}
void Describe(const ConnectResponse& value, json::object* out) {
  (*out)["ID"] = Hex(value.id);
  (*out)["Accepted"] = value.accepted;
  (*out)["RejectedReason"] = value.rejected_reason;
  Describe(value.extensions, out);
}
void Describe(const PingMessage& value, json::object* out) { (*out)["t"] = FormatTime(value.time); }
void Describe(const PongMessage& value, json::object* out) {
  (*out)["nf"] = value.not_found;
  if (value.error.has_value()) {
    (*out)["e"] = *value.error;
  } else {
    (*out)["e"] = nullptr;
  }
  (*out)["t"] = FormatTime(value.time);
}
void Describe(const MuxConnectError& value, json::object* out) { (*out)["Error"] = value.error; }

template <typename T>
absl::Status Decoded(BytesView payload, json::object* out) {
  T value;
  if (absl::Status status = Decode(payload, &value); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("Payload: ", status.message()));
  }
  json::object fields;
  Describe(value, &fields);
  (*out)["decoded"] = std::move(fields);
  return absl::OkStatus();
}

absl::Status DecodeControlPayload(const Message& message, json::object* out) {
  if (message.payload.empty()) return absl::OkStatus();
  switch (message.op) {
    case Op::kConnect:
      return Decoded<ConnectRequest>(message.payload, out);
    case Op::kConnectResponse:
      return Decoded<ConnectResponse>(message.payload, out);
    case Op::kPing:
      return Decoded<PingMessage>(message.payload, out);
    case Op::kPong:
      return Decoded<PongMessage>(message.payload, out);
    case Op::kMuxConnectError:
      return Decoded<MuxConnectError>(message.payload, out);
    default:
      return absl::OkStatus();
  }
}

absl::StatusOr<json::object> ExplainPayload(const Message& message) {
  json::object out;
  out["size"] = message.payload.size();
  if (message.payload.empty()) {
    out["is"] = IsNil(message.payload) ? "nil" : "empty";
    return out;
  }
  out["hex"] = Hex(message.payload);
  if (IsPrintable(AsText(message.payload))) out["text"] = JsonText(AsText(message.payload));
  if (absl::Status status = DecodeControlPayload(message, &out); !status.ok()) return status;
  return out;
}

absl::StatusOr<json::object> Explain(BytesView bytes, int depth);

absl::StatusOr<json::array> ExplainInner(const Message& outer, BytesView rest, int depth) {
  if (depth >= kMaxDepth) return absl::InvalidArgumentError("Op: Merged inside a Merged");
  MergedReader reader(outer.seq, rest);
  if (reader.ImpossibleCount()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Seq: announces ", outer.seq, " messages, but only ", rest.size(), " bytes follow"));
  }
  json::array messages;
  BytesView inner;
  while (reader.Next(&inner)) {
    absl::StatusOr<json::object> explained = Explain(inner, depth + 1);
    if (!explained.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("inner message ", messages.size(), ": ", explained.status().message()));
    }
    messages.push_back(*std::move(explained));
  }
  if (!reader.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("inner message ", messages.size(), ": not a bin, or truncated"));
  }
  return messages;
}

json::value ExplainMetadata(BytesView bytes) {
  const absl::StatusOr<MetadataView> metadata = MetadataView::Parse(bytes);
  if (!metadata.ok()) return json::string(Hex(bytes));
  json::object entries;
  for (const MetadataView::Entry entry : *metadata) {
    const auto shown = [](std::string_view text) {
      return IsPrintable(text) ? std::string(text) : Hex(AsBytes(text));
    };
    entries[shown(entry.key)] = shown(entry.value);
  }
  return entries;
}

json::object ExplainExtension(BytesView block) {
  json::object out;
  out["hex"] = Hex(block);
  ExtensionFields fields;
  if (!ReadExtension(block, &fields)) {
    out["error"] = "not a map of small integers";
    return out;
  }
  const auto add = [&](const char* name, uint64_t value) {
    if (value != 0) out[name] = value;
  };
  add("GrantMessages", fields.grant_messages);
  add("GrantBytes", fields.grant_bytes);
  add("WindowMessages", fields.window_messages);
  add("WindowBytes", fields.window_bytes);
  add("Offset", fields.offset);
  if (fields.more) out["More"] = true;
  add("OriginalBytes", fields.original_bytes);
  add("Dictionary", fields.dictionary);
  if (!fields.traceparent.empty()) out["Traceparent"] = JsonText(fields.traceparent);
  if (!fields.metadata.empty()) out["Metadata"] = ExplainMetadata(fields.metadata);
  add("Code", fields.code);
  add("Delivery", fields.delivery);
  add("Handler", fields.handler);
  add("Priority", fields.priority);
  if (fields.pieces) out["Pieces"] = true;
  return out;
}

json::object ExplainChecksum(BytesView bytes) {
  const BytesView covered = bytes.first(bytes.size() - kCrcSize);
  const uint8_t* p = bytes.data() + covered.size();
  const uint32_t given =
      uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
  const uint32_t computed = MessageChecksum(covered);
  json::object crc;
  crc["given"] = Hex32(given);
  crc["computed"] = Hex32(computed);
  crc["ok"] = given == computed;
  return crc;
}

// Decodes, a checksum that does not match notwithstanding. `repaired` holds what the views point
// into then.
DecodeError DecodeLeniently(BytesView bytes, std::string* repaired, Message* message,
                            BytesView* rest) {
  const DecodeError error = DecodeMessage(bytes, message, rest);
  if (error != DecodeError::kCrcMismatch) return error;
  const BytesView covered = bytes.first(bytes.size() - kCrcSize);
  const uint32_t right = MessageChecksum(covered);
  repaired->assign(AsText(covered));
  for (size_t i = 0; i < kCrcSize; ++i) repaired->push_back(static_cast<char>(right >> (8 * i)));
  return DecodeMessage(AsBytes(*repaired), message, rest);
}

absl::StatusOr<json::object> Explain(BytesView bytes, int depth) {
  std::string repaired;
  Message message;
  BytesView rest;
  const DecodeError error = DecodeLeniently(bytes, &repaired, &message, &rest);
  if (error != DecodeError::kOk) {
    return absl::InvalidArgumentError(View(DescribeDecodeError(error)));
  }
  json::object out;
  out["size"] = bytes.size();
  out["mux_id"] = message.mux_id;
  out["seq"] = message.seq;
  out["deadline_ms"] = message.deadline_ms;
  out["handler"] = message.handler;
  out["op"] = static_cast<unsigned>(message.op);
  out["op_name"] = JsonText(OpName(message.op));
  out["flags"] = message.flags;
  out["flag_names"] = FlagNames(message.flags);
  absl::StatusOr<json::object> payload = ExplainPayload(message);
  if (!payload.ok()) return payload.status();
  out["payload"] = *std::move(payload);
  if (!IsNil(message.extension)) {
    out["extension"] = ExplainExtension(message.extension);
  } else if (message.op != Op::kMerged && !rest.empty()) {
    out["ignored"] = Hex(rest);
  }
  if ((message.flags & kFlagSubroute) != 0) {
    out["subroute"] = Hex({message.subroute, kSubrouteIdSize});
  }
  if ((message.flags & kFlagCrc) != 0) out["crc"] = ExplainChecksum(bytes);
  if (message.op == Op::kMerged) {
    absl::StatusOr<json::array> messages = ExplainInner(message, rest, depth);
    if (!messages.ok()) return messages.status();
    out["messages"] = *std::move(messages);
  }
  return out;
}

std::string ScalarText(const json::value& value) {
  if (value.is_string()) {
    const json::string& text = value.get_string();
    // Quotes would only be in the way of hex digits and names; other texts need them.
    return absl::CEscape(absl::string_view(text.data(), text.size()));
  }
  return json::serialize(value);
}

void Format(const json::object& object, int indent, std::string* out) {
  const std::string blanks(static_cast<size_t>(indent), ' ');
  for (const auto& [key, value] : object) {
    const absl::string_view name(key.data(), key.size());
    if (value.is_object()) {
      absl::StrAppend(out, blanks, name, ":\n");
      Format(value.get_object(), indent + 2, out);
    } else if (value.is_array() && name == "messages") {
      int number = 0;
      for (const json::value& item : value.get_array()) {
        absl::StrAppend(out, blanks, "message ", number++, ":\n");
        Format(item.get_object(), indent + 2, out);
      }
    } else if (value.is_array()) {
      std::string joined;
      for (const json::value& item : value.get_array()) {
        absl::StrAppend(&joined, joined.empty() ? "" : "|", ScalarText(item));
      }
      absl::StrAppend(out, blanks, name, ": ", joined.empty() ? "none" : joined, "\n");
    } else {
      absl::StrAppend(out, blanks, name, ": ", ScalarText(value), "\n");
    }
  }
}

}  // namespace

absl::StatusOr<std::string> ParseHex(std::string_view text) {
  std::string digits;
  size_t begin = 0;
  while (begin < text.size() && absl::ascii_isspace(static_cast<unsigned char>(text[begin])))
    ++begin;
  if (text.substr(begin, 2) == "0x") begin += 2;
  for (size_t i = begin; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (absl::ascii_isspace(c)) continue;
    if (!absl::ascii_isxdigit(c)) {
      return absl::InvalidArgumentError(absl::StrCat("hex: character ", i + 1, " is no hex digit"));
    }
    digits.push_back(static_cast<char>(c));
  }
  if (digits.empty()) return absl::InvalidArgumentError("hex: no digits");
  if (digits.size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("hex: an odd number of digits (", digits.size(), ")"));
  }
  return absl::HexStringToBytes(digits);
}

absl::StatusOr<json::object> ExplainMessage(BytesView bytes) { return Explain(bytes, 1); }

bool HasBadChecksum(const json::object& explained) {
  if (const json::value* crc = explained.if_contains("crc");
      crc != nullptr && !crc->at("ok").as_bool()) {
    return true;
  }
  if (const json::value* messages = explained.if_contains("messages"); messages != nullptr) {
    for (const json::value& message : messages->as_array()) {
      if (HasBadChecksum(message.as_object())) return true;
    }
  }
  return false;
}

std::string FormatExplanation(const json::object& explained) {
  std::string out;
  Format(explained, 0, &out);
  return out;
}

}  // namespace grid::tools
