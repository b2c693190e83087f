// BatchQueue: what waits to be sent by a Producer, and the batch that is under way.
//
//   Add --> queued --Next--> the batch: sending --Succeeded--> out
//                              ^    | Failed, as is decided:
//                   pause over |    +-- fail, and continue ------> out
//                              |    +-- fail, and stop ----------> all of them out; it is closed
//                            pausing <-- retry, with the same items
//
// A state machine without threads and clocks: the time is an argument, and whose outcome is known
// is given back, to be told without a lock.
#ifndef GRID_GRID_ACTOR_BATCH_QUEUE_H_
#define GRID_GRID_ACTOR_BATCH_QUEUE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "grid/base/clock.h"
#include "handlers/completion.h"
#include "handlers/delivery.h"
#include "serialization/buffer.h"

namespace grid::internal {

struct BatchLimits {
  size_t max_queue;  // items, those of the batch under way included
  size_t max_queue_bytes;
  size_t max_batch;  // items
  size_t max_batch_bytes;
  std::chrono::milliseconds linger;
};

struct BatchItem {
  Buffer bytes = {};  // encoded
  Completion<absl::Status> completion = {};
};

class BatchQueue {
 public:
  enum class Added { kQueued, kFull, kClosed };
  struct Step {
    enum class What {
      kNothing,  // until something is added, or the batch's outcome is known
      kWait,     // until `until`, or something is added
      kSend,     // batch() now
    };
    What what = What::kNothing;
    TimePoint until = TimePoint::max();
  };

  explicit BatchQueue(const BatchLimits& limits) : limits_(limits) {}

  // Unless it is kQueued, `item` stays as it was. An empty queue takes one of any size.
  Added Add(BatchItem& item, TimePoint now);

  // What is to be done now. With kSend the batch is under way until Succeeded or Failed.
  Step Next(TimePoint now);
  // How many items from the front on are the batch; 0: there is none.
  size_t batch() const { return batch_; }
  const BatchItem& at(size_t index) const { return items_[index]; }
  // Of this batch; the first is 1.
  uint32_t attempt() const { return attempt_; }
  // How far any of its attempts can have come at the most; kNotSent before the first.
  Delivery worst() const { return worst_; }

  // The batch is out.
  std::vector<BatchItem> Succeeded() { return TakeBatch(); }
  // An attempt has failed. Before it is decided what comes of that, which is one of the next three.
  void Failed(Delivery delivery);
  void RetryAt(TimePoint at);
  std::vector<BatchItem> GiveUp() { return TakeBatch(); }
  // The batch first; from now on nothing comes in.
  std::vector<BatchItem> GiveUpAll();

  // Nothing comes in any more; what is there is sent without lingering.
  void Close() { closed_ = true; }
  bool closed() const { return closed_; }

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  size_t bytes() const { return bytes_; }
  bool sending() const { return state_ == State::kSending; }

 private:
  enum class State { kGathering, kSending, kPausing };

  void Choose(TimePoint now);
  std::vector<BatchItem> TakeBatch() { return Take(batch_); }
  std::vector<BatchItem> Take(size_t count);

  const BatchLimits limits_;
  std::deque<BatchItem> items_;
  size_t bytes_ = 0;
  State state_ = State::kGathering;
  size_t batch_ = 0;
  uint32_t attempt_ = 0;
  Delivery worst_ = Delivery::kNotSent;
  TimePoint linger_until_ = TimePoint::max();  // of the first one behind the batch
  TimePoint pause_until_ = TimePoint::min();
  bool closed_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_BATCH_QUEUE_H_
