// bench_idle: the memory that idle streams and idle connections take, by the growth of the resident
// set; per stream or connection, in bytes.
//
//   bench_idle --streams 100000       streams of one connection, both ends in this process
//   bench_idle --connections 1000     connections of one manager, to as many others in a child
//
// `_closed` is what remains of it after they are closed, `_trimmed` after malloc_trim; `_reopened`
// is as much as at first unless something leaks.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "bench/e2e/idle.h"
#include "tools/common/command_line.h"

namespace grid::bench {
namespace {

constexpr char kProgram[] = "bench_idle";

int Run(int argc, char** argv) {
  CLI::App app("Memory of what is open and idle; prints one line of JSON for each.", kProgram);
  size_t streams = 0;
  size_t connections = 0;
  uint16_t port = 9690;
  app.add_option("--streams", streams, "idle streams; 100000 when nothing is given")
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--connections", connections, "idle connections; 1000 when nothing is given")
      ->check(CLI::Range(1, 20'000));
  app.add_option("--port", port, "where to listen");
  if (const auto parsed = tools::ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }
  if (streams == 0 && connections == 0) {
    streams = 100'000;
    connections = 1'000;
  }
  const auto print = [](const absl::StatusOr<std::string>& line) {
    if (line.ok()) std::fputs(line->c_str(), stdout);
    if (!line.ok()) tools::PrintError(kProgram, line.status().ToString());
    return line.ok();
  };
  // Connections first: their processes begin with as little as there is.
  if (connections > 0 && !print(MeasureConnections(connections, port))) return 1;
  if (streams > 0 && !print(MeasureStreams(streams, port))) return 1;
  return 0;
}

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) { return grid::bench::Run(argc, argv); }
