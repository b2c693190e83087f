#include "grid/connection.h"

#include <utility>

#include "grid/internal/peer.h"
#include "grid/runtime/complete.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

absl::Status EmptyHandle() {
  return WithDelivery(absl::FailedPreconditionError("the connection handle is empty"),
                      Delivery::kNotSent);
}

}  // namespace

Subroute::Subroute(std::shared_ptr<internal::Peer> peer, std::string path)
    : peer_(std::move(peer)), path_(std::move(path)), id_(MakeSubrouteId(path_, 0)) {}

Subroute Subroute::At(std::string_view part) const {
  return Subroute(peer_, path_ + "/" + std::string(part));
}

void Subroute::StartRequest(HandlerId handler, PayloadRef payload, const RequestOptions& options,
                            ReplyHandler completion) const {
  if (peer_ == nullptr) return FailLater(nullptr, std::move(completion), EmptyHandle());
  const SubrouteId id = id_.ForHandler(handler.value());
  peer_->StartRequest(handler, &id, payload, options, std::move(completion));
}

absl::StatusOr<Stream> Subroute::OpenStream(HandlerId handler, BytesView initial,
                                            StreamOptions options) const {
  if (peer_ == nullptr) return EmptyHandle();
  const SubrouteId id = id_.ForHandler(handler.value());
  return peer_->OpenStream(handler, &id, initial, options);
}

Subroute Connection::Subroute(std::string_view path) const {
  return grid::Subroute(peer_, std::string(path));
}

const std::string& Connection::host() const {
  static const std::string kNone;
  return peer_ == nullptr ? kNone : peer_->host();
}

ConnectionState Connection::state() const {
  return peer_ == nullptr ? ConnectionState::kShutdown : peer_->state();
}

ConnectionStats Connection::Stats() const {
  return peer_ == nullptr ? ConnectionStats() : peer_->Stats();
}

void Connection::StartRequest(HandlerId handler, PayloadRef payload, const RequestOptions& options,
                              ReplyHandler completion) const {
  if (peer_ == nullptr) return FailLater(nullptr, std::move(completion), EmptyHandle());
  peer_->StartRequest(handler, nullptr, payload, options, std::move(completion));
}

absl::StatusOr<Stream> Connection::OpenStream(HandlerId handler, BytesView initial,
                                              StreamOptions options) const {
  if (peer_ == nullptr) return EmptyHandle();
  return peer_->OpenStream(handler, nullptr, initial, options);
}

void Connection::StartWaitConnected(std::chrono::milliseconds timeout, WriteHandler handler) const {
  if (peer_ == nullptr) return handler.Post(EmptyHandle());
  peer_->StartWaitConnected(timeout, std::move(handler));
}

}  // namespace grid
