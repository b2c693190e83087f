// IsolatedSystem: what the process of an isolated actor makes of an IsolatedClient: its manager,
// its directory and the actor's system.
//
// Internal to grid/actor. On the thread of `io`.
#ifndef GRID_GRID_ACTOR_ISOLATED_SYSTEM_H_
#define GRID_GRID_ACTOR_ISOLATED_SYSTEM_H_

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/isolated_client.h"

namespace grid::internal {

// IsolatedClientArguments::local. Names of actors may be longer than those of clients.
std::string IsolatedClientName(const Name& actor, uint64_t epoch);

class IsolatedSystem {
 public:
  // Null where `client` says so. It begins to connect. The error says what could not be made.
  static absl::StatusOr<std::unique_ptr<IsolatedSystem>> Make(
      asio::io_context& io, const IsolatedClientFunction& client,
      const IsolatedClientArguments& arguments);

  ActorSystem& actors() { return *actors_; }
  // Ends verbs, then connections. `stopped` runs on `io`.
  void Stop(absl::AnyInvocable<void()> stopped);

 private:
  IsolatedSystem(asio::io_context& io, ManagerOptions options)
      : io_(io), manager_(std::move(options)) {}

  absl::Status Start(const IsolatedClient& client, const Name& actor,
                     const std::shared_ptr<LogSink>& log);

  asio::io_context& io_;
  Manager manager_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<ActorSystem> actors_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ISOLATED_SYSTEM_H_
