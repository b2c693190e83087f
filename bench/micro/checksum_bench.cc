// The checksum of a message, beside a copy of the same bytes.
//
//   build/release/bin/checksum_bench
#include "serialization/checksum.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "bench/micro/measure.h"

namespace grid {
namespace {

void Checksum(benchmark::State& state) {
  const std::vector<uint8_t> bytes(static_cast<size_t>(state.range(0)), 0xA5);
  bench::Measure(state, [&] { benchmark::DoNotOptimize(MessageChecksum(bytes)); });
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void Copy(benchmark::State& state) {
  const std::vector<uint8_t> bytes(static_cast<size_t>(state.range(0)), 0xA5);
  // Half a page away from where it comes from: processors of AMD copy ten times slower to what is a
  // few bytes further on in its page.
  std::vector<uint8_t> to(bytes.size() + 2 * 4096);
  const auto from_page = reinterpret_cast<uintptr_t>(bytes.data()) % 4096;
  const auto to_page = reinterpret_cast<uintptr_t>(to.data()) % 4096;
  uint8_t* const out = to.data() + (from_page + 4096 + 2048 - to_page) % 4096;
  bench::Measure(state, [&] {
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    benchmark::DoNotOptimize(out);
    benchmark::ClobberMemory();
  });
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

BENCHMARK(Checksum)->Arg(0)->Arg(32)->Arg(512)->Arg(4096)->Arg(65536);
BENCHMARK(Copy)->Arg(0)->Arg(32)->Arg(512)->Arg(4096)->Arg(65536);

}  // namespace
}  // namespace grid
