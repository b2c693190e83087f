// TraceContext: which trace a call belongs to, and below which span of it: W3C's traceparent, as in
// https://www.w3.org/TR/trace-context/.
//
// A plain value, any thread; nothing is allocated but by ToString and statuses.
//
//   absl::StatusOr<TraceContext> trace =
//       TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
//   trace->Child(my_span).ToString();   // "00-0af7651916cd43dd8448eb211c80319c-<my_span>-01"
#ifndef GRID_SERIALIZATION_TRACE_CONTEXT_H_
#define GRID_SERIALIZATION_TRACE_CONTEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grid {

class TraceContext {
 public:
  using TraceId = std::array<uint8_t, 16>;
  using Text = std::array<char, 55>;

  // No trace.
  TraceContext() = default;

  // Reads "version-traceid-parentid-flags", all in lower-case hex. Of later versions than 00 what
  // 00 has is taken, as the standard asks for. kInvalidArgument names the field that is wrong.
  static absl::StatusOr<TraceContext> Parse(std::string_view text);

  // False: no trace.
  explicit operator bool() const { return parent_id_ != 0; }

  const TraceId& trace_id() const { return trace_id_; }
  // The span that the call belongs to; not 0 in a trace.
  uint64_t parent_id() const { return parent_id_; }
  uint8_t flags() const { return flags_; }
  bool sampled() const { return (flags_ & 1) != 0; }

  // The same trace below `span`, for calls that belong to it. The id is the caller's to choose, at
  // random; 0, which can't be one, leaves the parent as it is.
  TraceContext Child(uint64_t span) const;

  // As Parse reads it, in version 00; zeros where there is no trace.
  Text ToText() const;
  // The same; empty where there is no trace.
  std::string ToString() const;

  friend bool operator==(const TraceContext&, const TraceContext&) = default;

 private:
  TraceId trace_id_{};
  uint64_t parent_id_ = 0;
  uint8_t flags_ = 0;
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_TRACE_CONTEXT_H_
