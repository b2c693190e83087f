// Measure: runs a benchmark's operation warm, and says how often it allocates.
//
//   void EncodeReply(benchmark::State& state) {
//     bench::Measure(state, [&] { ... });              // time and allocations of one call
//     bench::Measure(state, [&] { ... }, 16);          // of a batch of 16: also of each
//   }
#ifndef GRID_BENCH_MICRO_MEASURE_H_
#define GRID_BENCH_MICRO_MEASURE_H_

#include <benchmark/benchmark.h>

#include <cstdint>

#include "bench/micro/allocations.h"

namespace grid::bench {

// `operation` does `batch` of what is measured. Counters: `allocations` of each, on this thread;
// `each`, the time of one, where the batch is of more.
template <typename Operation>
void Measure(benchmark::State& state, Operation&& operation, int64_t batch = 1) {
  for (int i = 0; i < 100; ++i) operation();  // pools and tables have their size afterwards
  const uint64_t before = Allocations();
  for (auto _ : state) operation();
  const auto allocated = static_cast<double>(Allocations() - before);
  const auto done = static_cast<double>(state.iterations() * batch);
  state.counters["allocations"] = allocated / done;
  if (batch == 1) return;
  state.counters["each"] =
      benchmark::Counter(done, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace grid::bench

#endif  // GRID_BENCH_MICRO_MEASURE_H_
