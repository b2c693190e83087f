// SystemCore: what an ActorSystem is made of: the residents and how they come and go.
//
// A start: room and checks, the name in the directory, then the box, then the letters:
//
//   Claim --> Directory::Register --> Resident, Residents::Add --> ActorCell::Start --> handle
//                                        ^                              | it ends, by whatever
//                 a shared name's lease  |                              v
//                 was lost: registered --+     Residents::Remove, the name is given back
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_SYSTEM_CORE_H_
#define GRID_GRID_ACTOR_SYSTEM_CORE_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/actor/actor_host.h"
#include "grid/actor/actor_runtime.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/actor_threads.h"
#include "grid/actor/delivery_server.h"
#include "grid/actor/post_office.h"
#include "grid/actor/recipients_core.h"
#include "grid/actor/recipients_env.h"
#include "grid/actor/remembered_calls.h"
#include "grid/actor/resident.h"
#include "grid/actor/residents.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class SystemCore final : public ActorHost, public std::enable_shared_from_this<SystemCore> {
 public:
  // `options` were checked.
  SystemCore(Manager& manager, Directory& directory, ActorSystemOptions options,
             ActorSystem* system);

  // Registers the handlers; before anything else.
  absl::Status Serve(Manager& manager);

  void Start(Name name, ActorFactory factory, ActorOptions options,
             Completion<absl::StatusOr<ActorHandle>> completion);
  void OpenMailbox(Name name, ActorOptions options, Completion<absl::StatusOr<Mailbox>> completion);
  Recipients To(Selector selector, Routing routing, CallPolicy policy,
                std::optional<Name> from) const;
  std::vector<Entry> List() const;
  size_t MarkAllDraining();
  void Stop(Completion<absl::Status> completion);
  // Without waiting for what waits in mailboxes; returns when nothing runs any more.
  void Close();
  ActorStats Stats() const;

  // ActorHost.
  const std::string& self() const override { return env_->self(); }
  void StartActor(const Name& name, ActorFactory factory, ActorOptions options,
                  Completion<absl::StatusOr<uint64_t>> completion) override;
  void MarkDraining(const Name& name, uint64_t epoch) override;
  void StopActor(const Name& name, uint64_t epoch, StopMode mode,
                 Completion<absl::Status> completion) override;

 private:
  using Claimed = absl::StatusOr<std::shared_ptr<Resident>>;

  void Claim(Name name, const ActorOptions& options, std::function<void(Claimed)> done);
  void OnRegistered(const ActorOptions& options, absl::StatusOr<Registration> registered,
                    const std::function<void(Claimed)>& done);
  // Letters come to `box` from now on, and it hears when the lease is lost, unless that can be had
  // back.
  void Settle(const std::shared_ptr<Resident>& resident, Resident::Box box);
  void WatchLease(const std::shared_ptr<Resident>& resident);
  void Reclaim(const std::shared_ptr<Resident>& resident);
  void OnReclaimed(const std::shared_ptr<Resident>& resident, const Entry& old,
                   absl::StatusOr<Registration> again);
  void OnEnded(const std::shared_ptr<Resident>& resident, const absl::Status& why);
  std::shared_ptr<Resident> Find(const Name& name, uint64_t epoch) const;
  void Forget(const Resident& gone) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<Resident>> All() const;
  void StopAll(StopMode mode);
  void OnDrainOver();
  void CheckStopped();

  const ActorSystemOptions options_;
  const bool client_;
  const std::shared_ptr<ActorThreads> threads_;
  const std::shared_ptr<ActorRuntime> runtime_;
  const std::shared_ptr<RememberedCalls> remembered_;
  const std::shared_ptr<internal::Residents> residents_;
  const std::shared_ptr<PostOffice> post_;
  const std::shared_ptr<DeliveryServer> server_;
  const std::shared_ptr<RecipientsEnv> env_;
  std::atomic<uint64_t> started_{0}, start_failed_{0}, reclaimed_{0}, actor_limit_{0};

  mutable std::mutex mutex_;
  Directory* directory_ ABSL_GUARDED_BY(mutex_);  // null: closed
  std::multimap<Name, std::shared_ptr<Resident>> all_ ABSL_GUARDED_BY(mutex_);
  size_t claims_ ABSL_GUARDED_BY(mutex_) = 0;  // under way
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Completion<absl::Status>> stop_waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> stopped_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> killed_ ABSL_GUARDED_BY(mutex_);  // names, at the end of the drain
  std::unique_ptr<LoopTimer> drain_timer_;                   // the control thread
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_SYSTEM_CORE_H_
