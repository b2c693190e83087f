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

void Stream::StartRead(StreamBackend* backend, ReadHandler handler) {
  if (backend == nullptr) return handler(NoStream());
  backend->StartRead(std::move(handler));
}

void Stream::StartWrite(StreamBackend* backend, PayloadRef payload, WriteHandler handler) {
  if (backend == nullptr) return handler(NoStream());
  backend->StartWrite(payload, std::move(handler));
}

void Stream::StartReadPiece(StreamBackend* backend, PieceHandler handler) {
  if (backend == nullptr) return handler(NoStream());
  backend->StartReadPiece(std::move(handler));
}

void Stream::StartWritePiece(StreamBackend* backend, PayloadRef piece, bool last,
                             WriteHandler handler) {
  if (backend == nullptr) return handler(NoStream());
  backend->StartWritePiece(piece, last, std::move(handler));
}

PieceResult Stream::ReadPieceBlocking() {
  if (backend_ == nullptr) return NoStream();
  return backend_->ReadPieceBlocking();
}

absl::Status Stream::WritePieceBlocking(PayloadRef piece, bool last) {
  if (backend_ == nullptr) return NoStream();
  return backend_->WritePieceBlocking(piece, last);
}

// What a backend that knows no pieces says.
void StreamBackend::StartReadPiece(PieceHandler handler) { handler(ReadPieceBlocking()); }
void StreamBackend::StartWritePiece(PayloadRef piece, bool last, WriteHandler handler) {
  handler(WritePieceBlocking(piece, last));
}
PieceResult StreamBackend::ReadPieceBlocking() { return absl::UnimplementedError("no pieces"); }
absl::Status StreamBackend::WritePieceBlocking(PayloadRef, bool) {
  return absl::UnimplementedError("no pieces");
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
