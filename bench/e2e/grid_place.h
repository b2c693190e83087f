// What both ends of a grid run agree on: names, and which handler does what.
#ifndef GRID_BENCH_E2E_GRID_PLACE_H_
#define GRID_BENCH_E2E_GRID_PLACE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "grid/manager.h"
#include "handlers/handler_id.h"
#include "handlers/single_handler.h"
#include "handlers/stream_window.h"

namespace grid::bench {

// Which kind of handler serves the run.
enum class HandlerKind : uint8_t {
  kIo,      // raw bytes, on the I/O thread
  kWorker,  // raw bytes, on the worker pool
  kTyped,   // a SingleHandler, on the I/O thread
  kActor,   // an actor, found by its name, on the I/O thread
};

constexpr HandlerId EchoId(HandlerKind kind) { return HandlerId{100 + static_cast<int>(kind)}; }

// A value in MessagePack, rather than bytes.
using Blob = std::vector<uint8_t>;
constexpr SingleHandler<Blob, Blob> kTypedEcho{EchoId(HandlerKind::kTyped)};

// Both ends of a stream must name the same capacity, so there are handlers for each power of two.
constexpr int kCapacities = 18;
constexpr int CapacityIndex(size_t inflight) { return std::bit_width(std::bit_ceil(inflight)) - 1; }
constexpr uint32_t CapacityAt(int index) { return uint32_t{1} << index; }
// The same window where the extension `credits` is on: so many messages, whatever their size, for
// ever.
constexpr StreamWindow WindowOf(uint32_t capacity) {
  return {.messages = capacity, .bytes = uint64_t{64} << 20, .max_bytes = 0};
}
constexpr HandlerId TwoWayId(HandlerKind kind, int capacity_index) {
  return HandlerId{110 + kCapacities * static_cast<int>(kind) + capacity_index};
}
// Opened with the size of the messages in decimal.
constexpr HandlerId OneWayId(HandlerKind kind, int capacity_index) {
  return HandlerId{150 + kCapacities * static_cast<int>(kind) + capacity_index};
}

// Who is whose peer follows from the server's address alone: its client never listens, so it takes
// the first name that dials it.
inline std::string ServerName(const std::string& address) { return "http://" + address; }
inline std::string ClientName(const std::string& server) {
  for (int port = 1;; ++port) {
    std::string name = "http://127.0.0.2:" + std::to_string(port);
    if (ShouldDial(name, server)) return name;
  }
}

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_GRID_PLACE_H_
