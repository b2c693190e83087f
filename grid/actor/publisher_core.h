// PublisherCore: what the copies of one Publisher share: the number that comes next, and the
// publications that wait for their turn or are under way.
//
//   Publish --> waiting_ --(max_under_way)--> numbered, a GatherOperation --> its report
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_PUBLISHER_CORE_H_
#define GRID_GRID_ACTOR_PUBLISHER_CORE_H_

#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grid/actor/publisher.h"
#include "grid/actor/recipients_core.h"

namespace grid::internal {

class PublisherCore final : public std::enable_shared_from_this<PublisherCore> {
 public:
  // `to` may be null.
  PublisherCore(std::shared_ptr<RecipientsCore> to, const PublisherOptions& options);

  void Publish(Outgoing message, std::optional<PublishReport> again, PublishCompletion completion);
  PublisherStats Stats() const;

 private:
  struct Item {
    Outgoing message;
    std::optional<PublishReport> again;
    PublishCompletion completion;
    Publication publication = {};  // once its turn has come
    // Guarded by the core's mutex.
    std::shared_ptr<GatherOperation> gather = {};  // null: not begun, or over
    bool over = false;
    bool cancelled = false;
  };
  using ItemPtr = std::shared_ptr<Item>;

  absl::Status Check(const Outgoing& message, const std::optional<PublishReport>& again) const;
  void Refuse(PublishCompletion completion, absl::Status why);
  // Terminal cancellation by `slot` ends it.
  void EndBy(asio::cancellation_slot slot, const ItemPtr& item);
  absl::Status Enqueue(const ItemPtr& item);
  void Pump();
  void Begin(const ItemPtr& item);
  std::shared_ptr<RecipientsCore> ToThose(const PublishReport& report) const;
  void OnResults(const ItemPtr& item, RawResults results);
  void Cancel(const ItemPtr& item);

  const std::shared_ptr<RecipientsCore> to_;
  const PublisherOptions options_;
  const absl::Status check_;
  const uint64_t id_;
  const uint64_t incarnation_;

  mutable std::mutex mutex_;
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;  // the last one that was given
  std::deque<ItemPtr> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  PublisherStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_PUBLISHER_CORE_H_
