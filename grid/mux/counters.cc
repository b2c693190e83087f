#include "grid/mux/counters.h"

#include <iterator>

namespace grid {

std::string_view DropName(Drop drop) {
  static constexpr std::string_view kNames[] = {
      "late-response",       "late-stream-message",
      "expired-reply",       "unknown-op",
      "unknown-flags",       "unexpected-op",
      "bad-control-payload", "duplicate-mux",
      "unknown-handler",     "stateless-stream",
      "nil-stream-message",  "out-of-sequence",
      "credit-exceeded",     "stream-ping-timeout",
      "inflight-limit-in",   "inflight-limit-out",
      "output-limit",        "message-too-big",
      "handler-refused",     "buffered-limit",
      "window-limit",        "draining",
      "peer-draining",       "bad-fragment",
      "late-fragment",       "payload-too-big",
      "reassembly-limit",    "bad-metadata",
      "metadata-not-sent",   "handler-not-sent",
      "bad-compression",     "unknown-dictionary",
  };
  static_assert(std::size(kNames) == static_cast<size_t>(Drop::kCount));
  return kNames[static_cast<size_t>(drop)];
}

std::string_view SessionEndName(SessionEnd end) {
  static constexpr std::string_view kNames[] = {
      "malformed-message", "bad-checksum",    "nested-merged",   "bad-merged",
      "ping-timeout",      "output-overflow", "peer-disconnect", "too-many-resets",
  };
  static_assert(std::size(kNames) == static_cast<size_t>(SessionEnd::kCount));
  return kNames[static_cast<size_t>(end)];
}

}  // namespace grid
