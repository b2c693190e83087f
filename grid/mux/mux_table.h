// MuxTable: the calls and streams that this side opened, found by mux id without hashing.
//
// A mux id is (generation << kIndexBits | index): the index finds the slot, the generation tells
// whether it is still the same mux. Generations begin at a random point per connection, because a
// version 1 peer may deliver an answer to a request of the previous connection on this one
// (PROTOCOL.md, "Version 1 peers"). Slots keep their address and are reused; nothing is allocated
// once warm.
#ifndef GRID_GRID_MUX_MUX_TABLE_H_
#define GRID_GRID_MUX_MUX_TABLE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "grid/mux/output_queue.h"
#include "grid/mux/session_host.h"
#include "grid/mux/stream_mux.h"
#include "grid/mux/timer_wheel.h"
#include "handlers/priority.h"

namespace grid {

// One outgoing call or stream.
struct ClientMux {
  TimerNode deadline_timer;     // of a call
  uint64_t id = 0;              // 0: free
  OutputQueue::Ticket opening;  // of the message that opened it
  Priority priority = Priority::kDefault;
  PendingCall* call = nullptr;        // of a call
  std::unique_ptr<StreamMux> stream;  // of a stream
};

class MuxTable {
 public:
  static constexpr int kIndexBits = 20;

  // `first_generation`: random, per connection.
  explicit MuxTable(uint32_t first_generation) : generation_(uint64_t{first_generation} + 1) {}

  uint32_t size() const { return used_; }

  // A slot with a fresh id. The caller bounds size() below 1 << kIndexBits.
  ClientMux* Add() {
    if (free_.empty()) AddChunk();
    const uint32_t index = free_.back();
    free_.pop_back();
    ++used_;
    ClientMux& mux = At(index);
    mux.id = (generation_++ << kIndexBits) | index;
    return &mux;
  }

  ClientMux* Find(uint64_t id) {
    const uint64_t index = id & ((uint64_t{1} << kIndexBits) - 1);
    if (id == 0 || index >= chunks_.size() * kChunk) return nullptr;
    ClientMux& mux = At(static_cast<uint32_t>(index));
    return mux.id == id ? &mux : nullptr;
  }

  // Find(id) is soon asked for, and its call used.
  void Prefetch(uint64_t id) {
    if (const ClientMux* mux = Find(id)) __builtin_prefetch(mux->call);
  }

  // Frees the slot. Its timer must be clear.
  void Remove(ClientMux* mux) {
    free_.push_back(static_cast<uint32_t>(mux->id & ((uint64_t{1} << kIndexBits) - 1)));
    mux->id = 0;
    mux->call = nullptr;
    mux->stream.reset();
    --used_;
  }

  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (auto& chunk : chunks_) {
      for (ClientMux& mux : *chunk) {
        if (mux.id != 0) visit(mux);
      }
    }
  }

 private:
  static constexpr uint32_t kChunk = 64;

  ClientMux& At(uint32_t index) { return (*chunks_[index / kChunk])[index % kChunk]; }

  void AddChunk() {
    const auto first = static_cast<uint32_t>(chunks_.size()) * kChunk;
    chunks_.push_back(std::make_unique<std::array<ClientMux, kChunk>>());
    free_.reserve(chunks_.size() * kChunk);
    for (uint32_t i = kChunk; i-- > 0;) free_.push_back(first + i);
  }

  std::vector<std::unique_ptr<std::array<ClientMux, kChunk>>> chunks_;
  std::vector<uint32_t> free_;
  uint64_t generation_;
  uint32_t used_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_MUX_TABLE_H_
