#include "bench/common/sends.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>

#include "bench/common/cpu_meter.h"
#include "bench/common/flags.h"
#include "bench/common/report.h"
#include "tools/common/command_line.h"

namespace grid::bench {
namespace {

int Run(SendingSystem& system, const Workload& workload) {
  absl::Status status = system.Start();
  if (status.ok()) {
    const Window window = WindowFrom(Clock::now(), workload);
    CpuMeter cpu(window, std::nullopt);
    const Tally tally = system.Run(workload, window);
    std::fputs(FormatReport(system.name(), workload, tally, cpu.Finish()).c_str(), stdout);
    status = tally.first_error;
  }
  if (status.ok()) return 0;
  tools::PrintError("bench_" + std::string(system.name()), status.ToString());
  return tools::kExitFailure;
}

}  // namespace

int MainOfSends(SendingSystem& system, int argc, char** argv) {
  const std::string program = "bench_" + std::string(system.name());
  CLI::App app("One actor sends to another in one process; prints one line of JSON.", program);
  Workload workload{.mode = Mode::kOneWay,
                    .inflight = 256,
                    .size = sizeof(uint64_t),
                    .warm_up = std::chrono::milliseconds(500),
                    .duration = std::chrono::seconds(2)};
  app.add_option("--inflight", workload.inflight, "messages of a burst")
      ->check(CLI::Range(1, 100'000));
  AddDurationFlag(app, "--duration", &workload.duration, "measured time, as 2s (the default)");
  AddDurationFlag(app, "--warm-up", &workload.warm_up, "before it, as 500ms (the default)");
  system.AddFlags(app);
  if (const auto parsed = tools::ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }
  try {
    return Run(system, workload);
  } catch (const std::exception& error) {
    tools::PrintError(program, error.what());
    return tools::kExitFailure;
  }
}

}  // namespace grid::bench
