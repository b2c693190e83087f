// RegistryTimer: ends the sessions of a table whose lease has run out, also when nobody asks.
//
// Belongs to the thread of `io`: whoever has started it drops it there.
#ifndef GRID_GRID_DIRECTORY_REGISTRY_TIMER_H_
#define GRID_GRID_DIRECTORY_REGISTRY_TIMER_H_

#include <boost/asio/io_context.hpp>
#include <memory>

#include "grid/directory/registry_host.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class RegistryTimer final : public std::enable_shared_from_this<RegistryTimer> {
 public:
  RegistryTimer(boost::asio::io_context& io, Clock& clock, std::shared_ptr<RegistryHost> host);
  // Any thread.
  void Start();

 private:
  void OnTimer();

  boost::asio::io_context& io_;
  const std::shared_ptr<RegistryHost> host_;
  LoopTimer timer_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_REGISTRY_TIMER_H_
