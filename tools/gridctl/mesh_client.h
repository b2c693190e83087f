// MeshClient: gridctl among the members: the directory of names, who is alive, connections to all
// of them, and what speaks to their actors. It hosts nothing, and holds no names unless it patrols.
//
//   absl::StatusOr<std::unique_ptr<MeshClient>> mesh = MeshClient::Connect(flags);
//   (*mesh)->Reach(members);
//   (*mesh)->actors().To(selector).Call(type, message, asio::use_future).get();
//
// Used by the main thread; it follows the members on one of its own.
#ifndef GRID_TOOLS_GRIDCTL_MESH_CLIENT_H_
#define GRID_TOOLS_GRIDCTL_MESH_CLIENT_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/kind_starter.h"
#include "grid/membership/membership.h"
#include "tools/gridctl/directory_client.h"

namespace grid::tools {

class MeshClient {
 public:
  // Waits at most --timeout, 10 s unless given, for the directory and its list of members.
  // kInvalidArgument: the flags are wrong; otherwise why it can't be used, and what to do.
  static absl::StatusOr<std::unique_ptr<MeshClient>> Connect(
      const DirectoryClientFlags& flags, DirectoryUse use = DirectoryUse::kMembers);
  // Gives back the names that it holds, which takes a second at most.
  ~MeshClient();

  Manager& manager() { return names_->manager(); }
  Directory& directory() { return names_->directory(); }
  Membership& members() { return *members_; }
  ActorSystem& actors() { return *actors_; }
  KindStarter& starter() { return *starter_; }
  boost::asio::io_context& io() { return names_->io(); }
  std::chrono::milliseconds timeout() const { return names_->timeout(); }
  const std::shared_ptr<LogSink>& log() const { return log_; }

  // Who holds what `selector` means; with what to do where that can't be asked.
  absl::StatusOr<std::vector<Entry>> Resolve(Selector selector);
  // Waits until these members are connected, 3 s at most: who is not by then is left to whatever is
  // asked of it.
  void Reach(const std::set<std::string>& members);
  // All that are up; those that hold these entries.
  void ReachAll();
  void ReachHolders(const std::vector<Entry>& entries);

 private:
  MeshClient() = default;
  absl::Status Open(const DirectoryClientFlags& flags, DirectoryUse use);
  // Has a connection to each member that is there, until the watcher is closed.
  boost::asio::awaitable<void> Follow(std::promise<void> first);
  void FollowView(const MembershipView& view);

  std::shared_ptr<LogSink> log_;
  std::unique_ptr<DirectoryClient> names_;
  std::unique_ptr<ActorSystem> actors_;
  std::unique_ptr<Membership> members_;
  std::unique_ptr<KindStarter> starter_;
  MembershipWatcher watcher_;
  std::future<void> following_;     // ends with the watcher
  std::set<std::string> followed_;  // of the thread that follows
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_MESH_CLIENT_H_
