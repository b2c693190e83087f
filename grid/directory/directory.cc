#include "grid/directory/directory.h"

namespace grid {
namespace {

absl::Status Nothing() { return absl::FailedPreconditionError("a handle to nothing"); }

}  // namespace

Registration& Registration::operator=(Registration&& other) noexcept {
  if (this == &other) return *this;
  if (backend_ != nullptr) backend_->StartRelease({});
  backend_ = std::move(other.backend_);
  return *this;
}

Registration::~Registration() {
  if (backend_ != nullptr) backend_->StartRelease({});
}

void Registration::StartUpdate(std::shared_ptr<RegistrationBackend> backend, Attributes attributes,
                               std::chrono::milliseconds timeout,
                               Completion<absl::Status> completion) {
  if (backend == nullptr) return completion(Nothing());
  backend->StartUpdate(std::move(attributes), timeout, std::move(completion));
}

void Registration::StartRelease(std::shared_ptr<RegistrationBackend> backend,
                                Completion<absl::Status> completion) {
  if (backend == nullptr) return completion(Nothing());
  backend->StartRelease(std::move(completion));
}

Watcher& Watcher::operator=(Watcher&& other) noexcept {
  if (this == &other) return *this;
  Close();
  backend_ = std::move(other.backend_);
  return *this;
}

Watcher::~Watcher() { Close(); }

void Watcher::Close() {
  if (backend_ != nullptr) backend_->Close();
}

void Watcher::StartNext(std::shared_ptr<WatcherBackend> backend,
                        Completion<absl::StatusOr<WatchEvent>> completion) {
  if (backend == nullptr) return completion(Nothing());
  backend->StartNext(std::move(completion));
}

}  // namespace grid
