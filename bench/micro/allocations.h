// Counts what a benchmark allocates.
#ifndef GRID_BENCH_MICRO_ALLOCATIONS_H_
#define GRID_BENCH_MICRO_ALLOCATIONS_H_

#include <cstdint>

namespace grid::bench {

// Calls of operator new by this thread so far.
uint64_t Allocations();

}  // namespace grid::bench

#endif  // GRID_BENCH_MICRO_ALLOCATIONS_H_
