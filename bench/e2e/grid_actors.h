// ActorNode: the actors of one end of a grid run: a directory that the server hosts, and an
// ActorSystem. Actors run on the thread of `io`, which is the connection's.
#ifndef GRID_BENCH_E2E_GRID_ACTORS_H_
#define GRID_BENCH_E2E_GRID_ACTORS_H_

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/recipients.h"
#include "grid/directory/hosted_directory.h"
#include "grid/manager.h"

namespace grid::bench {

inline constexpr MessageType<std::string, std::string> kActorEcho{"bench.echo"};

class ActorNode {
 public:
  // Before manager.Start(). `server`: the name of the run's server, which may be the manager's own.
  static absl::StatusOr<std::unique_ptr<ActorNode>> Make(Manager& manager,
                                                         const std::string& server,
                                                         boost::asio::io_context& io);

  // These wait, so not on the thread of `io`.
  // Starts the actor that answers kActorEcho with what it gets.
  absl::Status StartEcho();
  // Whoever has that name, once the directory can be reached.
  absl::StatusOr<Recipients> FindEcho();

 private:
  explicit ActorNode(HostedDirectory names) : names_(std::move(names)) {}

  HostedDirectory names_;
  std::unique_ptr<ActorSystem> system_;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_GRID_ACTORS_H_
