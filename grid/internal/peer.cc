#include "grid/internal/peer.h"

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/dialer.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/stats_sum.h"
#include "grid/runtime/complete.h"
#include "grid/runtime/handshake.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

// Longest that the protocol's 32-bit field can say.
constexpr std::chrono::milliseconds kLongestTimeout{UINT32_MAX};
// A host that stays unreachable is logged at once, then this often.
constexpr std::chrono::hours kLogEvery{1};
// Reasons kept apart for that; a peer that makes up new ones can't grow the memory.
constexpr size_t kMaxReasons = 16;

// A request on its way to the link's thread.
class CallTask final : public LinkTask {
 public:
  // `options` but for the time, which is the deadline's.
  CallTask(HandlerId handler, const SubrouteId* subroute, Buffer payload, TimePoint deadline,
           const RequestOptions& options, const Compressed& compressed, Buffer metadata,
           ReplyHandler completion, std::shared_ptr<CallCancellation> cancellation)
      : handler_(handler),
        payload_(std::move(payload)),
        metadata_(std::move(metadata)),
        deadline_(deadline),
        priority_(options.priority),
        compression_(options.compression),
        compressed_(compressed),
        trace_(options.trace),
        completion_(std::move(completion)),
        cancellation_(std::move(cancellation)) {
    if (subroute != nullptr) subroute_ = *subroute;
  }

  void Run(Link& link) override {
    link.StartCall({.handler = handler_,
                    .subroute = subroute_.has_value() ? &*subroute_ : nullptr,
                    .payload = std::move(payload_),
                    .deadline = deadline_,
                    .priority = priority_,
                    .compression = compression_,
                    .compressed = compressed_,
                    .meta = {trace_, MetadataView::Of(metadata_)}},
                   std::move(completion_), cancellation_);
  }
  void Fail(const LoopRef& home, const absl::Status& why) {
    FailLater(home, std::move(completion_), why);
  }
  const std::shared_ptr<CallCancellation>& cancellation() const { return cancellation_; }

 private:
  const HandlerId handler_;
  std::optional<SubrouteId> subroute_;
  Buffer payload_;
  const Buffer metadata_;
  const TimePoint deadline_;
  const Priority priority_;
  const Compression compression_;
  const Compressed compressed_;  // what payload_ was
  const TraceContext trace_;
  ReplyHandler completion_;
  const std::shared_ptr<CallCancellation> cancellation_;
};

class CancelTask final : public LinkTask {
 public:
  explicit CancelTask(std::shared_ptr<CallCancellation> cancellation)
      : cancellation_(std::move(cancellation)) {}
  void Run(Link& link) override { link.CancelCall(*cancellation_); }

 private:
  const std::shared_ptr<CallCancellation> cancellation_;
};

class OpenTask final : public LinkTask {
 public:
  OpenTask(std::shared_ptr<StreamEnd> end, OutgoingStream out)
      : end_(std::move(end)), out_(std::move(out)) {}
  void Run(Link& link) override { end_->Open(link.shared_from_this(), out_); }
  void Fail(const absl::Status& why) { end_->Fail(why); }

 private:
  const std::shared_ptr<StreamEnd> end_;
  const OutgoingStream out_;
};

absl::Status InvalidHandler() {
  return WithDelivery(
      absl::InvalidArgumentError(absl::StrCat("handler id must be 1 to ", HandlerId::kMax)),
      Delivery::kNotSent);
}

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

// --- Waiting for a connection ---

absl::Status Peer::NotConnected() {
  if (state_ == ConnectionState::kShutdown) {
    return WithDelivery(shutdown_why_, Delivery::kNotSent);
  }
  if (peer_draining_) {
    Count(Drop::kPeerDraining);
    return WithDelivery(
        absl::UnavailableError(absl::StrCat(host_, " drains: it takes no new calls")),
        Delivery::kRejected);
  }
  return DisconnectedError(last_error_.empty()
                               ? absl::StrCat("not connected to ", host_)
                               : absl::StrCat("not connected to ", host_, ": ", last_error_),
                           Delivery::kNotSent);
}

// Without overflow.
TimePoint Peer::Deadline(TimePoint now, std::chrono::milliseconds timeout) {
  return now + std::clamp(timeout, std::chrono::milliseconds(-1), kLongestTimeout);
}
TimePoint Peer::Deadline(std::chrono::milliseconds timeout) const {
  return Deadline(core_->clock()->Now(), timeout);
}

// Returns the waiter's number; 0 when `ready` is on its way already.
absl::StatusOr<uint64_t> Peer::Wait(TimePoint deadline, Ready ready) {
  uint64_t number;
  {
    std::lock_guard lock(mutex_);
    if (state_ == ConnectionState::kShutdown) return NotConnected();
    if (const auto link = Usable(); link != nullptr) {
      // Connected since the caller looked. Posted with the lock held: as long as the link is ours,
      // its loop runs what it is given.
      asio::post(link->loop().io(), [link, ready = std::move(ready)]() mutable {
        ready(link);
        link->Changed();
      });
      return 0;
    }
    if (waiters_.size() >= core_->options().limits.max_waiting) {
      Count("waiting-limit");
      return WithDelivery(
          absl::ResourceExhaustedError(absl::StrCat(
              "max_waiting (", waiters_.size(), ") requests wait for the connection to ", host_)),
          Delivery::kRejected);
    }
    number = next_waiter_++;
    waiters_.push_back({number, deadline, std::move(ready)});
  }
  home_.loops->PostTo(home_.index, [&](asio::io_context* io) {
    if (io == nullptr) return;
    asio::post(*io, [self = shared_from_this()] { self->ExpireWaiters(); });
  });
  return number;
}

void Peer::EndWaiter(uint64_t number, const absl::Status& why) {
  std::list<Waiter> ended;
  {
    std::lock_guard lock(mutex_);
    for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
      if (it->number != number) continue;
      ended.splice(ended.begin(), waiters_, it);
      break;
    }
  }
  for (Waiter& waiter : ended) waiter.ready(why);
}

// Home loop: ends who has waited long enough, and sets the timer for the next.
void Peer::ExpireWaiters() {
  const TimePoint now = core_->clock()->Now();
  std::list<Waiter> expired;
  TimePoint next = TimePoint::max();
  absl::Status why;
  {
    std::lock_guard lock(mutex_);
    if (state_ == ConnectionState::kShutdown) return;
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      const auto current = it++;
      if (current->deadline <= now) {
        expired.splice(expired.end(), waiters_, current);
      } else {
        next = std::min(next, current->deadline);
      }
    }
    why = WithDelivery(
        absl::DeadlineExceededError(absl::StrCat("no connection to ", host_, " before the deadline",
                                                 last_error_.empty() ? "" : ": ", last_error_)),
        Delivery::kNotSent);
  }
  for (Waiter& waiter : expired) waiter.ready(why);
  if (next == TimePoint::max()) return;
  if (wait_timer_ == nullptr) {
    wait_timer_ = std::make_unique<LoopTimer>(home_.loop().io(), *core_->clock(),
                                              [this] { ExpireWaiters(); });
  }
  wait_timer_->Set(next);
}

void Peer::StartWaitConnected(std::chrono::milliseconds timeout, WriteHandler handler) {
  {
    std::lock_guard lock(mutex_);
    if (Usable() != nullptr) {
      return CompleteLater(home_, std::move(handler), absl::OkStatus());
    }
  }
  auto number = std::make_shared<std::atomic<uint64_t>>(0);
  auto slot = handler.cancellation_slot();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
      if (auto self = weak.lock())
        self->EndWaiter(number->load(), absl::CancelledError("cancelled"));
    });
  }
  auto shared = std::make_shared<WriteHandler>(std::move(handler));
  const auto waiting =
      Wait(Deadline(timeout), [shared, home = home_](absl::StatusOr<std::shared_ptr<Link>> link) {
        CompleteLater(home, std::move(*shared), link.status());
      });
  if (!waiting.ok()) return CompleteLater(home_, std::move(*shared), waiting.status());
  number->store(*waiting);
}

// --- Calls ---

Link* Peer::LinkHere() const {
  IoLoop* const loop = link_loop_.load(std::memory_order_acquire);
  return loop != nullptr && loop->RunningHere() ? local_[loop->index()] : nullptr;
}

void Peer::StartRequest(HandlerId handler, const SubrouteId* subroute, PayloadRef payload,
                        const RequestOptions& options, ReplyHandler completion) {
  const auto fail = [&](const absl::Status& why) { FailLater(home_, std::move(completion), why); };
  if (!handler.valid()) return fail(InvalidHandler());
  if (const absl::Status known = CheckDictionary(options.compression); !known.ok()) {
    return fail(known);
  }
  Link* const here = LinkHere();
  const TimePoint deadline =
      Deadline(here != nullptr ? here->Now() : core_->clock()->Now(),
               options.timeout.count() == 0 ? core_->options().timeouts.request : options.timeout);

  std::shared_ptr<CallCancellation> cancellation;
  auto slot = completion.cancellation_slot();
  auto waiter = std::shared_ptr<std::atomic<uint64_t>>();
  if (slot.is_connected()) {
    cancellation = std::make_shared<CallCancellation>();
    waiter = std::make_shared<std::atomic<uint64_t>>(0);
    slot.assign([weak = weak_from_this(), cancellation, waiter](asio::cancellation_type type) {
      if ((type & asio::cancellation_type::all) == asio::cancellation_type::none) return;
      if (auto self = weak.lock()) self->CancelRequest(cancellation, waiter->load());
    });
  }

  if (here != nullptr) {
    if (cancellation != nullptr) {
      std::lock_guard lock(cancellation->mutex);
      cancellation->link = here->weak_from_this();
    }
    return here->StartCall({.handler = handler,
                            .subroute = subroute,
                            .payload = payload,
                            .deadline = deadline,
                            .priority = options.priority,
                            .compression = options.compression,
                            .meta = {options.trace, options.metadata}},
                           std::move(completion), cancellation);
  }

  std::shared_ptr<Link> link;
  absl::Status none;
  {
    std::lock_guard lock(mutex_);
    link = Usable();
    if (link == nullptr && !options.wait_for_ready) none = NotConnected();
  }
  if (!none.ok()) return fail(none);
  const absl::Status fits = CheckPayload("a payload", payload.size());
  if (!fits.ok()) return fail(fits);
  OutgoingPayload out;
  if (link != nullptr) out = link->compressor().Compress(options.compression, payload.view());
  const Compressed compressed = out.compressed;
  auto call = std::make_unique<CallTask>(
      handler, subroute, out.Wire(payload).Take(*core_->pool()), deadline, options, compressed,
      core_->pool()->Copy(options.metadata.bytes()), std::move(completion), cancellation);
  if (link != nullptr) {
    if (cancellation != nullptr) {
      std::lock_guard lock(cancellation->mutex);
      cancellation->link = link;
    }
    CallTask* const raw = call.get();
    std::unique_ptr<LinkTask> task = std::move(call);
    if (!link->Post(task)) {
      raw->Fail(home_, DisconnectedError("the connection was lost", Delivery::kNotSent));
    }
    return;
  }
  auto shared = std::shared_ptr<CallTask>(std::move(call));
  const auto number =
      Wait(deadline, [shared, home = home_](absl::StatusOr<std::shared_ptr<Link>> ready) {
        if (!ready.ok()) return shared->Fail(home, ready.status());
        if (shared->cancellation() != nullptr) {
          std::lock_guard lock(shared->cancellation()->mutex);
          shared->cancellation()->link = *ready;
        }
        shared->Run(**ready);
      });
  if (!number.ok()) return shared->Fail(home_, number.status());
  if (waiter == nullptr) return;
  waiter->store(*number);
  // A cancellation that came before the number was known found nobody to end.
  if (cancellation->IsCancelled()) CancelRequest(cancellation, *number);
}

void Peer::CancelRequest(const std::shared_ptr<CallCancellation>& cancellation, uint64_t waiter) {
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(cancellation->mutex);
    cancellation->cancelled = true;
    link = cancellation->link.lock();
  }
  if (link != nullptr) {
    std::unique_ptr<LinkTask> task = std::make_unique<CancelTask>(cancellation);
    link->Post(task);  // down: the call has been completed
    return;
  }
  EndWaiter(waiter, WithDelivery(absl::CancelledError("cancelled"), Delivery::kNotSent));
}

absl::StatusOr<Stream> Peer::OpenStream(HandlerId handler, const SubrouteId* subroute,
                                        BytesView initial, const StreamOptions& options) {
  if (!handler.valid()) return InvalidHandler();
  if (options.timeout.count() < 0) {
    return WithDelivery(absl::DeadlineExceededError("the time-out is negative"),
                        Delivery::kNotSent);
  }
  absl::Status fits = CheckPayload("an initial payload", initial.size());
  if (fits.ok()) fits = CheckDictionary(options.compression);
  if (!fits.ok()) return fits;
  OutgoingStream out;
  out.handler = handler;
  if (subroute != nullptr) out.subroute = *subroute;
  out.has_input = options.has_input;
  out.in_capacity = options.in_capacity;
  out.out_capacity = options.out_capacity;
  out.window = options.window;
  out.read_pieces = options.read_pieces;
  out.priority = options.priority;
  out.trace = options.trace;
  out.metadata = core_->pool()->Copy(options.metadata.bytes());
  if (options.timeout.count() > 0) out.deadline = Deadline(options.timeout);

  auto end =
      std::make_shared<StreamEnd>(core_->pool(), home_, options.compression, out.read_pieces);
  if (Link* link = LinkHere(); link != nullptr) {
    out.initial = core_->pool()->Copy(initial);
    end->Open(link->shared_from_this(), out);
    return Stream(std::move(end));
  }
  std::shared_ptr<Link> link;
  absl::Status none;
  {
    std::lock_guard lock(mutex_);
    link = Usable();
    if (link == nullptr && !options.wait_for_ready) none = NotConnected();
  }
  if (!none.ok()) return none;
  OutgoingPayload payload;
  if (link != nullptr) payload = link->compressor().Compress(options.compression, initial);
  out.compressed = payload.compressed;
  out.initial = payload.Wire(initial).Take(*core_->pool());
  auto open = std::make_unique<OpenTask>(end, std::move(out));
  if (link != nullptr) {
    std::unique_ptr<LinkTask> task = std::move(open);
    if (!link->Post(task)) {
      return DisconnectedError("the connection was lost", Delivery::kNotSent);
    }
    return Stream(std::move(end));
  }
  const TimePoint until =
      Deadline(options.timeout.count() > 0 ? options.timeout : core_->options().timeouts.request);
  auto shared = std::shared_ptr<OpenTask>(std::move(open));
  const auto number = Wait(until, [shared](absl::StatusOr<std::shared_ptr<Link>> ready) {
    if (!ready.ok()) return shared->Fail(ready.status());
    shared->Run(**ready);
  });
  if (!number.ok()) return number.status();
  return Stream(std::move(end));
}

// What no session would take is refused before it is copied; the session says and counts the same.
absl::Status Peer::CheckPayload(std::string_view what, size_t bytes) {
  const Limits& limits = core_->options().limits;
  const bool fragments = core_->extensions(ManagerCore::Side::kDialer).fragments != 0;
  const size_t limit = fragments ? std::max(limits.max_message_bytes, limits.max_payload_bytes)
                                 : limits.max_message_bytes;
  if (bytes <= limit) return absl::OkStatus();
  {
    std::lock_guard lock(mutex_);
    Count(Drop::kMessageTooBig);
  }
  return WithDelivery(
      absl::InvalidArgumentError(absl::StrCat(
          absl::string_view(what.data(), what.size()), " of ", bytes, " bytes exceeds ",
          fragments ? "max_payload_bytes" : "max_message_bytes", " (", limit, ")")),
      Delivery::kNotSent);
}

// One that nobody has would go unnoticed otherwise.
absl::Status Peer::CheckDictionary(const Compression& compression) const {
  if (compression.dictionary == 0 || core_->HasDictionary(compression.dictionary)) {
    return absl::OkStatus();
  }
  return WithDelivery(
      absl::InvalidArgumentError(absl::StrCat("there is no dictionary ", compression.dictionary,
                                              " among ManagerOptions::dictionaries")),
      Delivery::kNotSent);
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
