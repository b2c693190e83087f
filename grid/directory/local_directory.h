// LocalDirectory: a directory inside one process: for programs of one node, for tests, and the
// reference for what the others do. Several members may join it.
//
//   LocalDirectory table({.io = &io});
//   absl::StatusOr<std::unique_ptr<Directory>> names = table.Join({.io = &io, .member = "a"});
//
// Any thread. The Directories may outlive it; leases of others then end when somebody asks.
#ifndef GRID_GRID_DIRECTORY_LOCAL_DIRECTORY_H_
#define GRID_GRID_DIRECTORY_LOCAL_DIRECTORY_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_options.h"
#include "grid/directory/registry.h"

namespace grid {

namespace internal {
class Reach;
class RegistryHost;
class RegistryTimer;
}  // namespace internal

struct LocalDirectoryOptions {
  boost::asio::io_context* io = nullptr;    // its timer's; see DirectoryOptions::io
  std::chrono::milliseconds lease{15'000};  // must be that of the members
  RegistryLimits limits = {};
  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
};

class LocalDirectory {
 public:
  explicit LocalDirectory(LocalDirectoryOptions options);
  ~LocalDirectory();

  // kInvalidArgument names the option; the lease and the clock must be those given above.
  absl::StatusOr<std::unique_ptr<Directory>> Join(DirectoryOptions options);

  // For tests: while false the member can't reach the table, as if the network were cut.
  void SetReachable(const std::string& member, bool reachable);

  RegistryStats Stats() const;

 private:
  const LocalDirectoryOptions options_;
  const std::shared_ptr<internal::RegistryHost> host_;
  std::shared_ptr<internal::RegistryTimer> timer_;  // until the end
  const std::shared_ptr<internal::Reach> reach_;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_LOCAL_DIRECTORY_H_
