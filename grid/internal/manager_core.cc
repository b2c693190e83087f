#include "grid/internal/manager_core.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/authenticator.h"
#include "grid/internal/incoming.h"
#include "grid/internal/peer.h"
#include "grid/internal/stats_sum.h"
#include "grid/mux/mux_table.h"
#include "grid/runtime/handshake.h"
#include "grid/transport/adopter.h"
#include "grid/transport/beast_network.h"
#include "grid/transport/url.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

ManagerOptions WithDefaults(ManagerOptions options) {
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  return options;
}

std::shared_ptr<IoLoops> MakeLoops(const ManagerOptions& options) {
  if (!options.io_contexts.empty()) return std::make_shared<IoLoops>(options.io_contexts);
  return std::make_shared<IoLoops>(std::clamp(options.io_threads, 1, 256), options.poll_budget);
}

std::mt19937_64 MakeRandom(uint64_t seed) {
  if (seed != 0) return std::mt19937_64(seed);
  std::random_device device;
  std::seed_seq words{device(), device(), device(), device()};
  return std::mt19937_64(words);
}

absl::Status OutOfRange(std::string_view field, std::string_view range) {
  return absl::InvalidArgumentError(
      absl::StrCat("ManagerOptions::", std::string(field), " must be ", std::string(range)));
}

}  // namespace

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

ManagerCore::ManagerCore(ManagerOptions options)
    : options_(WithDefaults(std::move(options))),
      authenticator_(options_.authenticator != nullptr ? options_.authenticator
                                                       : MakeStaticAuthenticator({options_.token})),
      pool_(BufferPool::Create({.budget_bytes = options_.limits.max_buffered_bytes})),
      codec_(ZstdCodec::Create(options_.dictionaries)),
      loops_(MakeLoops(options_)),
      workers_(std::clamp(options_.worker_threads, 1, 4096), options_.limits.max_worker_queue,
               options_.worker_executor),
      random_(MakeRandom(options_.seed)) {
  for (size_t i = 0; i < instance_.size(); i += sizeof(uint64_t)) {
    const uint64_t word = random_();
    std::memcpy(instance_.data() + i, &word, sizeof(word));
  }
  instance_[6] = static_cast<uint8_t>((instance_[6] & 0x0f) | 0x40);  // a random UUID, RFC 4122
  instance_[8] = static_cast<uint8_t>((instance_[8] & 0x3f) | 0x80);
  if (codec_.ok()) handlers_->set_dictionaries((*codec_)->dictionaries());
}

ManagerCore::~ManagerCore() = default;

// --- Life ---

absl::Status ManagerCore::CheckOptions() const {
  const auto url = ParseHostUrl(options_.local);
  if (options_.client && !options_.extensions.client) {
    return absl::InvalidArgumentError(
        "ManagerOptions::client: extensions.client must be offered, too");
  }
  if (options_.client && !IsClientName(options_.local)) {
    return OutOfRange("local", "1 to 255 printable characters without spaces");
  }
  if (!options_.client && !url.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ManagerOptions::local: ", std::string(url.status().message())));
  }
  if (options_.route.empty() || options_.route[0] != '/') {
    return OutOfRange("route", "a path that begins with /");
  }
  if (options_.authenticator != nullptr && !options_.token.empty()) {
    return absl::InvalidArgumentError(
        "ManagerOptions::token and authenticator: only one of them may be set");
  }
  if (options_.io_threads < 1 || options_.io_threads > 256) {
    return OutOfRange("io_threads", "1 to 256");
  }
  if (options_.worker_threads < 1 || options_.worker_threads > 4096) {
    return OutOfRange("worker_threads", "1 to 4096");
  }
  if (options_.poll_budget.count() < 0 || options_.poll_budget > std::chrono::milliseconds(1)) {
    return OutOfRange("poll_budget", "0 to 1 ms");
  }
  const Limits& limits = options_.limits;
  if (limits.max_message_bytes < 1024)
    return OutOfRange("limits.max_message_bytes", "1024 or more");
  if (limits.max_message_bytes > UINT32_MAX) {
    return OutOfRange("limits.max_message_bytes", "at most 4 GiB");
  }
  if (limits.max_payload_bytes < 1024) {
    return OutOfRange("limits.max_payload_bytes", "1024 or more");
  }
  if (limits.max_reassemblies < 1) return OutOfRange("limits.max_reassemblies", "at least 1");
  const uint32_t fragment = options_.extensions.fragment_bytes;
  if (fragment != 0 && (fragment < kMinFragmentBytes || fragment > 16u << 20)) {
    return OutOfRange("extensions.fragment_bytes", "0, or 1 KiB to 16 MiB");
  }
  if (options_.extensions.zstd_level > static_cast<uint32_t>(ZstdCodec::kMaxLevel)) {
    return OutOfRange("extensions.zstd_level", "0 to 12");
  }
  if (!codec_.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ManagerOptions::dictionaries: ", std::string(codec_.status().message())));
  }
  if (limits.max_inflight < 1 || limits.max_inflight >= 1u << MuxTable::kIndexBits) {
    return OutOfRange("limits.max_inflight", "1 to 1048575");
  }
  for (const auto& [name, value] : {std::pair("max_resets", limits.max_resets),
                                    std::pair("resets_per_second", limits.resets_per_second)}) {
    if (value < 1 || value > 1'000'000'000) {
      return OutOfRange(absl::StrCat("limits.", name), "1 to 1000000000");
    }
  }
  const Timeouts& timeouts = options_.timeouts;
  for (const auto& [name, value] :
       {std::pair("request", timeouts.request), std::pair("dial", timeouts.dial),
        std::pair("redial_min", timeouts.redial_min), std::pair("handshake", timeouts.handshake),
        std::pair("ping", timeouts.ping), std::pair("stream_ping", timeouts.stream_ping),
        std::pair("write_stall", timeouts.write_stall), std::pair("close", timeouts.close)}) {
    if (value.count() < 1) return OutOfRange(absl::StrCat("timeouts.", name), "at least 1 ms");
  }
  if (timeouts.redial_max < timeouts.redial_min) {
    return OutOfRange("timeouts.redial_max", "at least redial_min");
  }
  return absl::OkStatus();
}

absl::Status ManagerCore::Start() {
  absl::Status checked = CheckOptions();
  if (!checked.ok()) return checked;
  std::shared_ptr<Network> network = options_.network;
  if (network == nullptr) {
    TlsOptions tls;
    tls.certificate_file = options_.tls.certificate_file;
    tls.key_file = options_.tls.key_file;
    tls.ca_file = options_.tls.ca_file;
    tls.require_client_certificate = options_.tls.require_client_certificate;
    auto made =
        MakeBeastNetwork(tls, NetworkLimits(), options_.sockets, options_.clock, options_.log);
    if (!made.ok()) return made.status();
    network = *std::move(made);
  }
  std::vector<std::shared_ptr<Peer>> peers;
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kNew) {
      return absl::FailedPreconditionError(
          phase_ == Phase::kRunning ? "the manager has been started already"
                                    : "the manager has been stopped and can't start again");
    }
    // With the lock held: a peer added, or a stop asked for, from now on finds the threads running.
    workers_.Start();
    loops_->Start();
    phase_ = Phase::kRunning;
    network_ = std::move(network);
    activity_ = MakeActivity([self = shared_from_this()] { self->OnIdle(); });
    shares_ = activity_;
    serving_ = MakeActivity([self = shared_from_this()] { self->StopAsync([] {}); });
    serving_shares_ = serving_;
    peers = AllPeers();
  }
  if (options_.authenticator == nullptr && options_.token.empty()) {
    Log(LogLevel::kInfo, options_.extensions.client && !options_.client
                             ? "no token is set: everybody may connect, as a peer or as a client"
                             : "no token is set: every host that is a peer may connect");
  }
  for (const auto& peer : peers) peer->Start();
  return absl::OkStatus();
}

TransportLimits ManagerCore::NetworkLimits() const {
  TransportLimits limits;
  limits.max_message_bytes = options_.limits.max_message_bytes;
  limits.close_timeout = options_.timeouts.close;
  return limits;
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

void ManagerCore::Drain(std::chrono::milliseconds limit, absl::AnyInvocable<void()> stopped) {
  constexpr std::chrono::milliseconds kLongest{UINT32_MAX};
  const TimePoint deadline =
      clock()->Now() + std::clamp(limit, std::chrono::milliseconds(0), kLongest);
  std::vector<std::shared_ptr<Peer>> peers;
  Activity activity, serving;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kRunning) {
      on_stopped_.push_back(std::move(stopped));
      stopped = nullptr;
      if (drain_deadline_.has_value()) return;
      drain_deadline_ = deadline;
      activity = activity_;
      serving = std::move(serving_);
      peers = AllPeers();
    }
  }
  if (stopped != nullptr) return StopAsync(std::move(stopped));
  const ConnectionStats now = Stats().total;
  Log(LogLevel::kInfo, absl::StrCat("draining: ", now.incoming_requests, " requests and ",
                                    now.incoming_streams, " streams are being served"));
  loops_->PostTo(0, [&](asio::io_context* io) {
    if (io == nullptr) return;
    asio::post(
        *io, [self = shared_from_this(), activity, deadline] { self->StartDrainTimer(deadline); });
  });
  for (const auto& peer : peers) peer->Drain(deadline);
}

void ManagerCore::StartDrainTimer(TimePoint deadline) {
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kRunning) return;
  }
  drain_timer_ = std::make_unique<LoopTimer>(loops_->at(0).io(), *clock(), [this] {
    Log(LogLevel::kWarning, "the drain took too long: what runs is cancelled");
    StopAsync([] {});
  });
  drain_timer_->Set(deadline);
}

std::optional<TimePoint> ManagerCore::drain_deadline() const {
  std::lock_guard lock(mutex_);
  return drain_deadline_;
}

Activity ManagerCore::serving() const {
  std::lock_guard lock(mutex_);
  return serving_shares_.lock();
}

std::vector<std::shared_ptr<Peer>> ManagerCore::AllPeers() const {
  std::vector<std::shared_ptr<Peer>> peers;
  for (const auto& [host, peer] : peers_) peers.push_back(peer);
  return peers;
}

void ManagerCore::StopAsync(absl::AnyInvocable<void()> stopped) {
  std::vector<std::shared_ptr<Peer>> peers;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::shared_ptr<Adopter> adopter;
  Activity activity, serving;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kNew || phase_ == Phase::kRunning) peers = AllPeers();
    if (phase_ == Phase::kNew) phase_ = Phase::kStopped;
    if (phase_ != Phase::kStopped) {
      on_stopped_.push_back(std::move(stopped));
      stopped = nullptr;
    }
    if (phase_ == Phase::kRunning) {
      phase_ = Phase::kStopping;
      activity = std::move(activity_);
      activity_ = nullptr;
      serving = std::move(serving_);
      listeners.swap(listeners_);
      adopter.swap(adopter_);
      // Each takes itself out, under this lock, before it goes away.
      for (Incoming* incoming : incoming_) incoming->Cancel();
    }
  }
  listeners.clear();
  if (adopter != nullptr) adopter->Stop();
  adopter.reset();
  const absl::Status why =
      DisconnectedError("the manager has been stopped", Delivery::kMaybeExecuted);
  for (const auto& peer : peers) peer->Shutdown(why, activity);
  if (activity != nullptr) {
    loops_->PostTo(0, [&](asio::io_context* io) {
      if (io == nullptr) return;
      asio::post(*io, [self = shared_from_this(), activity] { self->drain_timer_.reset(); });
    });
  }
  activity.reset();
  if (stopped != nullptr) stopped();
}

void ManagerCore::OnIdle() {
  // What the last events posted (completions, the listeners' end) runs before `stopped` is called:
  // every loop is passed once more.
  const Activity passing = MakeActivity([self = shared_from_this()] { self->OnPassed(); });
  for (size_t i = 0; i < loops_->size(); ++i) {
    loops_->PostTo(i, [&](asio::io_context* io) {
      if (io != nullptr) asio::post(*io, [passing] {});
    });
  }
}

void ManagerCore::OnPassed() {
  // The host program may destroy its io_contexts as soon as it is told, while handles remain.
  if (!options_.io_contexts.empty()) loops_->Stop();
  std::vector<absl::AnyInvocable<void()>> stopped;
  {
    std::lock_guard lock(mutex_);
    phase_ = Phase::kStopped;
    stopped.swap(on_stopped_);
  }
  for (auto& callback : stopped) callback();
}

void ManagerCore::Join() {
  std::lock_guard lock(join_mutex_);
  workers_.Stop();
  loops_->Stop();
}

void ManagerCore::Clear() {
  std::map<std::string, std::shared_ptr<Peer>> peers;
  std::unique_ptr<HandlerTable> handlers;
  std::lock_guard lock(mutex_);
  peers.swap(peers_);
  // Handlers may own Connections, and those share this.
  if (phase_ == Phase::kStopped) handlers = std::move(handlers_);
}

bool ManagerCore::OnOwnThread() const { return loops_->RunningHere() || workers_.RunningHere(); }

// --- Peers ---

absl::Status ManagerCore::AddPeer(const std::string& host) {
  const auto url = ParseHostUrl(host);
  if (!url.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("peer ", host, ": ", std::string(url.status().message())));
  }
  if (host == options_.local) {
    return absl::InvalidArgumentError(absl::StrCat("peer ", host, " is this manager itself"));
  }
  std::shared_ptr<Peer> peer, client;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kStopping || phase_ == Phase::kStopped) {
      return absl::FailedPreconditionError("the manager has been stopped");
    }
    std::shared_ptr<Peer>& place = peers_[host];
    if (place != nullptr && !place->is_client()) {
      return absl::AlreadyExistsError(absl::StrCat(host, " is a peer already"));
    }
    if (place != nullptr) --clients_;
    client = std::move(place);
    peer = std::make_shared<Peer>(shared_from_this(), host, loops_->Next().index());
    place = peer;
    if (phase_ != Phase::kRunning) return absl::OkStatus();
  }
  if (client != nullptr) client->Replace(activity());
  peer->Start();
  return absl::OkStatus();
}

std::shared_ptr<Peer> ManagerCore::AddClient(const std::string& host) {
  auto client =
      std::make_shared<Peer>(shared_from_this(), host, loops_->Next().index(), Peer::Kind::kClient);
  std::shared_ptr<Peer> earlier;
  {
    std::lock_guard lock(mutex_);
    const auto at = peers_.find(host);
    const bool is_free = at == peers_.end();
    if (is_free && clients_ >= options_.limits.max_clients) return nullptr;
    if (phase_ != Phase::kRunning || (!is_free && !at->second->is_client())) {
      // We stop, or it has just been made a member: its connection is dropped.
      client->Shutdown(DisconnectedError("no place for a client", Delivery::kNotSent), nullptr);
    } else if (is_free) {
      peers_.emplace(host, client);
      ++clients_;
    } else {
      earlier = std::exchange(at->second, client);
    }
  }
  if (earlier != nullptr) earlier->Replace(activity());
  return client;
}

void ManagerCore::OnClientGone(Peer& client) {
  const ConnectionStats stats = client.Stats();
  std::lock_guard lock(mutex_);
  AddStats(stats, &clients_gone_);
  const auto at = peers_.find(client.host());
  // Another one may have its place.
  if (at == peers_.end() || at->second.get() != &client) return;
  peers_.erase(at);
  --clients_;
}

absl::Status ManagerCore::RemovePeer(const std::string& host) {
  std::shared_ptr<Peer> peer;
  {
    std::lock_guard lock(mutex_);
    const auto it = peers_.find(host);
    if (it == peers_.end()) return absl::NotFoundError(absl::StrCat(host, " is no peer"));
    peer = std::move(it->second);
    if (peer->is_client()) --clients_;
    peers_.erase(it);
  }
  peer->Shutdown(DisconnectedError(absl::StrCat(host, " was removed"), Delivery::kMaybeExecuted),
                 activity());
  return absl::OkStatus();
}

std::vector<std::string> ManagerCore::Peers() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> hosts;
  for (const auto& [host, peer] : peers_) {
    if (!peer->is_client()) hosts.push_back(host);
  }
  return hosts;
}

std::shared_ptr<Peer> ManagerCore::FindPeer(const std::string& host) const {
  std::lock_guard lock(mutex_);
  const auto it = peers_.find(host);
  return it == peers_.end() ? nullptr : it->second;
}

std::shared_ptr<Peer> ManagerCore::FindOrMissing(const std::string& host) {
  if (auto peer = FindPeer(host)) return peer;
  auto missing = std::make_shared<Peer>(shared_from_this(), host, 0);
  missing->Shutdown(absl::NotFoundError(absl::StrCat(host, " is no peer: AddPeer first")), nullptr);
  return missing;
}

// --- Services ---

Extensions ManagerCore::extensions(Side side) const {
  const ExtensionOptions& offered = options_.extensions;
  // A batch of small fragments must fit into a message, and so must a large one with its header.
  const size_t message = options_.limits.max_message_bytes;
  const size_t fragment = message < 2 * OutputQueue::kBatchBytes
                              ? 0
                              : std::min<size_t>(offered.fragment_bytes, message - 1024);
  // The dialer says that it is one, the acceptor that it takes them.
  const bool client = side == Side::kDialer ? options_.client : offered.client;
  const bool zstd = offered.zstd_level != 0 && codec_.ok();
  return {.credits = offered.credits,
          .fragments = static_cast<uint32_t>(fragment),
          .zstd = zstd ? offered.zstd_level : 0,
          .meta = offered.meta,
          .status = offered.status,
          .handlers16 = offered.handlers16,
          .goaway = offered.goaway,
          .client = client,
          .dictionaries = zstd ? (*codec_)->dictionaries() : DictionaryIds()};
}

LinkServices ManagerCore::services() {
  return {options_.clock, handlers_.get(), pool_, &workers_, codec_.ok() ? *codec_ : nullptr,
          loops_};
}

Activity ManagerCore::activity() const {
  std::lock_guard lock(mutex_);
  return shares_.lock();
}

bool ManagerCore::TokenAllowed(std::string_view token, std::string_view host) const {
  const absl::Status checked = authenticator_->CheckToken(token, host);
  if (!checked.ok()) {
    Log(LogLevel::kDebug, absl::StrCat("refused a token: ", std::string(checked.message())));
  }
  return checked.ok();
}

absl::StatusOr<std::string> ManagerCore::MakeToken(const std::string& host) const {
  return authenticator_->MakeToken(options_.local, host);
}

uint64_t ManagerCore::Random() {
  std::lock_guard lock(mutex_);
  return random_();
}

std::chrono::nanoseconds ManagerCore::RandomBetween(std::chrono::nanoseconds least,
                                                    std::chrono::nanoseconds most) {
  std::lock_guard lock(mutex_);
  return std::chrono::nanoseconds(
      std::uniform_int_distribution<int64_t>(least.count(), most.count())(random_));
}

void ManagerCore::CountRefused(std::string_view reason) {
  std::lock_guard lock(mutex_);
  ++refused_[std::string(reason)];
}

ManagerStats ManagerCore::Stats() const {
  ManagerStats stats;
  std::vector<std::shared_ptr<Peer>> peers;
  {
    std::lock_guard lock(mutex_);
    peers = AllPeers();
    stats.total = clients_gone_;
    stats.clients = clients_;
    stats.draining = drain_deadline_.has_value() ? 1 : 0;
    stats.accepted = accepted_;
    stats.refused = refused_;
    for (const auto& gate : gates_) {
      stats.handshakes_pending += static_cast<uint64_t>(std::max(0, gate->pending()));
    }
  }
  stats.total.host = options_.local;
  for (const auto& peer : peers) {
    ConnectionStats one = peer->Stats();
    AddStats(one, &stats.total);
    stats.peers.emplace(peer->host(), std::move(one));
  }
  stats.worker_queue = workers_.waiting();
  const BufferPoolStats pool = pool_->Stats();
  stats.buffer_bytes_in_use = pool.bytes_in_use;
  stats.buffer_bytes_retained = pool.bytes_retained;
  return stats;
}

}  // namespace grid::internal
