// Manager: one node of the mesh. Keeps exactly one WebSocket connection to each peer, serves the
// handlers registered with it, and hands out Connections to call those of others.
//
//   grid::ManagerOptions options;
//   options.local = "http://127.0.0.1:9001";
//   grid::Manager manager(options);
//   manager.RegisterSingle({.id = HandlerId{78}}, echo);
//   manager.AddPeer("http://127.0.0.1:9002");
//   absl::Status started = manager.Start();           // connects and reconnects from here on
//   started = manager.Listen("127.0.0.1:9001");       // or Accept, or a SharedListener
//   grid::Connection peer = manager.Connection("http://127.0.0.1:9002");
//
// Thread safety: every function may be called from any thread, also from handlers and completions,
// with one exception: Stop and the destructor wait for the I/O and worker threads, and so must not
// be called on one of them. A program that runs everything on one thread of its own uses StopAsync
// first.
#ifndef GRID_GRID_MANAGER_H_
#define GRID_GRID_MANAGER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/connection.h"
#include "grid/options.h"
#include "grid/stats.h"
#include "handlers/registrar.h"

namespace grid {

namespace internal {
struct CoreAccess;
class ManagerCore;
}  // namespace internal

// True when, by the rule of the protocol (PROTOCOL.md, "Who dials"), `local` dials `remote`.
bool ShouldDial(std::string_view local, std::string_view remote);

class Manager final : public Registrar {
 public:
  // Errors in `options` are reported by Start.
  explicit Manager(ManagerOptions options);
  ~Manager() override;  // Stop()
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // Checks the options (kInvalidArgument names the field), starts the threads and begins to
  // connect. kFailedPrecondition when called again.
  absl::Status Start();

  // Accepts connections on `address` ("127.0.0.1:9001", "[::]:9001", port 0 for any). TLS if our
  // own name is https. Not for a client. Returns the port. May be called more than once, for
  // several addresses. Needs Start.
  absl::StatusOr<uint16_t> Listen(const std::string& address);

  // Ends everything: running calls complete with "disconnected", handlers' contexts are cancelled,
  // connections close, handlers that run are waited for. Idempotent. Registered handlers,
  // Connections and Streams may be used afterwards; they answer with a status.
  void Stop();
  // The same without waiting: `stopped` is called once all is over, on the thread that ended last
  // (at once if nothing was running). With the host's own io_contexts, keep them running until
  // then. From then on they are not used any more, whatever handles remain, and may be destroyed:
  // completions without an executor of their own run on threads of the system's (Asio's
  // system_executor) instead.
  void StopAsync(absl::AnyInvocable<void()> stopped);

  // Stops without breaking what runs. From now on the calls of peers are refused with kUnavailable,
  // rejected: they may be tried elsewhere. Peers that speak `goaway` (PROTOCOL.md) are told, and
  // make none. Handlers that run are told (RequestContext::draining), and finish. Once there are
  // none, or after `limit` (not negative; at most 49 days), everything stops as with StopAsync,
  // which calls `stopped`. Calls of our own go on meanwhile; they are not waited for. Connections
  // are still made. A second Drain only adds its `stopped`; Stop and StopAsync cut it short.
  void Drain(std::chrono::milliseconds limit, absl::AnyInvocable<void()> stopped);

  // Makes `host` a member: connections from it are accepted, and it is dialled if the rule says so.
  // kInvalidArgument for what is no http(s) URL or is our own name; kAlreadyExists. Before or after
  // Start.
  absl::Status AddPeer(const std::string& host);
  // Ends the connection to `host`, a peer or a client (its calls complete with "disconnected"), and
  // forgets it.
  // kNotFound.
  absl::Status RemovePeer(const std::string& host);
  // The members, without the clients that are connected.
  std::vector<std::string> Peers() const;

  // The connection to `host`, a peer or a client that is connected; for any other host, a handle
  // whose calls fail with kNotFound.
  grid::Connection Connection(const std::string& host) const;

  const std::string& local() const;
  bool is_client() const;  // ManagerOptions::client
  ManagerStats Stats() const;

  // Registrar.
  absl::Status RegisterSingle(SingleSpec spec, SingleFunction function) override;
  absl::Status RegisterSingle(SingleSpec spec, SingleCoroutine function) override;
  absl::Status RegisterSingle(SingleSpec spec, SingleStarter function) override;
  absl::Status RegisterStream(StreamSpec spec, StreamFunction function) override;
  absl::Status RegisterStream(StreamSpec spec, StreamCoroutine function) override;
  absl::Status RegisterStream(StreamSpec spec, StreamStarter function) override;

 private:
  friend struct internal::CoreAccess;

  std::shared_ptr<internal::ManagerCore> core_;
};

}  // namespace grid

#endif  // GRID_GRID_MANAGER_H_
