// ServedWatches: the watches that a DirectoryServer serves to other members, each a stream.
//
// They belong to the thread of `io`; what their streams and the table say comes there by a gate.
#ifndef GRID_GRID_DIRECTORY_SERVED_WATCHES_H_
#define GRID_GRID_DIRECTORY_SERVED_WATCHES_H_

#include <boost/asio/io_context.hpp>
#include <memory>
#include <set>

#include "absl/status/status.h"
#include "grid/directory/io_gate.h"
#include "grid/directory/registry_host.h"
#include "handlers/registrar.h"

namespace grid::internal {

class ServedWatches final : public std::enable_shared_from_this<ServedWatches> {
 public:
  ServedWatches(boost::asio::io_context& io, std::shared_ptr<RegistryHost> host);

  // --- Any thread ---

  // Registers the handler, which may outlive this.
  absl::Status Serve(Registrar& registrar);
  // Ends them all, once `io` comes to it. No other thread uses it any more when this has returned.
  void Close();

 private:
  class Watch;

  const std::shared_ptr<IoGate> gate_;
  const std::shared_ptr<RegistryHost> host_;
  std::set<std::shared_ptr<Watch>> open_;  // the thread of `io`
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_SERVED_WATCHES_H_
