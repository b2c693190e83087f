// Register of a DirectoryCore, and what undoes it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/directory/directory_core.h"
#include "grid/directory/hold.h"

namespace grid::internal {

// One Register: it may be sent several times, and be given up while the answer is on its way.
struct DirectoryCore::RegisterOperation {
  RegisterCall call;
  Completion<absl::StatusOr<Registration>> completion;
  std::optional<Entry> entry = std::nullopt;  // what we got
  bool unanswered = false;                    // sent, and what became of it is not known
  bool over = false;
};

void DirectoryCore::StartRegister(Name name, Holding holding, Attributes attributes,
                                  std::chrono::milliseconds timeout,
                                  Completion<absl::StatusOr<Registration>> completion) {
  RegisterCall call{.member = options_.member,
                    .name = std::move(name),
                    .holding = holding,
                    .attributes = std::move(attributes)};
  PostOperation(std::move(completion),
                [self = shared_from_this(), call = std::move(call), deadline = Deadline(timeout)](
                    Completion<absl::StatusOr<Registration>> done, const auto& canceller) mutable {
                  auto operation = std::make_shared<RegisterOperation>(
                      RegisterOperation{.call = std::move(call), .completion = std::move(done)});
                  self->Register(operation, deadline, canceller);
                });
}

void DirectoryCore::Register(const std::shared_ptr<RegisterOperation>& operation,
                             TimePoint deadline, const std::shared_ptr<Canceller>& canceller) {
  absl::Status refused = CheckAttributes(operation->call.attributes);
  if (options_.client) {
    refused = absl::FailedPreconditionError("a client of the directory holds no names");
  } else if (stats_.registrations >= options_.limits.max_registrations) {
    ++stats_.registration_limit;
    refused = absl::ResourceExhaustedError(absl::StrCat(
        "max_registrations (", options_.limits.max_registrations, ") are held or wanted"));
  }
  if (!refused.ok()) return operation->completion.Complete(&io_, std::move(refused));
  ++stats_.registrations;
  operation->call.request = ++last_request_;
  canceller->Attach(Run(
      deadline,
      [self = shared_from_this(), operation](Duration limit, RetryLoop::Done done) {
        self->AttemptRegister(operation, limit, std::move(done));
      },
      [self = shared_from_this(), operation](absl::Status status) {
        self->FinishRegister(*operation, std::move(status));
      }));
}

void DirectoryCore::AttemptRegister(const std::shared_ptr<RegisterOperation>& operation,
                                    Duration limit, RetryLoop::Done done) {
  if (!up_) return done(WhyDown());
  operation->call.incarnation = incarnation_;
  operation->unanswered = true;
  backend_->Register(operation->call, limit,
                     [self = shared_from_this(), operation, incarnation = incarnation_,
                      done = std::move(done)](absl::StatusOr<Entry> entry) mutable {
                       if (operation->over) {
                         if (entry.ok())
                           self->Undo(entry->name, entry->epoch, operation->call.request);
                         return;
                       }
                       if (entry.ok() && incarnation != self->incarnation_) {
                         // It went with its session.
                         return done(absl::UnavailableError("the lease ran out meanwhile"));
                       }
                       if (entry.ok() || !MayPass(entry.status())) operation->unanswered = false;
                       if (absl::IsAborted(entry.status())) self->OnNoSession();
                       if (entry.ok()) operation->entry = *entry;
                       done(entry.status());
                     });
}

void DirectoryCore::FinishRegister(RegisterOperation& operation, absl::Status status) {
  operation.over = true;
  const RegisterCall& call = operation.call;
  // The timer may not have seen yet that the lease has run out.
  if (status.ok() && (!up_ || Now() >= until_)) {
    status = absl::UnavailableError("the lease ran out meanwhile");
    operation.unanswered = true;
  }
  if (!status.ok()) {
    --stats_.registrations;
    if (operation.unanswered && call.incarnation == incarnation_) Undo(call.name, 0, call.request);
    return operation.completion.Complete(&io_, std::move(status));
  }
  SawEpoch(operation.entry->epoch);
  auto hold =
      std::make_shared<Hold>(shared_from_this(), *std::move(operation.entry), call.request, until_);
  holds_.insert(hold);
  operation.completion.Complete(&io_, Registration(std::move(hold)));
}

void DirectoryCore::Undo(const Name& name, uint64_t epoch, uint64_t request) {
  if (stopped_) return;
  const DeregisterCall call{.member = options_.member,
                            .incarnation = incarnation_,
                            .name = name,
                            .epoch = epoch,
                            .request = request};
  RunUnlimited(
      [self = shared_from_this(), call](Duration limit, RetryLoop::Done done) {
        if (self->incarnation_ != call.incarnation) return done(absl::OkStatus());
        self->backend_->Deregister(call, limit, std::move(done));
      },
      [](const absl::Status&) {});
}

}  // namespace grid::internal
