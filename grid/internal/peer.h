// Peer: everything about one remote host that outlives a connection to it: its state, who waits for
// it, its totals; and, while connected, its Link.
//
// Owned by the ManagerCore; handles (Connection, Subroute) share it and may keep it longer.
// Thread-safe unless a function says otherwise.
//
//                 +-------------- the pause is over --------------+
//                 v                                               |
//   kUnconnected -+-> kConnecting --- refused, unreachable --> kConnectionError
//                        |    ^
//          established   |    |  lost
//                        v    |                any --- RemovePeer, Stop ---> kShutdown
//                      kConnected
//
// The side that is dialled goes from kUnconnected to kConnected, and back to kConnecting.
#ifndef GRID_GRID_INTERNAL_PEER_H_
#define GRID_GRID_INTERNAL_PEER_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grid/options.h"
#include "grid/runtime/link.h"
#include "grid/runtime/stream_end.h"
#include "grid/stats.h"
#include "handlers/requester.h"
#include "serialization/subroute_id.h"

namespace grid::internal {

class ManagerCore;
class Dialer;

// Holds a transport between its handshake and its link, while the link before it ends: notes
// whether the connection was lost meanwhile. Nothing may be sent before the ConnectResponse, so
// what arrives is dropped.
class ParkedTransport final : public TransportHandler {
 public:
  void OnMessage(BytesView) override {}
  void OnWritten() override { written_ = true; }
  void OnClosed(CloseCause, std::string_view) override { closed_ = true; }
  bool written() const { return written_; }
  bool closed() const { return closed_; }

 private:
  bool written_ = false;
  bool closed_ = false;
};

// A connection whose handshake has succeeded, about to become a Link.
struct Established {
  Activity activity;                             // what Stop waits for, until the link has it
  Activity serving;                              // what Drain waits for, until the link has drained
  std::unique_ptr<ParkedTransport> parked = {};  // outlives the transport
  Buffer first;  // to be written first: the acceptor's ConnectResponse; outlives the transport
  bool writing = false;  // or being written already: the dialler's ConnectRequest
  std::unique_ptr<Transport> transport;
  IoLoop* loop = nullptr;
  InstanceId instance{};  // of the remote process
  Extensions extensions;  // that both speak
};

class Peer final : public LinkOwner, public std::enable_shared_from_this<Peer> {
 public:
  // A member of the mesh, or a client of ours, which lives as long as its one connection.
  enum class Kind { kMember, kClient };

  // `core` outlives every use but those of handles, which come after Shutdown.
  Peer(std::shared_ptr<ManagerCore> core, std::string host, size_t home, Kind kind = Kind::kMember);
  ~Peer();

  const std::string& host() const { return host_; }
  bool is_client() const { return kind_ == Kind::kClient; }

  // Begins to dial, if that is our side's part.
  void Start();
  // Ends the connection and all that waits, for good. `activity` is held until that is done.
  void Shutdown(const absl::Status& why, Activity activity);
  // The same for a client in whose place another Peer is now.
  void Replace(Activity activity);
  // Drains the connection, if there is one; one that is made later asks the core. Any thread.
  void Drain(TimePoint deadline);

  // On the thread of `established.loop`. Ends the link there is, then starts the new one.
  void Establish(Established established);

  void StartRequest(HandlerId handler, const SubrouteId* subroute, PayloadRef payload,
                    const RequestOptions& options, ReplyHandler completion);
  absl::StatusOr<Stream> OpenStream(HandlerId handler, const SubrouteId* subroute,
                                    BytesView initial, const StreamOptions& options);
  void StartWaitConnected(std::chrono::milliseconds timeout, WriteHandler handler);

  ConnectionState state() const;
  ConnectionStats Stats() const;

  // For the Dialer and the acceptor: the last attempt failed.
  void OnAttempt();
  void OnAttemptFailed(const absl::Status& why);

 private:
  using Ready = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<Link>>)>;

  // Somebody who waits for a connection.
  struct Waiter {
    uint64_t number = 0;
    TimePoint deadline;
    Ready ready;
  };

  void OnLinkDown(Link& link, const absl::Status& why, std::string_view cause) override;
  void OnLinkDrained(Link& link) override;
  void OnPeerDraining(Link& link) override;
  void Install(Established established);
  void End(const absl::Status& why, Activity activity, std::string_view cause);
  Link* LinkHere() const;
  static TimePoint Deadline(TimePoint now, std::chrono::milliseconds timeout);
  TimePoint Deadline(std::chrono::milliseconds timeout) const;  // from now on
  absl::StatusOr<uint64_t> Wait(TimePoint deadline, Ready ready);
  void EndWaiter(uint64_t number, const absl::Status& why);
  void ExpireWaiters();
  absl::Status CheckPayload(std::string_view what, size_t bytes);
  absl::Status CheckDictionary(const Compression& compression) const;
  void Count(Drop drop) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { Count(DropName(drop)); }
  void Count(std::string_view drop) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++totals_.drops[std::string(drop)];
  }
  // The connection that takes new calls.
  std::shared_ptr<Link> Usable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return peer_draining_ ? nullptr : link_;
  }
  // Why a call that does not wait fails; counts it, if it is refused.
  absl::Status NotConnected() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CancelRequest(const std::shared_ptr<CallCancellation>& cancellation, uint64_t waiter);

  const std::shared_ptr<ManagerCore> core_;
  const std::string host_;
  const LoopRef home_;  // where dialling and waiting are timed
  const Kind kind_;
  const bool dials_;

  // The link, for callers on its own thread: no lock, no reference count. link_loop_ names the
  // loop; local_[i] is touched on loop i only.
  std::atomic<IoLoop*> link_loop_{nullptr};
  std::vector<Link*> local_;

  // Home loop only.
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<LoopTimer> wait_timer_;

  mutable std::mutex mutex_;
  ConnectionState state_ ABSL_GUARDED_BY(mutex_) = ConnectionState::kUnconnected;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);
  Activity serving_ ABSL_GUARDED_BY(mutex_);            // of link_, until our drain is over
  bool peer_draining_ ABSL_GUARDED_BY(mutex_) = false;  // of link_: the peer's has begun
  std::list<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_waiter_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string last_error_ ABSL_GUARDED_BY(mutex_);
  absl::Status shutdown_why_ ABSL_GUARDED_BY(mutex_);
  std::optional<InstanceId> last_instance_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, TimePoint> failures_logged_ ABSL_GUARDED_BY(mutex_);  // reason -> when
  ConnectionStats totals_ ABSL_GUARDED_BY(mutex_);  // of the links that have ended
};

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_PEER_H_
