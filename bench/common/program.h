// Main: the program around a system: the command line, the window, the report.
//
//   bench_<system> serve ADDRESS              prints "ready ADDRESS", ends on SIGTERM
//   bench_<system> run ADDRESS --mode echo --inflight 256 --size 512 --server-pid PID
//
// A system's file says how to serve and how to run a workload, and nothing else:
//
//   class Tcp final : public System { ... };
//   int main(int argc, char** argv) { Tcp tcp; return Main(tcp, argc, argv); }
#ifndef GRID_BENCH_COMMON_PROGRAM_H_
#define GRID_BENCH_COMMON_PROGRAM_H_

#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/common/load.h"
#include "bench/common/workload.h"

namespace CLI {
class App;
}

namespace grid::bench {

// What both sides are told.
struct Place {
  std::string address;               // HOST:PORT
  std::chrono::nanoseconds poll{0};  // how long to spin before blocking
};

// A client that is connected and ready to go.
class Client {
 public:
  virtual ~Client() = default;
  // From window.start (or later) until window.end.
  virtual Tally Run(const Window& window) = 0;
  // After Run: what else the report is to say, as ",\"name\":1".
  virtual std::string MoreOfReport() const { return ""; }
};

class System {
 public:
  virtual ~System() = default;
  virtual std::string name() const = 0;
  // Modes that it can run.
  virtual std::set<Mode> modes() const { return {Mode::kEcho, Mode::kOneWay, Mode::kTwoWay}; }
  // Whether --poll means something to it.
  virtual bool polls() const { return false; }
  // Options of its own.
  virtual void AddServeFlags(CLI::App&) {}
  virtual void AddRunFlags(CLI::App&) {}

  // Listens, calls PrintReady, and returns after SIGTERM (see stop.h).
  virtual absl::Status Serve(const Place& place) = 0;
  virtual absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                          const Workload& workload) = 0;
};

// Tells who started the server that it listens.
void PrintReady(const std::string& address);

int Main(System& system, int argc, char** argv);

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_PROGRAM_H_
