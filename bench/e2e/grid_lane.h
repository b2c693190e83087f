// Lane: the share of a run that goes over one connection, on that connection's I/O thread.
#ifndef GRID_BENCH_E2E_GRID_LANE_H_
#define GRID_BENCH_E2E_GRID_LANE_H_

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "bench/common/load.h"
#include "bench/e2e/grid_place.h"
#include "grid/actor/recipients.h"
#include "grid/connection.h"

namespace grid::bench {

class Lane {
 public:
  virtual ~Lane() = default;

  // On the I/O thread. `done` is called there once the window is over and nothing is in flight any
  // more.
  virtual void Start(const Window& window, std::function<void()> done) = 0;
  // After `done`.
  virtual const Tally& tally() const = 0;
};

struct LanePlace {
  boost::asio::io_context* io;  // the connection's
  Connection peer;
  HandlerKind handler;
  std::optional<Recipients> actor = std::nullopt;  // of kActor
};

// Requests; with their answers in any order.
std::unique_ptr<Lane> MakeEchoLane(LanePlace place, const Workload& workload);
// Large requests, each the answer to the one before.
std::unique_ptr<Lane> MakeBulkLane(LanePlace place, const Workload& workload);
// One stream, one-way or two-way; kIo or kWorker.
std::unique_ptr<Lane> MakeStreamLane(LanePlace place, const Workload& workload);

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_GRID_LANE_H_
