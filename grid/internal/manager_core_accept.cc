// ManagerCore: connections that peers make, until their Connect has come.
#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/incoming.h"
#include "grid/internal/manager_core.h"
#include "grid/transport/adopter.h"

namespace grid::internal {

std::string_view RefusalName(HttpRefusal refusal) {
  switch (refusal) {
    case HttpRefusal::kBadToken:
      return "http-bad-token";
    case HttpRefusal::kNotUpgrade:
      return "http-not-upgrade";
    case HttpRefusal::kBadVersion:
      return "http-bad-version";
    case HttpRefusal::kBadMethod:
      return "http-bad-method";
    case HttpRefusal::kBadPath:
      return "http-bad-path";
    case HttpRefusal::kBadRequest:
      return "http-bad-request";
    case HttpRefusal::kTimeout:
      return "handshake-timeout";
    case HttpRefusal::kTls:
      return "tls";
    case HttpRefusal::kTooMany:
      break;
  }
  return "pre-handshake-limit";
}

ListenRequest ManagerCore::NewListenRequest() {
  ListenRequest request;
  request.gate = std::make_shared<HandshakeGate>(options_.limits.max_pre_handshake);
  request.route = options_.route;
  request.ios = loops_->contexts();
  request.handshake_timeout = options_.timeouts.handshake;
  // The listener is destroyed by StopAsync, but its callbacks may come later: they hold what they
  // use.
  const std::weak_ptr<ManagerCore> weak = weak_from_this();
  request.check_token = [weak](std::string_view token) {
    const auto self = weak.lock();
    return self != nullptr && self->TokenAllowed(token, {});
  };
  request.on_accept = [weak](AcceptedTransport accepted) {
    if (const auto self = weak.lock()) self->OnAccept(std::move(accepted));
  };
  request.on_refuse = [weak](HttpRefusal refusal, std::string_view detail) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->CountRefused(RefusalName(refusal));
    self->Log(LogLevel::kDebug,
              absl::StrCat("refused an incoming connection: ", std::string(detail)));
  };
  return request;
}

absl::StatusOr<uint16_t> ManagerCore::Listen(const std::string& address) {
  if (options_.client) return absl::FailedPreconditionError("a client does not listen");
  std::shared_ptr<Network> network;
  Activity activity;  // until the listener is in place, or gone: its loops must run
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kRunning) {
      return absl::FailedPreconditionError("Listen needs a manager that has been started");
    }
    network = network_;
    activity = shares_.lock();
  }
  ListenRequest request = NewListenRequest();
  request.address = address;
  request.tls = options_.local.rfind("https://", 0) == 0;
  request.keep = activity;
  const auto gate = request.gate;
  auto listener = network->Listen(std::move(request));
  if (!listener.ok()) return listener.status();
  const uint16_t port = (*listener)->port();
  std::lock_guard lock(mutex_);
  if (phase_ != Phase::kRunning) return absl::FailedPreconditionError("the manager stops");
  listeners_.push_back(*std::move(listener));
  gates_.push_back(gate);
  return port;
}

absl::StatusOr<AcceptPlace> ManagerCore::ReserveAccept() {
  AcceptPlace place;
  if (options_.client) return absl::FailedPreconditionError("a client accepts no connections");
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kRunning) {
      return absl::FailedPreconditionError(phase_ == Phase::kNew
                                               ? "the manager has not been started"
                                               : "the manager has been stopped");
    }
    place.activity = shares_.lock();
    if (adopter_ == nullptr) {
      ListenRequest request = NewListenRequest();
      request.keep = place.activity;
      gates_.push_back(request.gate);
      adopter_ = std::make_shared<Adopter>(NetworkLimits(), options_.clock, options_.log,
                                           std::move(request));
    }
    place.adopter = adopter_;
  }
  const auto& gate = place.adopter->request().gate;
  if (!gate->TryEnter()) {
    CountRefused(RefusalName(HttpRefusal::kTooMany));
    return absl::ResourceExhaustedError(absl::StrCat("max_pre_handshake (",
                                                     options_.limits.max_pre_handshake,
                                                     ") connections are in their handshake"));
  }
  place.admission = Admission(gate);
  place.io = &loops_->Next().io();
  return place;
}

void ManagerCore::OnAccept(AcceptedTransport accepted) {
  const auto contexts = loops_->contexts();
  const auto at = std::find(contexts.begin(), contexts.end(), accepted.io) - contexts.begin();
  Activity activity = this->activity();
  if (activity == nullptr) return;
  auto incoming = std::make_shared<Incoming>(shared_from_this(), std::move(accepted),
                                             loops_->at(static_cast<size_t>(at)), activity);
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kRunning) return;
    ++accepted_;
    incoming_.insert(incoming.get());
  }
  incoming->Start();
}

void ManagerCore::Forget(Incoming* incoming) {
  std::lock_guard lock(mutex_);
  incoming_.erase(incoming);
}

}  // namespace grid::internal
