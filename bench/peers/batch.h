// A batch: messages one behind the other, each behind its length in four bytes; and the greeting
// that tells a server what its client wants, the first message of a connection.
#ifndef GRID_BENCH_PEERS_BATCH_H_
#define GRID_BENCH_PEERS_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "bench/common/workload.h"
#include "bench/peers/byte_queue.h"

namespace grid::bench {

using Length = uint32_t;

struct Greeting {
  Mode mode = Mode::kEcho;
  uint32_t size = 0;    // one-way: payload of each message
  uint32_t window = 0;  // one-way: how many may be unread, where the system can tell
};

inline void AppendMessage(ByteQueue& out, const void* payload, size_t size) {
  uint8_t* const to = out.Room(sizeof(Length) + size).data();
  const Length length = static_cast<Length>(size);
  std::memcpy(to, &length, sizeof(length));
  std::memcpy(to + sizeof(length), payload, size);
  out.Commit(sizeof(length) + size);
}

// Calls `visit` with each whole message in `bytes`; says how many bytes these are.
template <typename Visitor>
size_t VisitMessages(std::span<const uint8_t> bytes, Visitor visit) {
  size_t used = 0;
  while (bytes.size() - used >= sizeof(Length)) {
    Length length = 0;
    std::memcpy(&length, bytes.data() + used, sizeof(length));
    if (bytes.size() - used - sizeof(length) < length) break;
    visit(bytes.subspan(used + sizeof(length), length));
    used += sizeof(length) + length;
  }
  return used;
}

inline void AppendGreeting(ByteQueue& out, const Workload& workload) {
  const Greeting greeting{.mode = workload.mode,
                          .size = static_cast<uint32_t>(workload.size),
                          .window = static_cast<uint32_t>(workload.inflight)};
  AppendMessage(out, &greeting, sizeof(greeting));
}
// Says how many bytes it took; 0 while there are too few.
inline size_t ReadGreeting(std::span<const uint8_t> bytes, Greeting& greeting) {
  constexpr size_t kSize = sizeof(Length) + sizeof(Greeting);
  if (bytes.size() < kSize) return 0;
  std::memcpy(&greeting, bytes.data() + sizeof(Length), sizeof(greeting));
  return kSize;
}

// What an echo makes of a batch: every whole message, returned as it is. Says how many bytes it
// took from `bytes`.
inline size_t EchoBatch(std::span<const uint8_t> bytes, ByteQueue& out) {
  return VisitMessages(bytes, [&out](std::span<const uint8_t> message) {
    AppendMessage(out, message.data(), message.size());
  });
}

// What a client makes of one: counts its messages.
struct Counted {
  size_t messages = 0;
  size_t wrong = 0;  // not of the expected size
};
inline size_t CountBatch(std::span<const uint8_t> bytes, size_t size, Counted& counted) {
  return VisitMessages(bytes, [&](std::span<const uint8_t> message) {
    ++counted.messages;
    if (message.size() != size) ++counted.wrong;
  });
}

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_BATCH_H_
