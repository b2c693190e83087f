// ProducerCore: what a Producer is made of: its BatchQueue, the batch that is under way, its
// timers.
//
//   Produce (any thread) --> queue_ --Run--> BatchSink --OnSent--> told, or on_failure decides
//
// Internal to grid/actor. On the thread of ProducerOptions::io, but for what says otherwise.
#ifndef GRID_GRID_ACTOR_PRODUCER_CORE_H_
#define GRID_GRID_ACTOR_PRODUCER_CORE_H_

#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grid/actor/batch_queue.h"
#include "grid/actor/batch_sink.h"
#include "grid/actor/producer.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class ProducerCore final : public std::enable_shared_from_this<ProducerCore> {
 public:
  // `options` were checked, and have a clock and a log. `type` lives for ever.
  ProducerCore(std::unique_ptr<BatchSink> sink, std::string_view type, ProducerOptions options);

  asio::io_context& io() { return *options_.io; }
  void Stop(Completion<ProducerRest> completion);
  // Gives up what is there. Idempotent.
  void Close();

  // --- Any thread ---

  void Produce(Buffer bytes, absl::Status encoded, Completion<absl::Status> completion);
  absl::Status status() const;
  ProducerStats Stats() const;

 private:
  void PostRun();
  void Run();
  Outgoing NextBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(Outgoing batch, bool again);
  void OnSent(uint64_t send, const absl::Status& sent);
  ProducerDecision Decide(const BatchFailure& failure);
  void Tell(std::vector<BatchItem> items, const absl::Status& status);
  // Gives up all there is: the batch with `failure`, or, where that is OK, with `why`; what waits
  // with `why`, not sent.
  void GiveUp(const absl::Status& failure, const absl::Status& why);
  void OnDrainOver();
  void TellStopped();

  const ProducerOptions options_;
  const std::string_view type_;
  const std::unique_ptr<BatchSink> sink_;

  LoopTimer timer_;        // lingering, pauses
  LoopTimer drain_timer_;  // of Stop
  bool ended_ = false;
  uint64_t send_ = 0;  // the last one's number; what an earlier one comes to is no matter
  std::shared_ptr<asio::cancellation_signal> cancel_;  // of the one under way
  std::vector<Completion<ProducerRest>> stop_waiting_;
  ProducerRest rest_;

  mutable std::mutex mutex_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;  // a Run is on its way
  absl::Status refuse_ ABSL_GUARDED_BY(mutex_);   // not OK: no more items are taken
  ProducerStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_PRODUCER_CORE_H_
