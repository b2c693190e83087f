// What the fuzzed sessions of both ends have in common: extensions, the codec, handlers, a trace.
#ifndef GRID_FUZZ_SESSION_SETUP_H_
#define GRID_FUZZ_SESSION_SETUP_H_

#include <cstdint>
#include <memory>

#include "fuzz/input.h"
#include "fuzz/require.h"
#include "handlers/handler_table.h"
#include "serialization/extensions.h"
#include "serialization/trace_context.h"
#include "serialization/zstd_codec.h"

namespace grid::fuzz {

// What both ends speak: a bit for each.
inline Extensions SomeExtensions(Input& in, uint32_t fragment) {
  const uint8_t bits = in.Byte();
  return {.credits = bits & 1u,
          .fragments = (bits & 2u) != 0 ? fragment : 0,
          .zstd = bits >> 6 & 1u,
          .meta = bits >> 3 & 1u,
          .status = bits >> 4 & 1u,
          .handlers16 = bits >> 5 & 1u,
          .goaway = bits >> 2 & 1u};
}

inline const std::shared_ptr<ZstdCodec>& Codec() {
  static const std::shared_ptr<ZstdCodec> codec = *ZstdCodec::Create({});
  return codec;
}

inline constexpr uint8_t kSingle = 1;
inline constexpr uint16_t kSingleAbove = 300;
inline constexpr uint8_t kStreamOne = 2;      // in 1, out 1
inline constexpr uint8_t kStreamFew = 3;      // in 5, out 3
inline constexpr uint8_t kStreamNoInput = 4;  // out 2

inline const HandlerTable& Handlers() {
  static const HandlerTable* const table = [] {
    auto* made = new HandlerTable;
    const SingleFunction single = [](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
      return Buffer();
    };
    const StreamFunction stream = [](Stream&, RequestContext&) { return absl::OkStatus(); };
    Require(made->RegisterSingle({.id = HandlerId{kSingle}}, single).ok(), "handler 1");
    Require(made->RegisterSingle({.id = HandlerId{kSingleAbove}}, single).ok(), "handler 300");
    Require(made->RegisterStream({.id = HandlerId{kStreamOne},
                                  .in_capacity = 1,
                                  .window = {.messages = 3, .bytes = 10}},
                                 stream)
                .ok(),
            "handler 2");
    Require(made->RegisterStream({.id = HandlerId{kStreamFew},
                                  .in_capacity = 5,
                                  .out_capacity = 3,
                                  .window = {.messages = 7, .bytes = 5000},
                                  .read_pieces = true},
                                 stream)
                .ok(),
            "handler 3");
    Require(made->RegisterStream({.id = HandlerId{kStreamNoInput}, .out_capacity = 2}, stream).ok(),
            "handler 4");
    return made;
  }();
  return *table;
}

inline const TraceContext& Trace() {
  static const TraceContext trace =
      TraceContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").value();
  return trace;
}

}  // namespace grid::fuzz

#endif  // GRID_FUZZ_SESSION_SETUP_H_
