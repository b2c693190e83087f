// HostedDirectory: a directory that one member serves to the others over grid: the default for a
// small cluster, which needs nothing else.
//
//   std::vector<std::string> hosts = {"http://a:9000", "http://b:9000", "http://c:9000"};
//   // On each, once the peers are added and before the manager starts; hosts[0] serves.
//   absl::StatusOr<HostedDirectory> names = MakeHostedDirectory(manager, hosts, {.io = &io});
//   absl::Status ready = co_await names->directory->WaitReady(10s);
//
// There is no fail-over: while the first host is down, resolutions come from what was seen, nothing
// new can be registered, and leases run out with time. It forgets nothing by restarting: see
// DirectoryServer.
#ifndef GRID_GRID_DIRECTORY_HOSTED_DIRECTORY_H_
#define GRID_GRID_DIRECTORY_HOSTED_DIRECTORY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_backend.h"
#include "grid/directory/directory_options.h"
#include "grid/directory/directory_server.h"
#include "grid/manager.h"

namespace grid {

struct HostedDirectory {
  std::unique_ptr<DirectoryServer> server;  // null where another host serves
  std::unique_ptr<Directory> directory;     // to be destroyed first
};

// `hosts`: the members, the same list in the same order everywhere; those of other names may
// connect as clients. `options.member` is the manager's name, if it is empty; lease and clock go
// for the server as well, and must be the same everywhere. The manager may go before the directory,
// which then reaches nobody, or after it and `options.io`. kInvalidArgument names the option.
absl::StatusOr<HostedDirectory> MakeHostedDirectory(Manager& manager,
                                                    const std::vector<std::string>& hosts,
                                                    DirectoryOptions options,
                                                    RegistryLimits limits = {});

// The backend alone: asks the host at the other end of `server`.
std::unique_ptr<DirectoryBackend> MakeHostedBackend(Connection server, boost::asio::io_context& io);

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_HOSTED_DIRECTORY_H_
