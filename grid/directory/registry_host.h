// RegistryHost: a Registry with a lock and a clock.
//
// Shared by the directories of one process and the handlers that serve it to others. Any thread.
#ifndef GRID_GRID_DIRECTORY_REGISTRY_HOST_H_
#define GRID_GRID_DIRECTORY_REGISTRY_HOST_H_

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/directory/registry.h"

namespace grid::internal {

class RegistryHost final : public std::enable_shared_from_this<RegistryHost> {
 public:
  RegistryHost(std::shared_ptr<Clock> clock, RegistryOptions options);

  absl::StatusOr<LeaseGrant> Renew(const LeaseCall& call);
  absl::StatusOr<Entry> Register(const RegisterCall& call);
  absl::Status Update(const UpdateCall& call);
  absl::Status Deregister(const DeregisterCall& call);
  void End(const LeaseCall& call);
  uint64_t Flush();
  std::vector<Entry> Resolve(const Selector& selector);
  // Ends the sessions whose lease has run out, and says when there may be more of them.
  TimePoint Expire();
  RegistryStats Stats() const;

  // A watch; ends when it is destroyed.
  class Watch {
   public:
    ~Watch();
    // The next event, if there is one.
    std::optional<WatchEvent> Take();

   private:
    friend class RegistryHost;
    Watch(std::shared_ptr<RegistryHost> host, std::unique_ptr<Registry::Watch> watch)
        : host_(std::move(host)), watch_(std::move(watch)) {}

    const std::shared_ptr<RegistryHost> host_;
    std::unique_ptr<Registry::Watch> watch_;
  };
  // `ready` is called with the lock held, on any thread: it may post, and nothing else. The first
  // event is there at once, and not announced.
  absl::StatusOr<std::unique_ptr<Watch>> StartWatch(const Selector& selector,
                                                    absl::AnyInvocable<void()> ready);

 private:
  const std::shared_ptr<Clock> clock_;
  const Duration lease_;
  mutable std::mutex mutex_;
  Registry registry_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_REGISTRY_HOST_H_
