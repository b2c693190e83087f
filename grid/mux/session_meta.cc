// Session: what the extensions let a Request or ConnectMux say besides version 1: metadata, a
// handler's id above 255, a priority.
#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"

namespace grid {

// What it says goes into the block beside `fields`. It fits (extension_block.cc).
OutputQueue::Ticket Session::PushOpening(Message& message, Priority priority, PayloadRef payload,
                                         const Compressed& compressed, const CallMeta& meta,
                                         ExtensionFields fields) {
  TraceContext::Text traceparent;
  if (config_.extensions.meta != 0) {
    if (meta.trace) {
      traceparent = meta.trace.ToText();
      fields.traceparent = {traceparent.data(), traceparent.size()};
    }
    fields.metadata = meta.metadata.bytes();
  }
  if (message.handler > UINT8_MAX) fields.handler = message.handler;
  if (config_.extensions.fragments != 0) fields.priority = static_cast<uint8_t>(priority);
  return PushPayload(message, priority, payload, compressed, &fields);
}

// Of the message being processed, which has a block. False when it can't be read: the message was
// refused.
bool Session::TakeMeta(const Message& message, CallMeta* meta) {
  if (config_.extensions.meta == 0) return true;
  absl::Status status;
  if (!fields_.traceparent.empty()) {
    const absl::StatusOr<TraceContext> trace = TraceContext::Parse(fields_.traceparent);
    status = trace.status();
    if (trace.ok()) meta->trace = *trace;
  }
  if (status.ok() && !IsNil(fields_.metadata)) {
    const absl::StatusOr<MetadataView> metadata = MetadataView::Parse(fields_.metadata);
    status = metadata.status();
    if (metadata.ok()) meta->metadata = *metadata;
  }
  if (status.ok()) return true;
  counters_.Count(Drop::kBadMetadata);
  SendMuxConnectError(message, status);
  return false;
}

}  // namespace grid
