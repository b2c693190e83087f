// GridClient: the asking side of bench_grid, one manager for each server.
#ifndef GRID_BENCH_E2E_GRID_CLIENT_H_
#define GRID_BENCH_E2E_GRID_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/common/program.h"
#include "bench/e2e/grid_actors.h"
#include "bench/e2e/grid_lane.h"
#include "bench/e2e/io_threads.h"
#include "grid/manager.h"

namespace grid::bench {

struct GridClientOptions {
  HandlerKind handler = HandlerKind::kIo;
  int io_threads = 1;
  std::chrono::microseconds poll{0};
  std::vector<std::string> addresses = {};  // of the servers
  size_t bulk_bytes = 0;                    // size of the large requests beside the load; 0: none
  SocketOptions sockets = {};
  uint32_t fragment_bytes = ExtensionOptions().fragment_bytes;
};

class GridClient final : public Client {
 public:
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const GridClientOptions& options,
                                                         const Workload& workload);
  // The large requests are not in it, but their errors.
  Tally Run(const Window& window) override;
  std::string MoreOfReport() const override;

 private:
  explicit GridClient(const GridClientOptions& options)
      : bulk_bytes_(options.bulk_bytes), threads_(options.io_threads, options.poll) {}
  absl::Status Add(const GridClientOptions& options, size_t index, const Workload& share);

  const size_t bulk_bytes_;
  uint64_t bulk_requests_ = 0;
  std::chrono::nanoseconds duration_{0};
  // Destroyed from the last: what the managers complete when they end runs on the threads and
  // refers to the lanes.
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<Lane>> bulk_lanes_;  // one for each of these, not counted
  IoThreads threads_;
  std::vector<std::unique_ptr<Manager>> managers_;
  std::vector<std::unique_ptr<ActorNode>> actors_;  // kActor: one for each of these
};

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_GRID_CLIENT_H_
