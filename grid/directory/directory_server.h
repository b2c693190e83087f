// DirectoryServer: the member that keeps the table of a hosted directory, in memory.
//
// It serves the handlers 224 to 230 to its peers, and the table to its own process. The library has
// one member do this for a whole cluster; there is no fail-over. When it restarts, everybody's
// registrations are claimed by their holders, and nothing is given to others before that is done,
// or a lease has passed.
//
//   auto server = DirectoryServer::Serve(manager, {.io = &io});      // before manager.Start()
//
// MakeHostedDirectory (hosted_directory.h) does this where it is to be done. Any thread.
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_SERVER_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_SERVER_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/directory/directory_backend.h"
#include "grid/directory/registry.h"
#include "handlers/registrar.h"

namespace grid {

namespace internal {
class RegistryHost;
class RegistryTimer;
class ServedWatches;
}  // namespace internal

struct DirectoryServerOptions {
  // Its timer's, and where watches are served; see DirectoryOptions::io. Required.
  boost::asio::io_context* io = nullptr;
  std::chrono::milliseconds lease{15'000};  // must be that of the members
  // Who may have held names before a restart: everybody who may register, the serving member
  // included. Once all of them have come back, nobody waits any longer. Empty: a lease is waited
  // for after each start, the first included.
  std::vector<std::string> members = {};
  // The names are this process's alone: other members may watch, and do nothing else
  // (kPermissionDenied); clients what they always may.
  bool one_member = false;
  RegistryLimits limits = {};
  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
};

class DirectoryServer {
 public:
  // Registers the handlers. kInvalidArgument names the option; kAlreadyExists when `registrar` has
  // one already. The server may go before the registrar: calls then fail with kUnavailable, watches
  // end, and no other thread uses `io` any more.
  static absl::StatusOr<std::unique_ptr<DirectoryServer>> Serve(Registrar& registrar,
                                                                DirectoryServerOptions options);
  ~DirectoryServer();
  DirectoryServer(const DirectoryServer&) = delete;
  DirectoryServer& operator=(const DirectoryServer&) = delete;

  // For the Directory of the serving member itself; `io` is that Directory's thread.
  std::unique_ptr<DirectoryBackend> Backend(boost::asio::io_context& io, std::string member);

  RegistryStats Stats() const;

 private:
  DirectoryServer(boost::asio::io_context& io, Clock& clock,
                  std::shared_ptr<internal::RegistryHost> host);

  boost::asio::io_context& io_;
  const std::shared_ptr<internal::RegistryHost> host_;
  const std::shared_ptr<internal::ServedWatches> watches_;
  std::shared_ptr<internal::RegistryTimer> timer_;  // until the end
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_SERVER_H_
