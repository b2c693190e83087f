// What users ask of a DirectoryCore: Resolve, Watch, WaitReady, Flush, Stop; and how operations
// run. Register is in directory_register.cc.
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/directory/directory_core.h"
#include "grid/directory/directory_watch.h"

namespace grid::internal {

// --- Operations in general ---

RetrySettings DirectoryCore::Settings() {
  return {.io = io_,
          .clock = options_.clock,
          .back_off = options_.back_off,
          .attempt = options_.attempt,
          .random = random_,
          .retries = stats_.retries};
}

std::shared_ptr<RetryLoop> DirectoryCore::Run(TimePoint deadline, RetryLoop::Attempt attempt,
                                              RetryLoop::Done finished) {
  if (stopped_) {
    finished(StoppedError());
    return nullptr;
  }
  if (stats_.operations >= options_.limits.max_operations) {
    ++stats_.operation_limit;
    finished(absl::ResourceExhaustedError(absl::StrCat(
        "max_operations (", options_.limits.max_operations, ") of the directory are under way")));
    return nullptr;
  }
  ++stats_.operations;
  // The loop itself is looked up when it has ended: it can't hold itself.
  const auto place = std::make_shared<std::weak_ptr<RetryLoop>>();
  auto loop =
      std::make_shared<RetryLoop>(Settings(), deadline, std::move(attempt),
                                  [self = shared_from_this(), place,
                                   finished = std::move(finished)](absl::Status status) mutable {
                                    --self->stats_.operations;
                                    self->loops_.erase(place->lock());
                                    finished(std::move(status));
                                  });
  *place = loop;
  loops_.insert(loop);
  loop->Run();
  return loop;
}

void DirectoryCore::RunUnlimited(RetryLoop::Attempt attempt, RetryLoop::Done finished) {
  if (stopped_) return finished(StoppedError());
  const auto place = std::make_shared<std::weak_ptr<RetryLoop>>();
  auto loop =
      std::make_shared<RetryLoop>(Settings(), TimePoint::max(), std::move(attempt),
                                  [self = shared_from_this(), place,
                                   finished = std::move(finished)](absl::Status status) mutable {
                                    self->loops_.erase(place->lock());
                                    finished(std::move(status));
                                  });
  *place = loop;
  loops_.insert(loop);
  loop->Run();
}

void DirectoryCore::WakeAll() {
  const std::vector<std::shared_ptr<RetryLoop>> loops(loops_.begin(), loops_.end());
  for (const auto& loop : loops) loop->Wake();
}

std::shared_ptr<DirectoryCore::Canceller> DirectoryCore::CancelBy(asio::cancellation_slot slot) {
  auto canceller = std::make_shared<Canceller>();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), canceller](asio::cancellation_type) {
      const auto self = weak.lock();
      if (self != nullptr) self->Post([canceller] { canceller->Cancel(); });
    });
  }
  return canceller;
}

void DirectoryCore::Canceller::Attach(const std::shared_ptr<RetryLoop>& loop) {
  loop_ = loop;
  if (cancelled_) Cancel();
}

void DirectoryCore::Canceller::Cancel() {
  cancelled_ = true;
  if (const auto loop = loop_.lock()) loop->End(absl::CancelledError("cancelled"));
}

// --- Resolve ---

void DirectoryCore::StartResolve(Selector selector, std::chrono::milliseconds timeout,
                                 Completion<absl::StatusOr<Resolution>> completion) {
  PostOperation(
      std::move(completion),
      [self = shared_from_this(), selector = std::move(selector), deadline = Deadline(timeout)](
          Completion<absl::StatusOr<Resolution>> done, const auto& canceller) mutable {
        self->Resolve(std::move(selector), deadline, canceller, std::move(done));
      });
}

void DirectoryCore::Resolve(Selector selector, TimePoint deadline,
                            const std::shared_ptr<Canceller>& canceller,
                            Completion<absl::StatusOr<Resolution>> completion) {
  if (absl::Status status = selector.Check(); !status.ok()) {
    return completion.Complete(&io_, std::move(status));
  }
  const auto resolution = std::make_shared<Resolution>();
  auto attempt = [self = shared_from_this(), selector = std::move(selector), resolution](
                     Duration limit, RetryLoop::Done done) {
    self->backend_->Resolve(selector, limit,
                            [self, selector, resolution, done = std::move(done)](
                                absl::StatusOr<std::vector<Entry>> entries) mutable {
                              const std::string text = selector.ToString();
                              if (entries.ok()) {
                                self->Remember(text, *entries);
                                resolution->entries = *std::move(entries);
                                return done(absl::OkStatus());
                              }
                              if (!MayPass(entries.status())) return done(entries.status());
                              auto seen = self->LastSeen(selector, text);
                              if (!seen.has_value()) return done(entries.status());
                              ++self->stats_.stale;
                              *resolution = {.entries = *std::move(seen), .stale = true};
                              done(absl::OkStatus());
                            });
  };
  canceller->Attach(Run(deadline, std::move(attempt),
                        [self = shared_from_this(), resolution,
                         completion = std::move(completion)](absl::Status status) mutable {
                          if (!status.ok())
                            return completion.Complete(&self->io_, std::move(status));
                          completion.Complete(&self->io_, std::move(*resolution));
                        }));
}

std::optional<std::vector<Entry>> DirectoryCore::LastSeen(const Selector& selector,
                                                          const std::string& text) {
  // A watch knows of it later than any Resolve.
  for (const auto& [address, weak] : watches_) {
    const auto watch = weak.lock();
    if (watch == nullptr) continue;
    if (watch->view().filled() && watch->view().selector() == selector) {
      return watch->view().Entries();
    }
  }
  const auto found = cache_.find(text);
  if (found == cache_.end()) return std::nullopt;
  return found->second;
}

void DirectoryCore::Remember(const std::string& text, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) SawEpoch(entry.epoch);
  if (options_.limits.max_cached == 0) return;
  const auto [at, added] = cache_.insert_or_assign(text, entries);
  if (!added) return;
  cached_.push_back(text);
  if (cached_.size() <= options_.limits.max_cached) return;
  cache_.erase(cached_.front());
  cached_.pop_front();
  ++stats_.cache_limit;
}

// --- Watch, WaitReady, Flush, Stop ---

absl::StatusOr<Watcher> DirectoryCore::StartWatch(Selector selector) {
  if (absl::Status status = selector.Check(); !status.ok()) return status;
  if (stats_.watches.fetch_add(1) >= options_.limits.max_watches) {
    --stats_.watches;
    ++stats_.watch_limit;
    return absl::ResourceExhaustedError(
        absl::StrCat("max_watches (", options_.limits.max_watches, ") are there"));
  }
  auto watch = std::make_shared<DirectoryWatch>(shared_from_this(), std::move(selector));
  const bool posted = Post([self = shared_from_this(), watch] {
    self->watches_.emplace(watch.get(), watch);
    if (self->stopped_) return watch->End(StoppedError());
    watch->Subscribe();
  });
  if (posted) return Watcher(std::move(watch));
  --stats_.watches;
  return StoppedError();
}

void DirectoryCore::StartWaitReady(std::chrono::milliseconds timeout,
                                   Completion<absl::Status> completion) {
  PostOperation(std::move(completion),
                [self = shared_from_this(), deadline = Now() + timeout](
                    Completion<absl::Status> done, const auto& canceller) mutable {
                  self->WaitReady(deadline, canceller, std::move(done));
                });
}

void DirectoryCore::WaitReady(TimePoint deadline, const std::shared_ptr<Canceller>& canceller,
                              Completion<absl::Status> completion) {
  auto attempt = [self = shared_from_this()](Duration limit, RetryLoop::Done done) {
    if (!self->options_.client) return done(self->up_ ? absl::OkStatus() : self->WhyDown());
    self->backend_->Resolve(
        Selector(), limit,
        [done = std::move(done)](const absl::StatusOr<std::vector<Entry>>& entries) mutable {
          done(entries.status());
        });
  };
  canceller->Attach(Run(
      deadline, std::move(attempt),
      [self = shared_from_this(), completion = std::move(completion)](absl::Status status) mutable {
        completion.Complete(&self->io_, std::move(status));
      }));
}

void DirectoryCore::StartFlush(std::chrono::milliseconds timeout,
                               Completion<absl::StatusOr<uint64_t>> completion) {
  PostOperation(std::move(completion),
                [self = shared_from_this(), deadline = Deadline(timeout)](
                    Completion<absl::StatusOr<uint64_t>> done, const auto& canceller) mutable {
                  self->Flush(deadline, canceller, std::move(done));
                });
}

void DirectoryCore::Flush(TimePoint deadline, const std::shared_ptr<Canceller>& canceller,
                          Completion<absl::StatusOr<uint64_t>> completion) {
  const auto removed = std::make_shared<uint64_t>(0);
  auto attempt = [self = shared_from_this(), removed](Duration limit, RetryLoop::Done done) {
    self->backend_->Flush(
        limit, [removed, done = std::move(done)](absl::StatusOr<uint64_t> count) mutable {
          if (count.ok()) *removed = *count;
          done(count.status());
        });
  };
  canceller->Attach(Run(deadline, std::move(attempt),
                        [self = shared_from_this(), removed,
                         completion = std::move(completion)](absl::Status status) mutable {
                          if (!status.ok())
                            return completion.Complete(&self->io_, std::move(status));
                          // Our own names are gone as well.
                          self->Renew();
                          completion.Complete(&self->io_, *removed);
                        }));
}

void DirectoryCore::StartStop(Completion<absl::Status> completion) {
  PostOperation(std::move(completion),
                [self = shared_from_this()](Completion<absl::Status> done, const auto&) mutable {
                  self->FinishStop(std::move(done));
                });
}

DirectoryStats DirectoryCore::Stats() const {
  std::lock_guard lock(backend_mutex_);
  if (final_stats_.has_value()) return *final_stats_;
  const DirectoryCounters& from = stats_;
  DirectoryStats stats{.ready = from.ready,
                       .registrations = from.registrations,
                       .watches = from.watches,
                       .operations = from.operations,
                       .renewals = from.renewals,
                       .renewals_failed = from.renewals_failed,
                       .lapsed = from.lapsed,
                       .lost = from.lost,
                       .claimed = from.claimed,
                       .retries = from.retries,
                       .stale = from.stale,
                       .coalesced = from.coalesced,
                       .resubscribed = from.resubscribed,
                       .registration_limit = from.registration_limit,
                       .watch_limit = from.watch_limit,
                       .operation_limit = from.operation_limit,
                       .cache_limit = from.cache_limit};
  backend_->AddStats(stats);
  return stats;
}

}  // namespace grid::internal
