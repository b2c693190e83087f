// What it costs to keep something open that does nothing.
#ifndef GRID_BENCH_E2E_IDLE_H_
#define GRID_BENCH_E2E_IDLE_H_

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "absl/status/statusor.h"

namespace grid::bench {

// Memory that a process has in use; 0 when it is gone.
inline int64_t ResidentBytes(pid_t pid = getpid()) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// Each measures and returns its line of JSON. `port` is the first that is free to listen on.
absl::StatusOr<std::string> MeasureStreams(size_t count, uint16_t port);
absl::StatusOr<std::string> MeasureConnections(size_t count, uint16_t port);

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_IDLE_H_
