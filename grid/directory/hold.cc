#include "grid/directory/hold.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

Hold::Hold(std::shared_ptr<DirectoryCore> core, Entry entry, uint64_t request, TimePoint until)
    : core_(std::move(core)),
      request_(request),
      token_(std::make_shared<LeaseToken::State>(core_->options().clock, until)),
      entry_(std::move(entry)) {}

Entry Hold::entry() const {
  std::lock_guard lock(mutex_);
  return entry_;
}

void Hold::StartUpdate(Attributes attributes, std::chrono::milliseconds timeout,
                       Completion<absl::Status> completion) {
  core_->PostOperation(std::move(completion),
                       [self = shared_from_this(), values = std::move(attributes),
                        deadline = core_->Deadline(timeout)](Completion<absl::Status> done,
                                                             const auto& canceller) mutable {
                         self->Update(std::move(values), deadline, canceller, std::move(done));
                       });
}

void Hold::Update(Attributes attributes, TimePoint deadline,
                  const std::shared_ptr<DirectoryCore::Canceller>& canceller,
                  Completion<absl::Status> completion) {
  absl::Status refused = CheckAttributes(attributes);
  if (over_) refused = token().why();
  if (updating_) refused = absl::FailedPreconditionError("another Update is under way");
  if (!refused.ok()) return completion.Complete(&core_->io(), std::move(refused));
  updating_ = true;
  const auto values = std::make_shared<const Attributes>(std::move(attributes));
  auto attempt = [self = shared_from_this(), values](Duration limit, RetryLoop::Done done) {
    if (self->over_) return done(self->token().why());
    if (!self->core_->up()) return done(self->core_->WhyDown());
    if (!self->attached_) return done(absl::UnavailableError("being claimed"));
    const Entry entry = self->entry();
    self->core_->backend().Update({.member = entry.member,
                                   .incarnation = entry.incarnation,
                                   .name = entry.name,
                                   .epoch = entry.epoch,
                                   .attributes = *values},
                                  limit,
                                  [self, done = std::move(done)](absl::Status status) mutable {
                                    if (absl::IsAborted(status)) self->core_->OnNoSession();
                                    done(std::move(status));
                                  });
  };
  auto finished = [self = shared_from_this(), values,
                   completion = std::move(completion)](absl::Status status) mutable {
    self->updating_ = false;
    if (status.ok()) {
      std::lock_guard lock(self->mutex_);
      self->entry_.attributes = *values;
    }
    completion.Complete(&self->core_->io(), std::move(status));
  };
  canceller->Attach(core_->Run(deadline, std::move(attempt), std::move(finished)));
}

void Hold::StartRelease(Completion<absl::Status> completion) {
  auto shared = std::make_shared<Completion<absl::Status>>(std::move(completion));
  const bool posted = core_->Post(
      [self = shared_from_this(), shared]() mutable { self->Release(std::move(*shared)); });
  if (!posted && *shared) shared->Post(DirectoryCore::StoppedError());
}

void Hold::Release(Completion<absl::Status> completion) {
  if (over_) {  // the directory has noticed by itself, or will
    if (completion) completion.Complete(&core_->io(), absl::OkStatus());
    return;
  }
  Lose(absl::CancelledError("the registration was given back"));
  const Entry entry = this->entry();
  auto attempt = [core = core_, entry, request = request_](Duration limit, RetryLoop::Done done) {
    // A session that has ended took its registrations along.
    if (core->incarnation() != entry.incarnation) return done(absl::OkStatus());
    core->backend().Deregister({.member = entry.member,
                                .incarnation = entry.incarnation,
                                .name = entry.name,
                                .epoch = entry.epoch,
                                .request = request},
                               limit, std::move(done));
  };
  auto finished = [core = core_, completion = std::move(completion)](absl::Status status) mutable {
    if (completion) completion.Complete(&core->io(), std::move(status));
  };
  core_->RunUnlimited(std::move(attempt), std::move(finished));
}

void Hold::Claim() {
  if (claiming_ || attached_ || over_) return;
  claiming_ = true;
  const Entry entry = this->entry();
  core_->backend().Register({.member = entry.member,
                             .incarnation = entry.incarnation,
                             .request = request_,
                             .name = entry.name,
                             .holding = entry.holding,
                             .attributes = entry.attributes,
                             .claim = entry.epoch},
                            core_->options().attempt,
                            [self = shared_from_this()](absl::StatusOr<Entry> claimed) {
                              self->claiming_ = false;
                              if (!self->over_) self->OnClaimed(std::move(claimed));
                            });
}

void Hold::OnClaimed(absl::StatusOr<Entry> claimed) {
  if (claimed.ok()) {
    attached_ = true;
    ++core_->stats().claimed;
    // Asked before the claim, so the session's lease covers it.
    if (!core_->up() || !Extend(core_->until())) {
      Lose(absl::DeadlineExceededError("the lease was not renewed in time"));
      core_->Undo(claimed->name, claimed->epoch, request_);
    }
  } else if (!MayPass(claimed.status())) {
    Lose(claimed.status());
  }
  // Otherwise the next renewal brings another attempt.
  core_->OnClaimed();
}

void Hold::Lose(const absl::Status& why) {
  if (over_) return;
  over_ = true;
  const auto self = shared_from_this();
  core_->Forget(this);
  token_->Lose(why);
}

}  // namespace grid::internal
