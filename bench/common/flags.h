// Options that CLI11 has no type for.
#ifndef GRID_BENCH_COMMON_FLAGS_H_
#define GRID_BENCH_COMMON_FLAGS_H_

#include <chrono>

namespace CLI {
class App;
}

namespace grid::bench {

// An option that takes a duration, as "500ms" or "50us".
void AddDurationFlag(CLI::App& command, const char* name, std::chrono::nanoseconds* value,
                     const char* help);

}  // namespace grid::bench

#endif  // GRID_BENCH_COMMON_FLAGS_H_
