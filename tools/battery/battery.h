// The conformance battery: what a peer that hosts the conformance service (handlers/conformance)
// must do.
//
// Run by gridctl and by tests, against any implementation. Runs on one thread of the caller's:
//
//   asio::io_context io;                      // outlives the Manager: a stuck case may still refer
//   to it BatteryOptions options{.peer = manager.Connection(remote)}; BatterySummary summary =
//   RunBattery(io, options, [](const CaseResult& r) { ... });
#ifndef GRID_TOOLS_BATTERY_BATTERY_H_
#define GRID_TOOLS_BATTERY_BATTERY_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "grid/connection.h"

namespace grid::tools {

struct BatteryOptions {
  Connection peer;
  // Only cases whose name contains this.
  std::string only = {};
  // Each case is given up after this long, and is a failure then.
  std::chrono::milliseconds case_timeout{60'000};
  // Shell command that kills the remote and starts it again; empty: the cases that need it are
  // skipped.
  std::string restart_command = {};
};

enum class Outcome { kPass, kFail, kSkip };

struct CaseResult {
  std::string name;
  Outcome outcome = Outcome::kFail;
  std::string why;  // of a failure or a skip
  std::chrono::milliseconds took{0};
};

struct BatterySummary {
  int passed = 0;
  int failed = 0;
  int skipped = 0;  // count neither as passed nor in the total
  std::vector<CaseResult> results;

  int total() const { return passed + failed; }
};

// Runs the cases one after another; always ends, at the latest after the sum of their time-outs.
// `report` is called after each. The peer should be connected. Runs `io`, which nobody else may run
// meanwhile.
BatterySummary RunBattery(boost::asio::io_context& io, const BatteryOptions& options,
                          const std::function<void(const CaseResult&)>& report);

// The names, in the order in which they run.
std::vector<std::string> BatteryCaseNames();

}  // namespace grid::tools

#endif  // GRID_TOOLS_BATTERY_BATTERY_H_
