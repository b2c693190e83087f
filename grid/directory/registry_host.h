// RegistryHost: a Registry with what it needs to run: a lock, a clock, and a timer that ends the
// sessions whose lease has run out.
//
// Shared by the directories of one process and the handlers that serve it to others. Any thread;
// the timer belongs to `io`, which one thread runs, and which must outlive it.
#ifndef GRID_GRID_DIRECTORY_REGISTRY_HOST_H_
#define GRID_GRID_DIRECTORY_REGISTRY_HOST_H_

#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/directory/registry.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class RegistryHost final : public std::enable_shared_from_this<RegistryHost> {
 public:
  RegistryHost(boost::asio::io_context& io, std::shared_ptr<Clock> clock, RegistryOptions options);
  // Starts the timer.
  void Start();

  absl::StatusOr<LeaseGrant> Renew(const LeaseCall& call);
  absl::StatusOr<Entry> Register(const RegisterCall& call);
  absl::Status Update(const UpdateCall& call);
  absl::Status Deregister(const DeregisterCall& call);
  void End(const LeaseCall& call);
  uint64_t Flush();
  std::vector<Entry> Resolve(const Selector& selector);
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
  void OnTimer();

  boost::asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  const Duration lease_;
  mutable std::mutex mutex_;
  Registry registry_ ABSL_GUARDED_BY(mutex_);
  std::optional<LoopTimer> timer_;  // the thread of io_
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_REGISTRY_HOST_H_
