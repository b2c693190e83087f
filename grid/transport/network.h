// Network: how connections come to be: dialling and listening. BeastNetwork (beast_network.h) does
// it with sockets, TLS and HTTP upgrades; testing::MemoryNetwork does it in memory.
#ifndef GRID_GRID_TRANSPORT_NETWORK_H_
#define GRID_GRID_TRANSPORT_NETWORK_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/base/socket_options.h"
#include "grid/transport/transport.h"

namespace grid {

namespace asio = boost::asio;

// Certificates for https hosts. Paths are PEM files, read when the manager starts.
struct TlsOptions {
  std::string certificate_file;  // our certificate chain; needed to listen on an https name
  std::string key_file;
  // Authorities trusted for the other side's certificate; empty: the system's. As a server, a
  // non-empty value together with `require_client_certificate` asks dialers for theirs.
  std::string ca_file;
  bool require_client_certificate = false;
  // Dialling: check that the server's certificate is valid for its host name. Only tests switch it
  // off.
  bool verify_server = true;
};

// What BeastNetwork needs besides the single call.
struct TransportLimits {
  size_t max_message_bytes = size_t{32} << 20;  // one WebSocket message, all its fragments together
  // For the closing handshake; a peer that does not take part is cut off then.
  Duration close_timeout = std::chrono::seconds(1);
};

// Ends a Dial from outside. Shared by who dials and the network; belongs to the request's I/O
// thread.
class DialCanceller {
 public:
  // Ends the attempt now: its `done` is called from inside, with kCancelled, unless it was before.
  void Cancel() {
    cancelled_ = true;
    if (on_cancel_) std::exchange(on_cancel_, nullptr)();
  }
  bool cancelled() const { return cancelled_; }
  // For the network: what Cancel calls, once.
  void OnCancel(absl::AnyInvocable<void()> on_cancel) { on_cancel_ = std::move(on_cancel); }

 private:
  bool cancelled_ = false;
  absl::AnyInvocable<void()> on_cancel_;
};

struct DialRequest {
  asio::io_context* io = nullptr;  // the I/O thread that the transport shall belong to
  std::string host;                // "http://127.0.0.1:9000", or https://
  std::string route;               // "/minio/grid/v1"
  std::string token;               // for "Authorization: Bearer"
  Duration timeout;                // for TCP, TLS and the upgrade together
  std::shared_ptr<DialCanceller> canceller = nullptr;  // null: can't be cancelled
  // Kept until the attempt does not touch `io` any more. A name lookup that hangs can't be
  // interrupted: a cancelled attempt lets go of this at once, and the lookup's end finds nothing.
  std::shared_ptr<void> keep = nullptr;
};

using DialResult = absl::StatusOr<std::unique_ptr<Transport>>;

// Counts connections that have not finished their handshake. Shared by a listener and the handshake
// code behind it; a slot is free again when its Admission is destroyed. Thread-safe.
class HandshakeGate {
 public:
  explicit HandshakeGate(int limit) : limit_(limit) {}
  bool TryEnter() {
    if (pending_.fetch_add(1) < limit_) return true;
    pending_.fetch_sub(1);
    refused_.fetch_add(1);
    return false;
  }
  void Leave() { pending_.fetch_sub(1); }
  int pending() const { return pending_.load(); }
  uint64_t refused() const { return refused_.load(); }

 private:
  const int limit_;
  std::atomic<int> pending_{0};
  std::atomic<uint64_t> refused_{0};
};

class Admission {
 public:
  Admission() = default;
  // Takes over a slot that `gate` granted.
  explicit Admission(std::shared_ptr<HandshakeGate> gate) : gate_(std::move(gate)) {}
  Admission(Admission&&) noexcept = default;
  Admission& operator=(Admission&& other) noexcept {
    Release();
    gate_ = std::move(other.gate_);
    return *this;
  }
  ~Admission() { Release(); }

 private:
  void Release() {
    if (gate_ != nullptr) gate_->Leave();
    gate_ = nullptr;
  }
  std::shared_ptr<HandshakeGate> gate_;
};

// A connection that has been upgraded; its Connect message has not been read.
struct AcceptedTransport {
  std::unique_ptr<Transport> transport;
  asio::io_context* io = nullptr;  // the I/O thread that it belongs to
  Admission admission;             // keep until the handshake has ended
  TimePoint handshake_deadline;    // for all of it, Connect included
};

// Outcomes of what reaches a listener, for the counters.
enum class HttpRefusal : uint8_t {
  kBadToken,
  kNotUpgrade,
  kBadVersion,
  kBadMethod,
  kBadPath,
  kBadRequest,
  kTimeout,
  kTls,
  kTooMany
};

namespace internal {
struct AdoptedConnection;
}
// Takes a connection over, whose request header has been read.
using TakeConnection = std::function<void(std::shared_ptr<internal::AdoptedConnection>)>;

struct ListenRequest {
  std::string address;  // "127.0.0.1:9000", "[::1]:0", ":9000"
  bool tls = false;
  std::string route;
  // The I/O threads that accepted connections are spread over, in turn. Not empty.
  std::vector<asio::io_context*> ios;
  std::shared_ptr<HandshakeGate> gate;
  Duration handshake_timeout;
  // Called on an I/O thread, for every upgrade request: may the bearer of `token` connect?
  std::function<bool(std::string_view token)> check_token;
  // Called on the I/O thread that the transport belongs to.
  std::function<void(AcceptedTransport)> on_accept;
  std::function<void(HttpRefusal, std::string_view detail)> on_refuse;
  // With it set, the listener only reads request headers, and who takes the connection is chosen by
  // the path; `route`, `check_token` and `on_accept` are not used. An error is answered with 404,
  // kResourceExhausted with 503. Only of sockets.
  std::function<absl::StatusOr<TakeConnection>(std::string_view path)> pick = nullptr;
  // Kept until nothing of this listener touches `ios` any more.
  std::shared_ptr<void> keep = nullptr;
};

class Listener {
 public:
  // Stops listening, drops handshakes in progress. Callbacks may still run until the io_contexts
  // have been drained; they hold what they need.
  virtual ~Listener() = default;
  virtual uint16_t port() const = 0;  // the real one when the address said 0
};

class Network {
 public:
  virtual ~Network() = default;
  // Calls `done` exactly once, on the request's I/O thread, never from inside Dial.
  virtual void Dial(DialRequest request, absl::AnyInvocable<void(DialResult)> done) = 0;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(ListenRequest request) = 0;
};

}  // namespace grid

#endif  // GRID_GRID_TRANSPORT_NETWORK_H_
