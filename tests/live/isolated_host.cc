// A host program with the hook at the top of its main. Run by itself it starts an actor in a
// process of its own, prints that one's pid, and waits for ever.
#include <unistd.h>

#include <cstdio>

#include "tests/live/isolated_world.h"

int main(int argc, char** argv) {
  const grid::KindTable kinds = grid::live::IsolatedKinds();
  if (const auto code = grid::RunIsolatedActor(argc, argv, kinds, grid::live::IsolatedClientOf))
    return *code;

  grid::live::IsolatedWorld world;
  const auto started = world.Start("1");
  if (!started.status.ok()) {
    std::fprintf(stderr, "%s\n", started.status.ToString().c_str());
    return 1;
  }
  const absl::StatusOr<int64_t> pid = world.Ask(*started.cell, grid::live::kPid);
  std::printf("pid %lld\n", pid.ok() ? static_cast<long long>(*pid) : -1);
  std::fflush(stdout);
  for (;;) pause();
}
