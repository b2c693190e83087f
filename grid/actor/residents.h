// Residents: who is here: the targets of this process, and where their letters go.
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_RESIDENTS_H_
#define GRID_GRID_ACTOR_RESIDENTS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/letter.h"
#include "grid/actor/post.h"
#include "grid/actor/remembered_calls.h"
#include "grid/directory/name.h"

namespace grid::internal {

// A letter for one target of this process.
struct LocalDelivery {
  std::string_view name = {};
  uint64_t epoch = 0;
  // As Message::deduplicate and Message::call.
  std::chrono::milliseconds deduplicate{0};
  uint64_t call = 0;
};

class Residents {
 public:
  // `self`: our own member; who sends from there is always trusted.
  Residents(std::string self, std::shared_ptr<RememberedCalls> remembered)
      : self_(std::move(self)), remembered_(std::move(remembered)) {}

  void Add(const Name& name, uint64_t epoch, std::shared_ptr<LetterBox> box,
           std::vector<std::string> trusted_callers);
  // Letters that come later find nobody. Without effect when it is not there.
  void Remove(const Name& name, uint64_t epoch);

  // Puts the letter, whose sender is set, into its box; or answers it: NoSuchTargetError,
  // kPermissionDenied for who is not trusted (both kRejected), or from memory.
  void Deliver(const LocalDelivery& to, Letter letter);

  // The box, for letters of our own process; null when nobody is there.
  std::shared_ptr<LetterBox> Find(std::string_view name, uint64_t epoch) {
    return SlotOf(name, epoch).box;
  }

  // The greatest epoch that anything was held with.
  uint64_t view() const { return view_.load(std::memory_order_relaxed); }
  // Since the beginning: letters for whom we do not have, and by whom we do not trust.
  uint64_t missing() const { return missing_.load(std::memory_order_relaxed); }
  uint64_t untrusted() const { return untrusted_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 16;  // threads that deliver at once rarely meet

  struct Slot {
    uint64_t epoch = 0;
    std::shared_ptr<LetterBox> box = {};
    std::shared_ptr<const std::vector<std::string>> trusted = {};  // null: everybody
  };
  struct Shard {
    std::mutex mutex;
    // A name has several slots where several hold it, shared.
    absl::flat_hash_map<std::string, std::vector<Slot>> slots ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(size_t hash) {
    // Other bits than those that the table inside looks at first.
    return shards_[(hash >> 48) % kShards];
  }
  // Without a box: nobody is there.
  Slot SlotOf(std::string_view name, uint64_t epoch);
  bool Trusts(const Slot& slot, const Sender& sender) const;

  const std::string self_;
  const std::shared_ptr<RememberedCalls> remembered_;
  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> view_{0};
  std::atomic<uint64_t> missing_{0};
  std::atomic<uint64_t> untrusted_{0};
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_RESIDENTS_H_
