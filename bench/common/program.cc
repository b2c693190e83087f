#include "bench/common/program.h"

#include <signal.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "bench/common/cpu_meter.h"
#include "bench/common/flags.h"
#include "bench/common/report.h"
#include "tools/common/command_line.h"

namespace grid::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct RunFlags {
  Workload workload{.warm_up = milliseconds(500), .duration = seconds(2)};
  std::optional<pid_t> server;
};

int Fail(const System& system, const absl::Status& status) {
  tools::PrintError("bench_" + system.name(), status.ToString());
  return tools::kExitFailure;
}

void AddPlaceFlags(const System& system, CLI::App& command, Place* place) {
  command.add_option("ADDRESS", place->address, "the server's HOST:PORT")->required();
  if (!system.polls()) return;
  AddDurationFlag(command, "--poll", &place->poll, "how long to spin before blocking, as 50us");
}

void AddWorkloadFlags(const System& system, CLI::App& command, RunFlags* flags) {
  Workload& workload = flags->workload;
  std::map<std::string, Mode> modes;
  for (const Mode mode : system.modes()) modes[std::string(ModeName(mode))] = mode;
  command.add_option("--mode", workload.mode, "what the messages are")
      ->transform(CLI::CheckedTransformer(modes));
  command.add_option("--inflight", workload.inflight, "messages in flight, or the stream's window")
      ->check(CLI::Range(1, 100'000));
  command.add_option("--size", workload.size, "bytes of payload")
      ->check(CLI::Range(size_t{0}, size_t{16} << 20));
  command.add_option("--rate", workload.rate, "messages per second; otherwise a closed loop")
      ->check(CLI::PositiveNumber);
  AddDurationFlag(command, "--duration", &workload.duration, "measured time, as 2s (the default)");
  AddDurationFlag(command, "--warm-up", &workload.warm_up, "before it, as 500ms (the default)");
  command.add_option("--server-pid", flags->server, "process whose processor time is the server's");
}

int Run(System& system, const Place& place, const RunFlags& flags) {
  const Workload& workload = flags.workload;
  if (workload.mode == Mode::kOneWay && workload.rate > 0) {
    tools::PrintError("bench_" + system.name(), "--rate: the server decides in a one-way run");
    return tools::kExitBadArguments;
  }
  auto client = system.Connect(place, workload);
  if (!client.ok()) return Fail(system, client.status());

  const Window window = WindowFrom(Clock::now(), workload);
  CpuMeter cpu(window, flags.server);
  const Tally tally = (*client)->Run(window);
  const std::string report =
      FormatReport(system.name(), workload, tally, cpu.Finish(), (*client)->MoreOfReport());
  std::fputs(report.c_str(), stdout);
  std::fflush(stdout);

  if (tally.errors == 0) return 0;
  return Fail(system, absl::UnknownError(absl::StrCat(
                          tally.errors, " errors, the first: ", tally.first_error.ToString())));
}

}  // namespace

void PrintReady(const std::string& address) {
  std::printf("ready %s\n", address.c_str());
  std::fflush(stdout);
}

int Main(System& system, int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  // Timers of an open loop go off when they are due, not 50 us later. Threads inherit it.
  prctl(PR_SET_TIMERSLACK, 1UL);

  CLI::App app("The same workload over " + system.name() + ".", "bench_" + system.name());
  app.require_subcommand(1);
  Place place;
  CLI::App* serve = app.add_subcommand("serve", "answer until SIGTERM");
  AddPlaceFlags(system, *serve, &place);
  system.AddServeFlags(*serve);
  RunFlags flags;
  CLI::App* run = app.add_subcommand("run", "measure; prints one line of JSON");
  AddPlaceFlags(system, *run, &place);
  AddWorkloadFlags(system, *run, &flags);
  system.AddRunFlags(*run);
  if (const auto parsed = tools::ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }
  try {
    if (run->parsed()) return Run(system, place, flags);
    const absl::Status served = system.Serve(place);
    return served.ok() ? 0 : Fail(system, served);
  } catch (const std::exception& error) {
    return Fail(system, absl::InternalError(error.what()));
  }
}

}  // namespace grid::bench
