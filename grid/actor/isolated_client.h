// IsolatedClient: how an actor in a process of its own reaches others. Its process is a client of
// the mesh (ManagerOptions::client), and the actor's context has a system to call and send with:
//
//   absl::StatusOr<grid::IsolatedClient> ClientOf(const grid::IsolatedClientArguments& arguments) {
//     grid::IsolatedClient client;
//     client.manager.token = arguments.settings.at("token");
//     client.peers = absl::StrSplit(arguments.settings.at("hosts"), ',');
//     const std::string host = client.peers[0];     // of the directory
//     client.directory = [host](grid::Manager& manager, const grid::DirectoryOptions& options) {
//       return grid::MakeDirectory(
//           options, grid::MakeHostedBackend(manager.Connection(host), *options.io));
//     };
//     return client;
//   }
//   ...
//   if (auto code = grid::RunIsolatedActor(argc, argv, kinds, ClientOf)) return *code;
//   ...
//   IsolatedProcesses processes({.io = &io, .settings = {{"hosts", hosts}, {"token", token}}});
//
// The program says how; manager, directory and system are the process's, which makes them when its
// actor is to start, before the Kind's factory is called. It does not wait for connections: until
// members and the directory can be reached, verbs do what their CallPolicy says. Once OnStop is
// over, verbs that are under way end with kCancelled, and connections close: all of that takes no
// longer than IsolatedProcessesOptions::stop.
//
// The system is a client's: it starts nothing, and opens no mailbox. Who gets its messages sees the
// actor as the sender (ActorSystemOptions::from), in a client of the name ManagerOptions::local.
#ifndef GRID_GRID_ACTOR_ISOLATED_CLIENT_H_
#define GRID_GRID_ACTOR_ISOLATED_CLIENT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/actor/kind.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_options.h"
#include "grid/manager.h"

namespace grid {

// What a process knows of its host's settings: URLs, tokens.
using IsolatedSettings = std::map<std::string, std::string>;

struct IsolatedClientArguments {
  StartArguments start;
  IsolatedSettings settings = {};  // IsolatedProcessesOptions::settings
  // A name for ManagerOptions::local that no other living process has: the end of the actor's,
  // "@", the epoch of its registration.
  std::string local = {};
};

struct IsolatedClient {
  // `client` is set; `local`, where it is empty, to IsolatedClientArguments::local. `log` is the
  // directory's and the system's, too. What connects as `local` replaces the process before.
  ManagerOptions manager = {};
  // The members that the actor is to reach.
  std::vector<std::string> peers = {};
  // Makes the directory before the manager is started, where `io`, `member`, `client` and `log` of
  // `options` are set. Null: this actor calls nobody, and there is no system.
  std::function<absl::StatusOr<std::unique_ptr<Directory>>(Manager& manager,
                                                           DirectoryOptions options)>
      directory = nullptr;
};

// On the thread that hears the host: it must not block. Its error, or an exception (kInternal), is
// the error of the actor's start.
using IsolatedClientFunction =
    std::function<absl::StatusOr<IsolatedClient>(const IsolatedClientArguments& arguments)>;

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ISOLATED_CLIENT_H_
