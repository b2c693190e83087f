#include "grid/internal/manager_core.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/authenticator.h"
#include "grid/internal/check_options.h"
#include "grid/internal/peer.h"
#include "grid/internal/stats_sum.h"
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

}  // namespace

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

absl::Status ManagerCore::Start() {
  absl::Status checked = CheckOptions(options_);
  if (!checked.ok()) return checked;
  if (!codec_.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ManagerOptions::dictionaries: ", std::string(codec_.status().message())));
  }
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

std::vector<std::shared_ptr<Peer>> ManagerCore::AllPeers() const {
  std::vector<std::shared_ptr<Peer>> peers;
  for (const auto& [host, peer] : peers_) peers.push_back(peer);
  return peers;
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
  stats.buffers_taken = pool.taken;
  stats.buffers_allocated = pool.allocated;
  stats.buffers_refused = pool.refused;
  return stats;
}

}  // namespace grid::internal
