#include "handlers/stream.h"

#include <utility>

namespace grid {
namespace {

absl::Status NoStream() { return absl::FailedPreconditionError("the stream handle is empty"); }

}  // namespace

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    std::shared_ptr<StreamBackend> old = std::exchange(backend_, std::move(other.backend_));
    if (old != nullptr) old->Abandon();
  }
  return *this;
}

Stream::~Stream() {
  if (backend_ != nullptr) backend_->Abandon();
}

void Stream::StartRead(std::shared_ptr<StreamBackend> backend, ReadHandler handler) {
  if (backend == nullptr) return handler(NoStream());
  backend->StartRead(std::move(handler));
}

void Stream::StartWrite(std::shared_ptr<StreamBackend> backend, PayloadRef payload,
                        WriteHandler handler) {
  if (backend == nullptr) return handler(NoStream());
  backend->StartWrite(payload, std::move(handler));
}

ReadResult Stream::ReadBlocking() {
  if (backend_ == nullptr) return NoStream();
  return backend_->ReadBlocking();
}

absl::Status Stream::WriteBlocking(PayloadRef payload) {
  if (backend_ == nullptr) return NoStream();
  return backend_->WriteBlocking(payload);
}

void Stream::OnDrain(absl::AnyInvocable<void()> callback) {
  if (backend_ != nullptr) backend_->OnDrain(std::move(callback));
}

void Stream::CloseSend() {
  if (backend_ != nullptr) backend_->CloseSend();
}

void Stream::Cancel() {
  if (backend_ != nullptr) backend_->Cancel();
}

void Stream::Finish(absl::Status status) {
  if (backend_ != nullptr) backend_->Finish(std::move(status));
}

BytesView Stream::initial() const {
  return backend_ == nullptr ? BytesView() : backend_->initial();
}

}  // namespace grid
