// NodeDirectory: the directory of names that a node has, and what it holds there.
//
//   IoThread thread;        // outlives the manager, whose calls complete there
//   Manager manager(options);
//   // Once the peers are added, and before manager.Start().
//   auto names = NodeDirectory::Make(manager, thread, flags, {"shop/web/1=version:1.1"}, log);
//   (*names)->Stop();       // gives the names back
//
// Made and ended by one thread; the rest is for any.
#ifndef GRID_TOOLS_GRIDNODE_NODE_DIRECTORY_H_
#define GRID_TOOLS_GRIDNODE_NODE_DIRECTORY_H_

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/directory/hosted_directory.h"
#include "grid/manager.h"
#include "tools/common/directory_flags.h"
#include "tools/common/io_thread.h"

namespace grid::tools {

struct WantedName {
  Name name;
  Holding holding = Holding::kExclusive;
  Attributes attributes = {};
};
// Reads "[shared:]NAME[=KEY:VALUE,...]". kInvalidArgument says what is wrong.
absl::StatusOr<WantedName> ParseWantedName(std::string_view text);

class NodeDirectory {
 public:
  // `registered`: names that are held from now on, again after a lease that was lost, and as soon
  // as nobody else holds them. kInvalidArgument names the flag. With the choice "none" there is no
  // directory, and nothing may be registered. Must go before `manager` and `thread`, which it
  // stops.
  static absl::StatusOr<std::unique_ptr<NodeDirectory>> Make(
      Manager& manager, IoThread& thread, const DirectoryFlags& flags,
      const std::vector<std::string>& registered, std::shared_ptr<LogSink> log);
  ~NodeDirectory();

  // Gives all names back; waits for the directory to know, a second at most. Idempotent.
  void Stop();

  // Null: none.
  Directory* directory() const { return hosted_.directory.get(); }
  std::optional<DirectoryStats> Stats() const;
  // Where this node serves the directory.
  std::optional<RegistryStats> TableStats() const;

 private:
  NodeDirectory(IoThread& thread, std::shared_ptr<LogSink> log)
      : thread_(thread), log_(std::move(log)) {}

  absl::Status Open(Manager& manager, const DirectoryFlags& flags);
  boost::asio::awaitable<void> Hold(WantedName wanted);

  IoThread& thread_;
  const std::shared_ptr<LogSink> log_;
  HostedDirectory hosted_;  // of each kind; without a server where others keep the table
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDNODE_NODE_DIRECTORY_H_
