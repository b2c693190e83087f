// CpuMeter: processor time that both sides use inside the window. A thread of its own reads it at
// both ends, asleep in between, so that no system's loop has to.
#ifndef GRID_BENCH_COMMON_CPU_METER_H_
#define GRID_BENCH_COMMON_CPU_METER_H_

#include <sys/types.h>

#include <optional>
#include <thread>

#include "bench/common/workload.h"
#include "tools/common/process_cpu.h"

namespace grid::bench {

class CpuMeter {
 public:
  struct Used {
    double client = 0;             // seconds
    std::optional<double> server;  // nullopt: no such process
  };

  CpuMeter(const Window& window, std::optional<pid_t> server)
      : thread_([this, window, server] {
          std::this_thread::sleep_until(window.begin);
          const Used before = Read(server);
          std::this_thread::sleep_until(window.end);
          const Used after = Read(server);
          used_.client = after.client - before.client;
          if (before.server && after.server) used_.server = *after.server - *before.server;
        }) {}
  ~CpuMeter() {
    if (thread_.joinable()) thread_.join();
  }
  CpuMeter(const CpuMeter&) = delete;
  CpuMeter& operator=(const CpuMeter&) = delete;

  // Waits for the end of the window.
  Used Finish() {
    thread_.join();
    return used_;
  }

 private:
  static Used Read(std::optional<pid_t> server) {
    return {.client = tools::OwnCpuSeconds(),
            .server = server ? tools::CpuSecondsOf(*server) : std::nullopt};
  }

  Used used_;
  std::thread thread_;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_CPU_METER_H_
