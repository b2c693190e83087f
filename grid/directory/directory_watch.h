// DirectoryWatch: one watch of ours, behind the Watcher that the user has: a subscription at the
// backend, which is begun again when it ends, and the view that it fills.
//
// The directory's thread, but for what WatcherBackend says.
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_WATCH_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_WATCH_H_

#include <memory>
#include <optional>

#include "grid/directory/directory_core.h"
#include "grid/directory/next_slot.h"
#include "grid/directory/watch_view.h"

namespace grid::internal {

class DirectoryWatch final : public WatcherBackend,
                             public SubscriptionSink,
                             public std::enable_shared_from_this<DirectoryWatch> {
 public:
  DirectoryWatch(std::shared_ptr<DirectoryCore> core, Selector selector);

  void StartNext(Completion<absl::StatusOr<WatchEvent>> completion) override;
  void Close() override;

  void Subscribe();
  void End(absl::Status why);
  const WatchView& view() const { return view_; }

  void OnAll(std::vector<Entry> entries) override;
  void OnPut(Entry entry) override;
  void OnRemove(const Name& name, uint64_t epoch) override;
  void OnEnd(absl::Status why) override;

 private:
  void Deliver();

  const std::shared_ptr<DirectoryCore> core_;
  WatchView view_;
  absl::Status ended_;  // OK while it goes on
  NextSlot<WatchEvent> next_;
  uint32_t failures_ = 0;  // subscriptions that brought nothing, in a row
  std::optional<LoopTimer> retry_;
  std::unique_ptr<Subscription> subscription_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_WATCH_H_
