// ManagerCore: what a Manager is made of; shared with everything that must not outlive it.
//
// Life: made -> Start -> StopAsync -> idle (every link gone, every handler returned) -> Join.
// Thread-safe.
#ifndef GRID_GRID_INTERNAL_MANAGER_CORE_H_
#define GRID_GRID_INTERNAL_MANAGER_CORE_H_

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grid/manager.h"
#include "grid/options.h"
#include "grid/runtime/activity.h"
#include "grid/runtime/io_loop.h"
#include "grid/runtime/link.h"
#include "grid/runtime/worker_pool.h"
#include "grid/stats.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/network.h"
#include "handlers/handler_table.h"
#include "serialization/buffer_pool.h"
#include "serialization/control_payloads.h"

namespace grid::internal {

class Adopter;
class Incoming;
class Peer;

// The label of a refusal in the counters.
std::string_view RefusalName(HttpRefusal refusal);

// Room for one connection that somebody else accepted: what Adopter::Adopt wants to know.
struct AcceptPlace {
  std::shared_ptr<Adopter> adopter;
  asio::io_context* io = nullptr;
  Admission admission;
  Activity activity;  // until Adopt has begun: `io` must run
};

class ManagerCore final : public std::enable_shared_from_this<ManagerCore> {
 public:
  explicit ManagerCore(ManagerOptions options);
  ~ManagerCore();

  absl::Status Start();
  absl::StatusOr<uint16_t> Listen(const std::string& address);
  // kFailedPrecondition when the manager does not run, kResourceExhausted (counted) when
  // max_pre_handshake connections are in their handshake.
  absl::StatusOr<AcceptPlace> ReserveAccept();
  // Calls `stopped` once all is over, on whatever thread ends last; at once when it is already.
  void StopAsync(absl::AnyInvocable<void()> stopped);
  void Drain(std::chrono::milliseconds limit, absl::AnyInvocable<void()> stopped);
  // While we drain: when that ends at the latest.
  std::optional<TimePoint> drain_deadline() const;
  // A share in what Drain waits for, for each connection that calls may come over: taken before its
  // peer can think itself connected, kept until no more come and none runs. Null once a drain is
  // over: none may be made then. Dropped without a lock, as that may begin to stop.
  Activity serving() const;
  // After `stopped`: ends the threads. Not on one of them.
  void Join();
  // The Manager is gone: lets go of the peers and handlers, which share this.
  void Clear();
  bool OnOwnThread() const;

  absl::Status AddPeer(const std::string& host);
  absl::Status RemovePeer(const std::string& host);
  std::vector<std::string> Peers() const;
  // A Peer for a client that has just shown who it is; in the place of an earlier one. Null,
  // counted nowhere, when there are max_clients.
  std::shared_ptr<Peer> AddClient(const std::string& host);
  // For the Peer of a client: its connection has ended.
  void OnClientGone(Peer& client);
  // Null when `host` is no peer, and no client that is connected.
  std::shared_ptr<Peer> FindPeer(const std::string& host) const;
  // For a host that is no peer: one whose calls fail.
  std::shared_ptr<Peer> FindOrMissing(const std::string& host);
  ManagerStats Stats() const;

  const ManagerOptions& options() const { return options_; }
  HandlerTable& handlers() { return *handlers_; }
  const std::shared_ptr<Clock>& clock() const { return options_.clock; }
  const std::shared_ptr<Network>& network() const { return network_; }
  const std::shared_ptr<IoLoops>& loops() const { return loops_; }
  const std::shared_ptr<BufferPool>& pool() const { return pool_; }
  const InstanceId& instance() const { return instance_; }
  // What we announce when we dial, and when we accept.
  enum class Side { kDialer, kAcceptor };
  Extensions extensions(Side side) const;
  LinkServices services();
  bool HasDictionary(uint32_t id) const {
    return codec_.ok() && (*codec_)->dictionaries().contains(id);
  }
  // A share in what Stop waits for; null once everything has ended.
  Activity activity() const;

  // `host` is empty before Connect has named one.
  bool TokenAllowed(std::string_view token, std::string_view host) const;
  absl::StatusOr<std::string> MakeToken(const std::string& host) const;
  void Log(LogLevel level, std::string_view message) const { options_.log->Log(level, message); }
  uint64_t Random();
  std::chrono::nanoseconds RandomBetween(std::chrono::nanoseconds least,
                                         std::chrono::nanoseconds most);
  void CountRefused(std::string_view reason);
  void Forget(Incoming* incoming);

 private:
  enum class Phase { kNew, kRunning, kStopping, kStopped };

  // Route, token, gate and callbacks of a listener.
  ListenRequest NewListenRequest();
  TransportLimits NetworkLimits() const;
  void OnAccept(AcceptedTransport accepted);
  void OnIdle();
  void OnPassed();
  void StartDrainTimer(TimePoint deadline);
  std::vector<std::shared_ptr<Peer>> AllPeers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ManagerOptions options_;
  const std::shared_ptr<Authenticator> authenticator_;
  std::unique_ptr<HandlerTable> handlers_ = std::make_unique<HandlerTable>();  // until Clear
  const std::shared_ptr<BufferPool> pool_;
  const absl::StatusOr<std::shared_ptr<ZstdCodec>> codec_;  // Start tells its error
  std::shared_ptr<IoLoops> loops_;
  WorkerPool workers_;
  InstanceId instance_{};
  std::shared_ptr<Network> network_;  // set by Start

  std::unique_ptr<LoopTimer> drain_timer_;  // first loop only

  std::mutex join_mutex_;  // of Join, which waits with it
  mutable std::mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kNew;
  Activity activity_ ABSL_GUARDED_BY(mutex_);  // our own share: given up by StopAsync
  std::weak_ptr<void> shares_ ABSL_GUARDED_BY(mutex_);
  Activity serving_ ABSL_GUARDED_BY(mutex_);  // our own share: given up by Drain
  std::weak_ptr<void> serving_shares_ ABSL_GUARDED_BY(mutex_);
  std::optional<TimePoint> drain_deadline_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::AnyInvocable<void()>> on_stopped_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Peer>> peers_ ABSL_GUARDED_BY(mutex_);
  size_t clients_ ABSL_GUARDED_BY(mutex_) = 0;  // of peers_
  ConnectionStats clients_gone_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Adopter> adopter_ ABSL_GUARDED_BY(mutex_);  // made when first needed
  std::vector<std::shared_ptr<HandshakeGate>> gates_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Incoming*> incoming_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> refused_ ABSL_GUARDED_BY(mutex_);
  uint64_t accepted_ ABSL_GUARDED_BY(mutex_) = 0;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
};

// The way from the public handle to what it is made of, for the rest of the library.
struct CoreAccess {
  static std::shared_ptr<ManagerCore> Of(const Manager& manager) { return manager.core_; }
};

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_MANAGER_CORE_H_
