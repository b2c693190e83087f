#include "grid/internal/peer.h"

#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/dialer.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/stats_sum.h"
#include "grid/runtime/handshake.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

// A host that stays unreachable is logged at once, then this often.
constexpr std::chrono::hours kLogEvery{1};
// Reasons kept apart for that; a peer that makes up new ones can't grow the memory.
constexpr size_t kMaxReasons = 16;

}  // namespace

Peer::Peer(std::shared_ptr<ManagerCore> core, std::string host, size_t home, Kind kind)
    : core_(std::move(core)),
      host_(std::move(host)),
      home_{core_->loops(), home},
      kind_(kind),
      dials_(kind == Kind::kMember &&
             (core_->options().client || DialsByRule(core_->options().local, host_))),
      local_(core_->loops()->size(), nullptr) {
  totals_.host = host_;
}

Peer::~Peer() = default;

void Peer::Start() {
  home_.loops->PostTo(home_.index, [&](asio::io_context* io) {
    if (io == nullptr) return;
    asio::post(*io, [self = shared_from_this()] {
      if (self->state() == ConnectionState::kShutdown) return;
      self->ExpireWaiters();  // those who came before the loop ran
      if (!self->dials_) return;
      self->dialer_ = std::make_unique<Dialer>(*self->core_, *self, self->home_.loop());
      self->dialer_->Redial();
    });
  });
}

// --- Connecting ---

void Peer::OnAttempt() {
  std::lock_guard lock(mutex_);
  if (state_ != ConnectionState::kShutdown) state_ = ConnectionState::kConnecting;
}

void Peer::OnAttemptFailed(const absl::Status& why) {
  const TimePoint now = core_->clock()->Now();
  {
    std::lock_guard lock(mutex_);
    if (state_ == ConnectionState::kShutdown) return;
    state_ = ConnectionState::kConnectionError;
    last_error_ = std::string(why.message());
    // Each reason once, then at most hourly: a refusal must not hide behind an earlier "not
    // reachable".
    const auto logged = failures_logged_.find(last_error_);
    if (logged != failures_logged_.end() && now - logged->second < kLogEvery) return;
    if (failures_logged_.size() >= kMaxReasons) failures_logged_.clear();
    failures_logged_[last_error_] = now;
  }
  core_->Log(LogLevel::kWarning, absl::StrCat("can't connect to ", host_, ": ",
                                              std::string(why.message()), "; trying again"));
}

void Peer::Establish(Established established) {
  // At once: whoever did the handshake may be gone when the transport's next callback comes.
  if (established.parked == nullptr) {
    established.parked = std::make_unique<ParkedTransport>();
    established.transport->SetHandler(established.parked.get());
  }
  std::shared_ptr<Link> old;
  // One that was lost meanwhile replaces nothing.
  if (!established.parked->closed()) {
    std::lock_guard lock(mutex_);
    old = link_;
  }
  if (old == nullptr) return Install(std::move(established));

  // The old connection's calls end first, on its own thread; then this one starts, on ours.
  IoLoop* const here = established.loop;
  auto shared = std::make_shared<Established>(std::move(established));
  auto close = [self = shared_from_this(), old, here, shared] {
    old->Close(DisconnectedError("replaced by a new connection", Delivery::kMaybeExecuted),
               CloseCode::kNormal, "close-replaced");
    asio::post(here->io(), [self, shared] { self->Establish(std::move(*shared)); });
  };
  asio::post(old->loop().io(), std::move(close));
}

void Peer::Install(Established established) {
  const ManagerOptions& options = core_->options();
  const LinkServices services = core_->services();
  LinkConfig config;
  config.session.checksums = UsesChecksums(options.local, host_);
  config.session.extensions = established.extensions;
  config.session.codec = services.codec;
  config.session.max_message_bytes = options.limits.max_message_bytes;
  config.session.reassembly = {.max_payload_bytes = options.limits.max_payload_bytes,
                               .max_reassembly_bytes = options.limits.max_reassembly_bytes,
                               .max_reassemblies = options.limits.max_reassemblies};
  config.session.max_output_bytes = options.limits.max_output_bytes;
  config.session.max_inflight = options.limits.max_inflight;
  config.session.max_window_bytes = options.limits.max_window_bytes;
  config.session.max_resets = options.limits.max_resets;
  config.session.resets_per_second = options.limits.resets_per_second;
  config.session.default_timeout = options.timeouts.request;
  config.session.ping_interval = options.timeouts.ping;
  config.session.stream_ping_interval = options.timeouts.stream_ping;
  config.session.first_generation = static_cast<uint32_t>(core_->Random());
  config.session.wall_start = core_->clock()->WallNow();
  config.write_stall = options.timeouts.write_stall;

  Caller caller;
  caller.host = host_;
  caller.is_client = is_client();
  caller.instance = established.instance;
  caller.address = established.transport->remote_address();
  caller.tls_subject = established.transport->tls_subject();

  IoLoop& loop = *established.loop;
  std::shared_ptr<Link> link;
  std::list<Waiter> waiting;
  std::string restarted;
  {
    std::lock_guard lock(mutex_);
    if (state_ == ConnectionState::kShutdown || established.activity == nullptr ||
        established.parked->closed()) {
      // Not from inside the transport's own callback.
      asio::post(loop.io(), [self = shared_from_this(), dropped = std::move(established)] {
        if (self->is_client()) self->core_->OnClientGone(*self);
      });
      return;
    }
    if (link_ == nullptr) {
      link = std::make_shared<Link>(config, services, loop, std::move(caller),
                                    std::move(established.transport), shared_from_this(),
                                    std::move(established.activity));
      link_ = link;
      serving_ = std::move(established.serving);
      peer_draining_ = false;
      state_ = ConnectionState::kConnected;
      last_error_.clear();
      failures_logged_.clear();
      if (totals_.connects++ > 0) ++totals_.reconnects;
      if (last_instance_.has_value()) {
        restarted = *last_instance_ == established.instance ? " again" : ", which has restarted";
      }
      last_instance_ = established.instance;
      waiting.swap(waiters_);
    }
  }
  // Another connection was installed meanwhile, on another loop: this one replaces it.
  if (link == nullptr) return Establish(std::move(established));
  local_[loop.index()] = link.get();
  link_loop_.store(&loop, std::memory_order_release);
  core_->Log(LogLevel::kInfo, absl::StrCat("connected to ", host_, restarted));
  const bool writing = established.writing && !established.parked->written();
  if (established.writing && !writing) established.first = Buffer();
  link->Start(std::move(established.first), writing);
  for (Waiter& waiter : waiting) waiter.ready(link);
  if (const auto deadline = core_->drain_deadline()) link->Drain(*deadline);
  link->Changed();
}

void Peer::OnLinkDown(Link& link, const absl::Status& why, std::string_view cause) {
  std::shared_ptr<Link> keep;  // not destroyed under the lock
  Activity serving;
  local_[link.loop().index()] = nullptr;
  bool redial = false;
  bool drained = false;
  {
    std::lock_guard lock(mutex_);
    if (link_.get() != &link) return;
    link_loop_.store(nullptr, std::memory_order_release);
    keep = std::move(link_);
    link_ = nullptr;
    serving = std::move(serving_);
    drained = std::exchange(peer_draining_, false);
    AddCounters(link.counters(), &totals_);
    Count(cause);
    last_error_ = std::string(why.message());
    if (state_ != ConnectionState::kShutdown) {
      state_ = ConnectionState::kConnecting;
      redial = dials_;
    }
  }
  core_->Log(LogLevel::kInfo,
             absl::StrCat(drained ? "end of the connection to " : "lost the connection to ", host_,
                          ": ", std::string(why.message())));
  if (is_client()) {
    core_->OnClientGone(*this);
    Shutdown(why, link.activity());
  }
  serving.reset();
  if (!redial) return;
  asio::post(home_.loop().io(), [self = shared_from_this()] {
    if (self->dialer_ != nullptr) self->dialer_->Redial();
  });
}

void Peer::Drain(TimePoint deadline) {
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    link = link_;
  }
  if (link == nullptr) return;
  asio::post(link->loop().io(),
             [link, deadline, activity = core_->activity()] { link->Drain(deadline); });
}

void Peer::OnLinkDrained(Link& link) {
  Activity serving;  // not given up under the lock
  std::lock_guard lock(mutex_);
  if (link_.get() == &link) serving = std::move(serving_);
}

void Peer::OnPeerDraining(Link& link) {
  {
    std::lock_guard lock(mutex_);
    if (link_.get() != &link) return;
    peer_draining_ = true;
    link_loop_.store(nullptr, std::memory_order_release);
  }
  core_->Log(LogLevel::kInfo, absl::StrCat(host_, " drains: it takes no new calls"));
}

void Peer::Shutdown(const absl::Status& why, Activity activity) {
  End(why, std::move(activity), "close-shutdown");
}

void Peer::Replace(Activity activity) {
  End(DisconnectedError("replaced by a new connection", Delivery::kMaybeExecuted),
      std::move(activity), "close-replaced");
}

void Peer::End(const absl::Status& why, Activity activity, std::string_view cause) {
  std::list<Waiter> waiting;
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    state_ = ConnectionState::kShutdown;
    shutdown_why_ = why;
    waiting.swap(waiters_);
    link = link_;
  }
  const absl::Status unsent = WithDelivery(why, Delivery::kNotSent);
  for (Waiter& waiter : waiting) waiter.ready(unsent);
  home_.loops->PostTo(home_.index, [&](asio::io_context* io) {
    if (io == nullptr) return;
    asio::post(*io, [self = shared_from_this(), activity] {
      self->dialer_.reset();
      self->wait_timer_.reset();
    });
  });
  if (link == nullptr) return;
  asio::post(link->loop().io(),
             [link, why, activity, cause] { link->Close(why, CloseCode::kGoingAway, cause); });
}

// --- Looking ---

ConnectionState Peer::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

ConnectionStats Peer::Stats() const {
  std::lock_guard lock(mutex_);
  ConnectionStats stats = totals_;
  stats.state = state_;
  if (link_ != nullptr) {
    AddCounters(link_->counters(), &stats);
    AddGauges(link_->counters(), core_->clock()->Now(), &stats);
  }
  return stats;
}

}  // namespace grid::internal
