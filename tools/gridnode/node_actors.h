// NodeActors: what a node with a directory has besides names: it is a member under sys/member, and
// hosts actors: those of the kinds that its flags name, or none.
//
//   // Once the directory is there, and before manager.Start().
//   auto actors = NodeActors::Make(manager, *names->directory(), thread, flags, drain, log);
//   (*actors)->Stop();      // before the directory's
//
// Made and ended by one thread; Stats are for any.
#ifndef GRID_TOOLS_GRIDNODE_NODE_ACTORS_H_
#define GRID_TOOLS_GRIDNODE_NODE_ACTORS_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/kind_host.h"
#include "grid/actor/member_drain.h"
#include "grid/base/log.h"
#include "grid/membership/membership.h"
#include "tools/common/io_thread.h"
#include "tools/common/stats_format.h"

namespace CLI {
class App;
}

namespace grid::tools {

struct ActorFlags {
  std::string kinds = {};      // "demo" (demo_kinds.h); empty: none
  std::string realm = "demo";  // of the demonstration kinds
  std::string zone = {};       // Member::kZone; empty: none
};
// Adds --kinds, --realm and --zone to `app`. `flags` must outlive the parsing.
void AddActorFlags(CLI::App& app, ActorFlags* flags);

class NodeActors {
 public:
  // `drain`: how long actors may take to finish when the node stops. All of `manager`, `directory`
  // and `thread`, which is the directory's, must outlive it. kInvalidArgument names the flag.
  static absl::StatusOr<std::unique_ptr<NodeActors>> Make(Manager& manager, Directory& directory,
                                                          IoThread& thread, const ActorFlags& flags,
                                                          std::chrono::milliseconds drain,
                                                          std::shared_ptr<LogSink> log);
  // Ends all at once, where Stop was not called.
  ~NodeActors();

  // Takes the node out of placement, stops the actors and leaves the membership; says in the log
  // who had to be killed. Takes `drain` and 3 s at most: what the directory was not told by then it
  // finds out by the lease. Once.
  void Stop();

  void AddStats(NodeStats* stats) const;

 private:
  NodeActors() = default;

  std::shared_ptr<LogSink> log_;
  std::chrono::milliseconds limit_{0};
  std::unique_ptr<Membership> members_;
  std::unique_ptr<ActorSystem> actors_;
  std::unique_ptr<KindHost> kinds_;
  std::unique_ptr<MemberDrain> drain_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDNODE_NODE_ACTORS_H_
