// Session: compressed payloads. Only where both ends speak zstd; what a peer compresses without
// that ends its request or stream.
//
// Who compresses is the runtime, on whichever thread hands the payload over. Who decompresses is
// the session, here, but for requests to handlers on workers: their payload changes threads anyway,
// and is decompressed there. Answers and stream messages are not worth a change of threads and
// back: zstd decompresses 1 GB/s and more, and each is a payload at most.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

Drop DropFor(CompressionFault fault) {
  switch (fault) {
    case CompressionFault::kUnknownDictionary:
      return Drop::kUnknownDictionary;
    case CompressionFault::kTooBig:
      return Drop::kPayloadTooBig;
    case CompressionFault::kNoRoom:
      return Drop::kBufferedLimit;
    case CompressionFault::kNone:
    case CompressionFault::kCorrupt:
      break;
  }
  return Drop::kBadCompression;
}

// Of what nobody waits for: the same as if it had come uncompressed.
Drop LateFor(Op op) { return op == Op::kResponse ? Drop::kLateResponse : Drop::kLateStreamMessage; }

}  // namespace

// --- Sending ---

// Or with `fields` only; what it takes to decompress the payload is added to them.
OutputQueue::Ticket Session::PushCompressed(Message& message, Priority priority, PayloadRef payload,
                                            const Compressed& compressed, ExtensionFields* fields) {
  ExtensionFields own;
  if (compressed.skipped) counters_.compression_skipped.Add(1);
  if (compressed.original_bytes != 0) {
    counters_.compressed_out.Add(1);
    counters_.saved_bytes_out.Add(compressed.original_bytes - payload.size());
    if (fields == nullptr) fields = &own;
    fields->original_bytes = compressed.original_bytes;
    fields->dictionary = compressed.dictionary;
    message.flags |= kFlagCompressed;
  }
  return fields == nullptr ? Push(message, priority, payload)
                           : PushExtended(message, *fields, priority, payload);
}

// --- Receiving ---

// Of the message being processed; nothing when it is not compressed, or not any more.
Compressed Session::CompressedIn(const Message& message) const {
  if ((message.flags & compressed_flag_) == 0) return {};
  return {.original_bytes = fields_.original_bytes, .dictionary = fields_.dictionary};
}

std::string Session::DescribeFault(CompressionFault fault, const Compressed& compressed) const {
  if (fault == CompressionFault::kTooBig) {
    return TooBig("a compressed payload", compressed.original_bytes);
  }
  if (fault == CompressionFault::kUnknownDictionary) {
    return absl::StrCat(DescribeCompressionFault(fault), ": ", compressed.dictionary);
  }
  return DescribeCompressionFault(fault);
}

void Session::HandleCompressed(const Message& message) {
  // A Pong and a refusal may have copied the flags of what they answer.
  if (!CarriesPayload(message.op)) return Handle(message);
  if (!AdmitPayload(message, LateFor(message.op))) return;
  if (config_.codec == nullptr || config_.extensions.zstd == 0) {
    return RefusePayload(message, message.op, Drop::kBadCompression,
                         "a compressed payload, but zstd was not agreed upon");
  }
  const Compressed compressed = CompressedIn(message);
  ZstdCodec& codec = *config_.codec;
  CompressionFault fault = codec.Check(message.payload, compressed, payload_limit());
  if (fault == CompressionFault::kNone) {
    counters_.compressed_in.Add(1);
    const uint64_t came = message.payload.size();
    counters_.saved_bytes_in.Add(compressed.original_bytes -
                                 std::min(compressed.original_bytes, came));
    if (message.op == Op::kRequest &&
        handlers_.Find(message.handler, message.subroute)->run_on == RunOn::kWorkerPool) {
      return Handle(message);
    }
    Buffer payload;
    fault = codec.Decompress(message.payload, compressed, pool_, &payload);
    if (fault == CompressionFault::kNone) {
      Message whole = message;
      whole.flags &= static_cast<uint8_t>(~kFlagCompressed);
      assembled_ = std::move(payload);
      whole.payload = assembled_;
      Handle(whole);
      assembled_ = Buffer();
      return;
    }
  }
  const std::string text = DescribeFault(fault, compressed);
  RefusePayload(message, message.op, DropFor(fault), text);
}

void Session::RefuseCompressed(const InboundRequest& request, RunningRequest* running,
                               CompressionFault fault, TimePoint now) {
  now_ = now;
  counters_.Count(DropFor(fault));
  if (!EndRunning(request, running)) return;
  const std::string text = DescribeFault(fault, request.compressed);
  const bool broken = fault == CompressionFault::kCorrupt;
  SendMuxConnectError({.mux_id = request.mux_id, .seq = request.seq, .flags = kFlagEof},
                      broken ? absl::DataLossError(text) : absl::ResourceExhaustedError(text),
                      request.priority);
}

}  // namespace grid
