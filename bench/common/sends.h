// MainOfSends: the program around a system that sends from one actor to another of the same
// process: the command line, the window, the report.
//
//   bench_<system>_sends --inflight 256 --duration 1s
//
// The sender sends bursts of `inflight` messages of 8 bytes, and asks for one answer behind each:
// the next burst begins when it has come, so that no mailbox grows without bounds.
#ifndef GRID_BENCH_COMMON_SENDS_H_
#define GRID_BENCH_COMMON_SENDS_H_

#include "absl/status/status.h"
#include "bench/common/load.h"
#include "bench/common/workload.h"

namespace CLI {
class App;
}

namespace grid::bench {

// One per program.
class SendingSystem {
 public:
  virtual ~SendingSystem() = default;
  virtual const char* name() const = 0;
  // Options of its own.
  virtual void AddFlags(CLI::App&) {}
  // Both actors are there, and have spoken with each other.
  virtual absl::Status Start() = 0;
  // From window.start until window.end. The workload is one-way.
  virtual Tally Run(const Workload& workload, const Window& window) = 0;
};

int MainOfSends(SendingSystem& system, int argc, char** argv);

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_SENDS_H_
