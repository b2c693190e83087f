// SharedListener: one port for several managers of a process, told apart by their routes.
//
//   grid::SharedListener listener({});
//   absl::Status added = listener.AddRoute(storage);     // ManagerOptions::route is /storage
//   added.Update(listener.AddRoute(locks));              // /locks
//   absl::StatusOr<uint16_t> port = listener.Start("10.0.0.1:9000");
//
// A manager with a port of its own needs none of this: Manager::Listen.
//
// It has one thread, on which connections are accepted, TLS is negotiated and request headers are
// read; then the connection moves to an I/O thread of the manager whose route it names, which
// checks token and Connect and counts it. The limits of both apply, and the time-out runs on.
//
// Thread safety: every function may be called from any thread. The managers may go before it or
// after it.
#ifndef GRID_GRID_SHARED_LISTENER_H_
#define GRID_GRID_SHARED_LISTENER_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/manager.h"
#include "grid/options.h"

namespace grid {

struct SharedListenerOptions {
  // With a certificate in it the listener speaks TLS, and takes managers with https names; without,
  // those with http names.
  TlsFiles tls = {};
  // Connections whose request has not been read; further ones are closed at once.
  int max_pre_handshake = 1'000;
  // Until a connection has been given to a manager.
  std::chrono::milliseconds handshake{10'000};
  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // null: as ManagerOptions::log
};

class SharedListener {
 public:
  explicit SharedListener(SharedListenerOptions options);
  ~SharedListener();  // Stop()
  SharedListener(const SharedListener&) = delete;
  SharedListener& operator=(const SharedListener&) = delete;

  // Requests for the manager's route go to it from here on; 404 is the answer as long as it is not
  // running, 503 while it has max_pre_handshake connections. Before or after Start. Connections
  // once handed over stay with the manager whatever happens to the listener.
  // kInvalidArgument: the manager's name says http and the listener speaks TLS, or the other way
  // round, or its route is no path; kAlreadyExists: another manager has the route.
  absl::Status AddRoute(Manager& manager);
  // kNotFound when the route is not this manager's.
  absl::Status RemoveRoute(Manager& manager);

  // Listens on "10.0.0.1:9000", "[::1]:9000" or ":9000" and returns the port. Once only. Errors are
  // those of Manager::Start for the certificates, of Manager::Listen for the address;
  // kFailedPrecondition: started or stopped before.
  absl::StatusOr<uint16_t> Start(const std::string& address);

  // Ends the port and what has not been given to a manager; returns when that is done. Idempotent;
  // not from inside a LogSink.
  void Stop();

  // Connections that were turned down before a manager had them, by reason: "http-bad-path",
  // "http-bad-request", "tls", "handshake-timeout", "pre-handshake-limit". Those that a manager
  // turned down are in its own statistics.
  std::map<std::string, uint64_t> Refused() const;

 private:
  class Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace grid

#endif  // GRID_GRID_SHARED_LISTENER_H_
