// DirectoryClient: gridctl's access to the directory of names: through the node that serves it, or
// in etcd. It holds nothing, unless it patrols.
//
//   absl::StatusOr<std::unique_ptr<DirectoryClient>> names = DirectoryClient::Connect(flags);
//   names->directory().Resolve(selector, {}, asio::use_future).get();
//
// Used by the main thread.
#ifndef GRID_TOOLS_GRIDCTL_DIRECTORY_CLIENT_H_
#define GRID_TOOLS_GRIDCTL_DIRECTORY_CLIENT_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/directory/directory.h"
#include "tools/common/directory_flags.h"
#include "tools/common/io_thread.h"
#include "tools/gridctl/client.h"

namespace CLI {
class App;
}

namespace grid::tools {

// What every command that reads or changes the directory takes.
struct DirectoryClientFlags {
  ClientFlags client;  // --remote may be missing
  DirectoryFlags directory;
};
// Adds them to a command. `flags` must outlive the parsing.
void AddDirectoryClientFlags(CLI::App& command, DirectoryClientFlags* flags);

// "": every name. kInvalidArgument says where `path` is wrong.
absl::StatusOr<Selector> SelectorOf(const std::string& path);

// What a command is in the mesh.
enum class DirectoryUse {
  kNames,    // asks for names; where they are in etcd, it needs no node
  kMembers,  // speaks to members
  kPatrol,   // the same, and holds names, of patrols
};

class DirectoryClient {
 public:
  // Waits at most --timeout, 10 s unless given, for the directory. kInvalidArgument: the flags are
  // wrong; otherwise why it can't be used, and what to do.
  static absl::StatusOr<std::unique_ptr<DirectoryClient>> Connect(
      const DirectoryClientFlags& flags);
  // The same in two steps (Client::Make), for any use.
  static absl::StatusOr<std::unique_ptr<DirectoryClient>> Make(const DirectoryClientFlags& flags,
                                                               DirectoryUse use);
  absl::Status Start();
  ~DirectoryClient();

  // Ends the directory; nothing runs on io() afterwards. Idempotent; not from that thread.
  void StopThread();

  Directory& directory() { return *directory_; }
  std::chrono::milliseconds timeout() const { return timeout_; }
  boost::asio::io_context& io() { return thread_.io(); }
  // Of our node; not where there is none.
  Manager& manager() { return client_->manager(); }
  // `status` of an operation, with what to do about it.
  absl::Status Explain(const absl::Status& status) const;

 private:
  DirectoryClient() = default;
  absl::Status Open(const DirectoryClientFlags& flags, DirectoryUse use);

  std::chrono::milliseconds timeout_{0};
  std::string where_;  // the node, or etcd
  IoThread thread_;    // what the node's calls complete on
  bool stopped_ = false;
  bool etcd_ = false;
  std::unique_ptr<Client> client_;  // null: etcd, and no node
  std::unique_ptr<Directory> directory_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_DIRECTORY_CLIENT_H_
