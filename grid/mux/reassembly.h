// Reassembly: payloads that come in fragments, one of each direction of a mux at a time, until they
// are whole (grid/PROTOCOL.md, "Fragments").
//
// Memory grows with the bytes that are there, never with what a peer announces, and is taken from a
// pool within its budget. Belongs to one session; not thread-safe.
#ifndef GRID_GRID_MUX_REASSEMBLY_H_
#define GRID_GRID_MUX_REASSEMBLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "grid/base/clock.h"
#include "grid/mux/output_queue.h"
#include "grid/mux/timer_wheel.h"
#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/message.h"

namespace grid {

struct ReassemblyLimits {
  size_t max_payload_bytes = size_t{1} << 30;     // of one payload
  size_t max_reassembly_bytes = size_t{1} << 30;  // of all
  uint32_t max_reassemblies = 1'000;
};

class Reassembly {
 public:
  // A payload of which more is to come.
  struct Partial {
    MuxDirection from;
    TimerNode timer;  // the session's
    TimePoint deadline = TimePoint::max();
    Op op = Op::kInvalid;
    uint8_t flags = 0;
    uint32_t seq = 0;
    Buffer payload;
  };
  enum class Added {
    kYes,
    kMisfit,         // not the next fragment of that message
    kPayloadLimit,   // max_payload_bytes
    kTotalLimit,     // max_reassembly_bytes, max_reassemblies
    kBufferedLimit,  // the pool's budget
  };

  // `pool` must outlive it.
  Reassembly(const ReassemblyLimits& limits, BufferPool& pool) : limits_(limits), pool_(pool) {}

  bool empty() const { return partials_.empty(); }
  size_t size() const { return partials_.size(); }
  // Payload bytes held.
  size_t bytes() const { return bytes_; }
  // Null when nothing of that direction is under way. Its address stays until Remove.
  Partial* Find(MuxDirection from);

  // Begins with a first fragment, to be added. Null: max_reassemblies.
  Partial* Begin(MuxDirection from, const Message& message);
  // Anything but kYes: nothing was added, and the payload can't be completed.
  Added Add(Partial* partial, const Message& fragment, uint64_t offset);
  // Forgets it; its timer must be clear. Returns what has come.
  Buffer Remove(Partial* partial);
  // Visits all, which may remove the one that it is given.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    std::vector<Partial*> all;
    for (auto& [from, partial] : partials_) all.push_back(partial.get());
    for (Partial* partial : all) visit(partial);
  }

 private:
  size_t NextCapacity(size_t size) const;

  const ReassemblyLimits limits_;
  BufferPool& pool_;
  absl::flat_hash_map<MuxDirection, std::unique_ptr<Partial>> partials_;
  std::vector<std::unique_ptr<Partial>> idle_;
  size_t bytes_ = 0;
  size_t usual_ = 0;  // bytes of the last payloads
};

}  // namespace grid

#endif  // GRID_GRID_MUX_REASSEMBLY_H_
