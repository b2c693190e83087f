// ClusterNode: one member of a cluster, with all that grid has for it: the connections, the names,
// who is alive, the actors, the Kinds that are started here, and what starts them anywhere. It is
// what the examples share, and a model of how to put the parts together in a program of yours.
//
//   grid::KindTable kinds;
//   kinds.Add({.path = *grid::Path::Parse("demo/worker"), .factory = MakeWorker});
//   ClusterNode node({.local = hosts[1], .hosts = hosts, .kinds = kinds});
//   absl::Status status = node.Start();           // waits until it is a member
//   node.starter().Start(...); node.actors().To(...);
//   status = node.Stop();                         // leaves without breaking anything
//
// Start, KeepRunning, Stop and the end are for one thread; the parts may be used by any.
#ifndef GRID_TOOLS_EXAMPLES_ACTORS_CLUSTER_NODE_H_
#define GRID_TOOLS_EXAMPLES_ACTORS_CLUSTER_NODE_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/kind_host.h"
#include "grid/actor/kind_starter.h"
#include "grid/actor/patrol.h"
#include "grid/directory/hosted_directory.h"
#include "grid/manager.h"
#include "grid/membership/directory_membership.h"

namespace examples {

struct ClusterNodeOptions {
  std::string local;  // our name, "http://127.0.0.1:7423", where we listen
  // The members, the same list in the same order everywhere. The first one serves the directory.
  std::vector<std::string> hosts;
  bool client = false;         // we are none of them: we host nothing, and call
  grid::KindTable kinds = {};  // what can be started here
  // How long names of a member that was killed stay its own. Short, so that an example is; a slow
  // machine must still renew it in time.
  std::chrono::milliseconds lease{3'000};
};

class ClusterNode {
 public:
  explicit ClusterNode(ClusterNodeOptions options);
  // Without Stop it is as if the process had died: nobody is told.
  ~ClusterNode();

  // Returns once others see us, or with why not after half a minute.
  absl::Status Start();
  // Keeps Kind::activation.count() actors of our Kind `path` running in the cluster, as long as
  // one of those who patrol it is there.
  absl::Status KeepRunning(const grid::Path& path);
  // Nothing new comes here, what runs finishes, names are given back, connections close. With why
  // where that took too long. Start again with another ClusterNode.
  absl::Status Stop();

  const std::string& name() const { return options_.local; }
  grid::Directory& directory() { return *names_.directory; }
  grid::Membership& members() { return *members_; }
  grid::ActorSystem& actors() { return *actors_; }
  grid::KindStarter& starter() { return *starter_; }

 private:
  absl::Status Make();
  absl::Status Join();

  const ClusterNodeOptions options_;
  // Timers, and what the directory and the membership say: one thread for all parts.
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  // Each stands on those before it.
  grid::Manager manager_;
  grid::HostedDirectory names_;
  std::unique_ptr<grid::Membership> members_;
  std::unique_ptr<grid::ActorSystem> actors_;
  std::unique_ptr<grid::KindHost> kinds_;
  std::unique_ptr<grid::KindStarter> starter_;
  std::vector<std::unique_ptr<grid::Patrol>> patrols_;
  std::thread thread_;
};

}  // namespace examples

#endif  // GRID_TOOLS_EXAMPLES_ACTORS_CLUSTER_NODE_H_
