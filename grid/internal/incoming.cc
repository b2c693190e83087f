#include "grid/internal/incoming.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/peer.h"
#include "grid/runtime/handshake.h"

namespace grid::internal {

Incoming::Incoming(std::shared_ptr<ManagerCore> core, AcceptedTransport accepted, IoLoop& loop,
                   Activity activity)
    : core_(std::move(core)),
      loop_(loop),
      transport_(std::move(accepted.transport)),
      admission_(std::move(accepted.admission)),
      deadline_(accepted.handshake_deadline),
      activity_(std::move(activity)),
      timer_(loop.io(), *core_->clock(), [this] {
        core_->CountRefused("handshake-timeout");
        transport_->Close(CloseCode::kPolicyViolation, "no Connect in time");
      }) {}

void Incoming::Start() {
  self_ = shared_from_this();
  timer_.Set(deadline_);
  // Until we know who it is, no more than a ConnectRequest needs.
  transport_->SetMaxMessageBytes(kMaxHandshakeBytes);
  transport_->Start(this);
}

void Incoming::Cancel() {
  asio::post(loop_.io(), [self = shared_from_this()] {
    if (self->transport_ != nullptr) {
      self->transport_->Close(CloseCode::kGoingAway, "the manager stops");
    }
  });
}

void Incoming::OnMessage(BytesView message) {
  if (answered_) return;
  const ManagerOptions& options = core_->options();
  const absl::StatusOr<ConnectRequest> request = DecodeConnect(message);
  if (!request.ok()) return Refuse("not-connect", request.status());

  // In the order of version 1: host, clock, token, side.
  const Extensions ours = core_->extensions(ManagerCore::Side::kAcceptor);
  const Extensions agreed = Agree(ours, request->extensions);
  const bool client = agreed.client != 0;
  std::shared_ptr<Peer> peer = core_->FindPeer(request->host);
  const bool member = peer != nullptr && !peer->is_client();
  if (!member && !(client && IsClientName(request->host))) {
    return Refuse("unknown-host", absl::NotFoundError(absl::StrCat("unknown incoming host: ",
                                                                   Printable(request->host))));
  }
  const absl::Status clock =
      CheckClock(request->time, core_->clock()->WallNow(), options.timeouts.clock_skew);
  if (!clock.ok()) return Refuse("clock-skew", clock);
  if (!core_->TokenAllowed(request->token, request->host)) {
    return Refuse("bad-token", absl::PermissionDeniedError("invalid token"));
  }
  if (member && !DialsByRule(request->host, options.local)) {
    return Refuse("wrong-side", absl::FailedPreconditionError(
                                    absl::StrCat(options.local, " dials ", Printable(request->host),
                                                 ", not the other way round")));
  }
  Activity serving = core_->serving();
  if (serving == nullptr) return;  // we have drained: Cancel comes next
  if (!member) peer = core_->AddClient(request->host);
  if (peer == nullptr) {
    return Refuse("client-limit",
                  absl::ResourceExhaustedError(absl::StrCat(
                      "max_clients (", options.limits.max_clients, ") clients are connected")));
  }

  answered_ = true;
  timer_.Clear();
  Established established;
  established.activity = activity_;
  established.serving = std::move(serving);
  established.transport = std::move(transport_);
  established.loop = &loop_;
  established.instance = request->id;
  // One who announces nothing is of version 1, and is to hear nothing of it.
  const bool extended = request->extensions != Extensions();
  established.extensions = agreed;
  established.first =
      EncodeConnectResponse({core_->instance(), true, "", extended ? ours : Extensions()});
  const std::shared_ptr<Incoming> keep = shared_from_this();
  peer->Establish(std::move(established));
  Done();
}

void Incoming::Refuse(std::string_view label, const absl::Status& why) {
  answered_ = true;
  timer_.Clear();  // closing has a bound of its own
  core_->CountRefused(label);
  core_->Log(LogLevel::kWarning,
             absl::StrCat("refused a connection from ", transport_->remote_address(), ": ",
                          std::string(why.message())));
  response_ = EncodeConnectResponse({core_->instance(), false, std::string(why.message()), {}});
  transport_->Write(response_.mutable_view());
  // A refused dialer may leave its socket open: the refuser closes.
  transport_->Close(CloseCode::kPolicyViolation, "refused");
}

void Incoming::OnClosed(CloseCause, std::string_view) { Done(); }

void Incoming::Done() {
  // Not from inside the transport's own callback.
  asio::post(loop_.io(), [self = std::move(self_)] {
    self->timer_.Clear();
    self->transport_.reset();
    self->admission_ = Admission();
    self->core_->Forget(self.get());
    self->activity_.reset();
  });
}

}  // namespace grid::internal
