#include "grid/actor/system_core.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grid/actor/actor_cell.h"
#include "grid/actor/mailbox_end.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

absl::Status NotSent(absl::Status status) {
  return WithDelivery(std::move(status), Delivery::kNotSent);
}

absl::Status StoppedError() {
  return NotSent(absl::FailedPreconditionError("the actor system was stopped"));
}

Attributes AttributesOf(const ActorOptions& options) {
  Attributes attributes = options.attributes;
  attributes.erase(kTrustedCallers);
  if (!options.trusted_callers.empty()) {
    attributes[kTrustedCallers] = absl::StrJoin(options.trusted_callers, ",");
  }
  return attributes;
}

}  // namespace

SystemCore::SystemCore(Manager& manager, Directory& directory, ActorSystemOptions options,
                       ActorSystem* system)
    : options_(std::move(options)),
      client_(manager.is_client()),
      threads_(std::make_shared<ActorThreads>(*options_.io, options_.threads)),
      runtime_(std::make_shared<ActorRuntime>(*options_.io, threads_->io(), options_.clock,
                                              options_.log, system)),
      remembered_(std::make_shared<RememberedCalls>(options_.clock, options_.limits.max_remembered,
                                                    options_.limits.max_remembered_bytes)),
      residents_(std::make_shared<internal::Residents>(manager.local(), remembered_)),
      post_(std::make_shared<PostOffice>(manager, residents_, options_.clock)),
      server_(std::make_shared<DeliveryServer>(
          residents_, DeliveryLimits{.max_deliveries = options_.limits.max_deliveries,
                                     .max_targets = options_.limits.max_targets})),
      env_(std::make_shared<RecipientsEnv>(RecipientsEnvOptions{.post = post_,
                                                                .directory = &directory,
                                                                .io = options_.io,
                                                                .clock = options_.clock,
                                                                .limits = options_.limits,
                                                                .seed = options_.seed})),
      directory_(&directory) {}

absl::Status SystemCore::Serve(Manager& manager) {
  return client_ ? absl::OkStatus() : DeliveryServer::Serve(manager, server_);
}

// --- Coming ---

void SystemCore::Claim(Name name, const ActorOptions& options, std::function<void(Claimed)> done) {
  absl::Status refused = options.Check();
  if (client_) refused = NotSent(absl::FailedPreconditionError("a client hosts no actors"));
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || directory_ == nullptr) refused = StoppedError();
    if (refused.ok() && all_.size() + claims_ >= options_.limits.max_actors) {
      actor_limit_.fetch_add(1);
      refused = NotSent(absl::ResourceExhaustedError(
          absl::StrCat(options_.limits.max_actors, " actors (ActorLimits::max_actors)")));
    }
    if (refused.ok()) {
      ++claims_;
      directory_->Register(std::move(name), options.holding, AttributesOf(options),
                           std::chrono::milliseconds(0),
                           [self = shared_from_this(), options,
                            done = std::move(done)](absl::StatusOr<Registration> registered) {
                             self->OnRegistered(options, std::move(registered), done);
                           });
      return;
    }
  }
  start_failed_.fetch_add(1);
  boost::asio::post(*options_.io,
                    [done = std::move(done), refused = std::move(refused)] { done(refused); });
}

void SystemCore::OnRegistered(const ActorOptions& options, absl::StatusOr<Registration> registered,
                              const std::function<void(Claimed)>& done) {
  Claimed claimed = StoppedError();
  if (!registered.ok()) claimed = registered.status();
  {
    std::lock_guard lock(mutex_);
    --claims_;
    // Stopped in between: the registration is given back as it goes.
    if (registered.ok() && !stopping_) {
      claimed =
          std::make_shared<Resident>(*options_.io, *std::move(registered), options.trusted_callers);
      all_.emplace((*claimed)->target().name, *claimed);
    }
  }
  (claimed.ok() ? started_ : start_failed_).fetch_add(1);
  done(std::move(claimed));
  CheckStopped();
}

void SystemCore::Settle(const std::shared_ptr<Resident>& resident, Resident::Box box) {
  const Target target = resident->target();
  residents_->Add(target.name, target.epoch, box.letters, resident->trusted_callers());
  resident->SetBox(std::move(box));
  WatchLease(resident);
}

void SystemCore::WatchLease(const std::shared_ptr<Resident>& resident) {
  const LeaseToken token = resident->lease();
  token.OnLost([weak = weak_from_this(), resident, token] {
    const auto self = weak.lock();
    if (self == nullptr || resident->stopping()) return;
    if (resident->entry().holding == Holding::kExclusive) {
      return resident->LoseLease(token.why());  // which counts it
    }
    Count(self->runtime_->counters.leases_lost);
    // Nobody else can be in the way: it goes on, and is registered anew.
    boost::asio::post(*self->options_.io, [self, resident] { self->Reclaim(resident); });
  });
}

void SystemCore::Reclaim(const std::shared_ptr<Resident>& resident) {
  const Entry old = resident->entry();
  std::lock_guard lock(mutex_);
  if (directory_ == nullptr || resident->stopping()) return;
  directory_->Register(
      old.name, Holding::kShared, old.attributes, std::chrono::milliseconds(0),
      [self = shared_from_this(), resident, old](absl::StatusOr<Registration> again) {
        self->OnReclaimed(resident, old, std::move(again));
      });
}

void SystemCore::OnReclaimed(const std::shared_ptr<Resident>& resident, const Entry& old,
                             absl::StatusOr<Registration> again) {
  // The directory can't be reached: as long as that lasts.
  if (absl::IsDeadlineExceeded(again.status())) return Reclaim(resident);
  if (!again.ok()) {
    runtime_->log->Log(LogLevel::kError,
                       absl::StrCat(old.name.text(), " is stopped: it can't be registered again: ",
                                    again.status().ToString()));
    return resident->Stop(StopMode::kAfterQueue);
  }
  const uint64_t epoch = again->epoch();
  // Before the resident knows of it: when it ends it removes what it knows.
  if (auto letters = resident->letters()) {
    residents_->Add(old.name, epoch, std::move(letters), resident->trusted_callers());
  }
  if (!resident->Replace(*std::move(again))) return residents_->Remove(old.name, epoch);
  residents_->Remove(old.name, old.epoch);
  reclaimed_.fetch_add(1);
  WatchLease(resident);
}

void SystemCore::OnEnded(const std::shared_ptr<Resident>& resident, const absl::Status& why) {
  resident->End(why, [self = shared_from_this(), resident] {
    {
      std::lock_guard lock(self->mutex_);
      self->Forget(*resident);
    }
    self->CheckStopped();
  });
  // From now on it has no successor.
  const Target target = resident->target();
  residents_->Remove(target.name, target.epoch);
}

void SystemCore::Start(Name name, ActorFactory factory, ActorOptions options,
                       Completion<absl::StatusOr<ActorHandle>> completion) {
  auto shared = std::make_shared<Completion<absl::StatusOr<ActorHandle>>>(std::move(completion));
  auto claimed = [self = shared_from_this(), name, factory = std::move(factory), options,
                  shared](Claimed resident) {
    if (!resident.ok()) return (*shared)(resident.status());
    auto cell = std::make_shared<ActorCell>(self->runtime_, name, options, factory);
    const std::shared_ptr<Resident> one = *resident;
    self->Settle(one, {.letters = cell,
                       .stop = [cell](StopMode mode) { cell->Stop(mode); },
                       .lose_lease = [cell](const absl::Status& why) { cell->LoseLease(why); }});
    cell->OnStopped([self, one](const absl::Status& why) { self->OnEnded(one, why); });
    cell->Start(one->target().epoch, one->lease(),
                Completion<absl::Status>([shared, one](const absl::Status& started) {
                  // What could not be started has ended, too, and is told to OnStopped.
                  (*shared)(started.ok() ? absl::StatusOr<ActorHandle>(ActorHandle(one)) : started);
                }));
  };
  Claim(std::move(name), options, std::move(claimed));
}

void SystemCore::OpenMailbox(Name name, ActorOptions options,
                             Completion<absl::StatusOr<Mailbox>> completion) {
  auto shared = std::make_shared<Completion<absl::StatusOr<Mailbox>>>(std::move(completion));
  auto claimed = [self = shared_from_this(), name, options, shared](Claimed resident) {
    if (!resident.ok()) return (*shared)(resident.status());
    const std::shared_ptr<Resident> one = *resident;
    auto end = std::make_shared<MailboxEnd>(self->runtime_, name, options.mailbox, options.holding,
                                            one->target().epoch, one->lease());
    self->Settle(one, {.letters = end,
                       .stop = [end](StopMode) { end->Close(); },
                       .lose_lease = [end](const absl::Status& why) { end->LoseLease(why); }});
    end->OnClosed([self, one](const absl::Status& why) {
      self->OnEnded(one, absl::IsCancelled(why) ? absl::OkStatus() : why);
    });
    (*shared)(Mailbox(end));
  };
  Claim(std::move(name), options, std::move(claimed));
}

Recipients SystemCore::To(Selector selector, Routing routing, CallPolicy policy,
                          std::optional<Name> from) const {
  if (!from.has_value()) from = options_.from;
  return Recipients(
      RecipientsCore::Make(env_, std::move(selector), std::move(routing), policy, std::move(from)));
}

// --- ActorHost ---

void SystemCore::StartActor(const Name& name, ActorFactory factory, ActorOptions options,
                            Completion<absl::StatusOr<uint64_t>> completion) {
  Start(name, std::move(factory), std::move(options),
        Completion<absl::StatusOr<ActorHandle>>(
            [completion = std::move(completion)](absl::StatusOr<ActorHandle> started) mutable {
              completion(started.ok() ? absl::StatusOr<uint64_t>(started->target().epoch)
                                      : started.status());
            }));
}

std::shared_ptr<Resident> SystemCore::Find(const Name& name, uint64_t epoch) const {
  std::lock_guard lock(mutex_);
  for (auto [at, end] = all_.equal_range(name); at != end; ++at) {
    if (epoch == 0 || at->second->target().epoch == epoch) return at->second;
  }
  return nullptr;
}

void SystemCore::Forget(const Resident& gone) {
  for (auto [at, end] = all_.equal_range(gone.target().name); at != end; ++at) {
    if (at->second.get() != &gone) continue;
    all_.erase(at);
    return;
  }
}

void SystemCore::MarkDraining(const Name& name, uint64_t epoch) {
  if (const auto resident = Find(name, epoch); resident != nullptr) resident->MarkDraining();
}

void SystemCore::StopActor(const Name& name, uint64_t epoch, StopMode mode,
                           Completion<absl::Status> completion) {
  const std::shared_ptr<Resident> resident = Find(name, epoch);
  if (resident == nullptr) {
    return boost::asio::post(*options_.io,
                             [completion = std::move(completion), text = name.text()]() mutable {
                               completion(absl::NotFoundError(absl::StrCat(text, " is not here")));
                             });
  }
  // Why it has ended is not an error of stopping it.
  resident->StartWait(
      Completion<absl::Status>([completion = std::move(completion)](const absl::Status&) mutable {
        completion(absl::OkStatus());
      }));
  resident->Stop(mode);
}

std::vector<std::shared_ptr<Resident>> SystemCore::All() const {
  std::vector<std::shared_ptr<Resident>> all;
  std::lock_guard lock(mutex_);
  all.reserve(all_.size());
  for (const auto& [name, resident] : all_) all.push_back(resident);
  return all;
}

std::vector<Entry> SystemCore::List() const {
  std::vector<Entry> entries;
  for (const std::shared_ptr<Resident>& resident : All()) entries.push_back(resident->entry());
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.name, a.epoch) < std::pair(b.name, b.epoch);
  });
  return entries;
}

// --- Going ---

size_t SystemCore::MarkAllDraining() {
  const std::vector<std::shared_ptr<Resident>> residents = All();
  for (const std::shared_ptr<Resident>& resident : residents) resident->MarkDraining();
  return residents.size();
}

void SystemCore::StopAll(StopMode mode) {
  for (const std::shared_ptr<Resident>& resident : All()) resident->Stop(mode);
}

void SystemCore::Stop(Completion<absl::Status> completion) {
  {
    std::lock_guard lock(mutex_);
    stop_waiting_.push_back(std::move(completion));
    stopping_ = true;
  }
  boost::asio::post(*options_.io, [self = shared_from_this()] {
    if (self->drain_timer_ == nullptr) {
      self->drain_timer_ = std::make_unique<LoopTimer>(*self->options_.io, *self->options_.clock,
                                                       [weak = self->weak_from_this()] {
                                                         if (const auto core = weak.lock())
                                                           core->OnDrainOver();
                                                       });
      self->drain_timer_->Set(self->options_.clock->Now() + self->options_.drain);
      for (const std::shared_ptr<Resident>& resident : self->All()) {
        resident->MarkDraining();
        resident->Stop(StopMode::kAfterQueue);
      }
    }
    self->CheckStopped();
  });
}

void SystemCore::OnDrainOver() {
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, resident] : all_) killed_.push_back(name.text());
  }
  StopAll(StopMode::kKill);
}

// Tells who waits for Stop once nothing is left.
void SystemCore::CheckStopped() {
  std::vector<Completion<absl::Status>> waiting;
  absl::Status result;
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ || !all_.empty() || claims_ > 0 || stop_waiting_.empty()) return;
    if (!killed_.empty()) {
      result = absl::DeadlineExceededError(absl::StrCat("killed, as they had not finished within ",
                                                        options_.drain.count(),
                                                        " ms: ", absl::StrJoin(killed_, ", ")));
    }
    waiting.swap(stop_waiting_);
    directory_ = nullptr;
  }
  server_->Close();
  post_->Close();
  env_->Close();
  boost::asio::post(*options_.io,
                    [self = shared_from_this(), waiting = std::move(waiting), result]() mutable {
                      self->drain_timer_ = nullptr;
                      for (Completion<absl::Status>& completion : waiting) completion(result);
                    });
}

void SystemCore::Close() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    directory_ = nullptr;
  }
  server_->Close();
  env_->Close();
  post_->Close();
  StopAll(StopMode::kKill);
  threads_->Join();
}

ActorStats SystemCore::Stats() const {
  ActorStats stats;
  {
    std::lock_guard lock(mutex_);
    stats.residents = all_.size();
  }
  stats.started = started_.load();
  stats.start_failed = start_failed_.load();
  stats.reclaimed = reclaimed_.load();
  stats.actor_limit = actor_limit_.load();
  const ActorCounters& actors = runtime_->counters;
  stats.handled = actors.handled.load();
  stats.failed = actors.failed.load();
  stats.unheard = actors.unheard.load();
  stats.unread = actors.unread.load();
  stats.unencodable = actors.unencodable.load();
  stats.no_reply = actors.no_reply.load();
  stats.exceptions = actors.exceptions.load();
  stats.restarts = actors.restarts.load();
  stats.restart_limit = actors.restart_limit.load();
  stats.rejected_full = actors.rejected_full.load();
  stats.dropped_oldest = actors.dropped_oldest.load();
  stats.waited = actors.waited.load();
  stats.waiting_rejected = actors.waiting_rejected.load();
  stats.closed = actors.closed.load();
  stats.expired = actors.expired.load();
  stats.cancelled = actors.cancelled.load();
  stats.unknown_type = actors.unknown_type.load();
  stats.leases_lost = actors.leases_lost.load();
  stats.timers_run = actors.timers_run.load();
  stats.timer_limit = actors.timer_limit.load();

  stats.deliveries = server_->open();
  stats.delivery_limit = server_->refused();
  stats.malformed = server_->malformed();
  stats.missing = residents_->missing();
  stats.untrusted = residents_->untrusted();
  stats.remembered = remembered_->size();
  stats.repeated = remembered_->repeated();
  stats.remembered_limit = remembered_->refused();

  const RecipientsCounters& verbs = env_->counters();
  stats.calls = verbs.calls.load();
  stats.sends = verbs.sends.load();
  stats.gathers = verbs.gathers.load();
  stats.under_way = verbs.under_way.load();
  stats.watches = verbs.watches.load();
  stats.retries = verbs.retries.load();
  stats.refreshed = verbs.refreshed.load();
  stats.resolved = verbs.resolved.load();
  stats.stale = verbs.stale.load();
  stats.targets_failed = verbs.targets_failed.load();
  stats.verbs_expired = verbs.expired.load();
  stats.verbs_cancelled = verbs.cancelled.load();
  stats.call_limit = verbs.call_limit.load();
  stats.target_limit = verbs.target_limit.load();
  stats.waiting_calls = verbs.waiting.load();
  stats.waiting_limit = verbs.waiting_limit.load();
  stats.fan_out_limit = verbs.fan_out_limit.load();
  stats.handle_limit = verbs.handle_limit.load();
  return stats;
}

}  // namespace grid::internal
