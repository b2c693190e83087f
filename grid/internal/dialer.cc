#include "grid/internal/dialer.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/peer.h"
#include "grid/runtime/handshake.h"

namespace grid::internal {

// The Connect exchange on a connection that has been upgraded: our ConnectRequest out, their answer
// in.
class Dialer::Exchange final : public TransportHandler {
 public:
  // `serving`: from here on the peer may call us, once it has answered.
  Exchange(Dialer& dialer, std::unique_ptr<Transport> transport, Activity serving)
      : dialer_(dialer),
        serving_(std::move(serving)),
        transport_(std::move(transport)),
        timer_(dialer.loop_.io(), *dialer.core_.clock(),
               [this] { Finish(absl::DeadlineExceededError("no ConnectResponse in time")); }) {}

  void Start(const std::string& token) {
    ManagerCore& core = dialer_.core_;
    request_ =
        EncodeConnect({core.instance(), core.options().local, ToWireTime(core.clock()->WallNow()),
                       token, core.extensions(ManagerCore::Side::kDialer)});
    timer_.Set(core.clock()->Now() + core.options().timeouts.dial);
    transport_->SetMaxMessageBytes(kMaxHandshakeBytes);
    transport_->Start(this);
    written_ = transport_->Write(request_.mutable_view());
  }

  void OnWritten() override { written_ = true; }

  void OnMessage(BytesView message) override {
    if (over_) return;
    const absl::StatusOr<ConnectResponse> answer = DecodeConnectResponse(message);
    if (!answer.ok()) return Finish(answer.status());
    if (!answer->accepted) {
      return Finish(absl::PermissionDeniedError(
          absl::StrCat("refused: ", Printable(answer->rejected_reason))));
    }
    HandOver(*answer);
  }

  void OnClosed(CloseCause, std::string_view detail) override {
    Finish(absl::UnavailableError(
        absl::StrCat("closed before ConnectResponse: ", std::string(detail))));
  }

 private:
  // At once: calls of the peer's may come right behind its answer, even before we hear that the
  // request has been written.
  void HandOver(const ConnectResponse& answer) {
    timer_.Clear();
    // The owner may be destroyed from inside Establish, and this with it.
    Peer& peer = dialer_.peer_;
    Established established;
    established.activity = dialer_.core_.activity();
    established.serving = std::move(serving_);
    established.transport = std::move(transport_);
    established.loop = &dialer_.loop_;
    established.instance = answer.id;
    established.extensions =
        Agree(dialer_.core_.extensions(ManagerCore::Side::kDialer), answer.extensions);
    if (!written_) established.first = std::move(request_);
    established.writing = !written_;
    std::unique_ptr<Exchange> self = std::move(dialer_.exchange_);
    peer.Establish(std::move(established));
  }

  void Finish(const absl::Status& why) {
    // The transport may still call until the post below has run; the dialer may be gone by then.
    if (std::exchange(over_, true)) return;
    timer_.Clear();
    // Not from inside the transport's or the timer's own callback.
    asio::post(dialer_.loop_.io(), [self = std::move(dialer_.exchange_)] {});
    dialer_.Failed(why);
  }

  Dialer& dialer_;
  Activity serving_;  // this and the next are given up after the transport
  Buffer request_;
  std::unique_ptr<Transport> transport_;
  LoopTimer timer_;
  bool written_ = false;
  bool over_ = false;  // Finish was called
};

Dialer::Dialer(ManagerCore& core, Peer& peer, IoLoop& loop)
    : core_(core),
      peer_(peer),
      loop_(loop),
      timer_(loop.io(), *core.clock(), [this] { Attempt(); }),
      not_before_(core.clock()->Now()),
      alive_(std::make_shared<Dialer*>(this)) {}

Dialer::~Dialer() {
  // Its end is of no interest to anybody any more.
  alive_.reset();
  if (dialling_ != nullptr) dialling_->Cancel();
}

void Dialer::Redial() { timer_.Set(std::max(not_before_, core_.clock()->Now())); }

void Dialer::Attempt() {
  const Timeouts& timeouts = core_.options().timeouts;
  // Measured from the start of the attempt, so that a slow failure does not add to the pause.
  not_before_ =
      core_.clock()->Now() + core_.RandomBetween(timeouts.redial_min, timeouts.redial_max);
  peer_.OnAttempt();
  absl::StatusOr<std::string> token = core_.MakeToken(peer_.host());
  if (!token.ok()) return Failed(token.status());
  DialRequest request;
  request.io = &loop_.io();
  request.host = peer_.host();
  request.route = core_.options().route;
  request.token = *std::move(token);
  request.timeout = timeouts.dial;
  dialling_ = std::make_shared<DialCanceller>();
  request.canceller = dialling_;
  request.keep = core_.activity();
  core_.network()->Dial(std::move(request), [alive = std::weak_ptr<Dialer*>(alive_),
                                             attempt = ++attempt_](DialResult result) {
    if (auto dialer = alive.lock()) (*dialer)->OnDialled(attempt, std::move(result));
  });
}

void Dialer::OnDialled(uint64_t attempt, DialResult result) {
  if (attempt != attempt_) return;
  dialling_.reset();
  if (!result.ok()) return Failed(result.status());
  // Another one: what was shown for the upgrade may be over by now.
  const absl::StatusOr<std::string> token = core_.MakeToken(peer_.host());
  if (!token.ok()) return Failed(token.status());
  Activity serving = core_.serving();
  if (serving == nullptr) return;  // we have drained: the peer is shut down next
  exchange_ = std::make_unique<Exchange>(*this, *std::move(result), std::move(serving));
  exchange_->Start(*token);
}

void Dialer::Failed(const absl::Status& why) {
  peer_.OnAttemptFailed(why);
  Redial();
}

}  // namespace grid::internal
