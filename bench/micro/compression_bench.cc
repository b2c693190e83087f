// What compression costs one payload at either end, beside the copy that is made without it; for
// records of JSON that are alike.
//
//   build/release/bin/compression_bench --benchmark_filter='/4096'
//
// A line is called after what it does, the payload's size and the level. `ratio`: how many times
// smaller it gets.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "bench/micro/measure.h"
#include "serialization/zstd_codec.h"
#include "tests/json_payload.h"

namespace grid {
namespace {

struct Sample {
  explicit Sample(const benchmark::State& state)
      : payload(test::JsonPayload(static_cast<size_t>(state.range(0)))),
        level(static_cast<uint32_t>(state.range(1))) {
    payload.resize(static_cast<size_t>(state.range(0)));
    how = codec->Compress(AsBytes(payload), level, 0, *pool, &frame);
    if (how.original_bytes == 0) std::abort();
  }

  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
  const std::shared_ptr<ZstdCodec> codec = *ZstdCodec::Create({});
  std::string payload;
  const uint32_t level;
  Buffer frame;
  Compressed how;
};

void Count(benchmark::State& state, const Sample& sample) {
  state.SetBytesProcessed(static_cast<int64_t>(sample.payload.size()) * state.iterations());
  state.counters["ratio"] =
      static_cast<double>(sample.payload.size()) / static_cast<double>(sample.frame.size());
}

void Off(benchmark::State& state) {
  const Sample sample(state);
  bench::Measure(state, [&] {
    const Buffer copy = sample.pool->Copy(AsBytes(sample.payload));
    benchmark::DoNotOptimize(copy.data());
    benchmark::ClobberMemory();
  });
  Count(state, sample);
}

void Compress(benchmark::State& state) {
  const Sample sample(state);
  bench::Measure(state, [&] {
    Buffer frame;
    sample.codec->Compress(AsBytes(sample.payload), sample.level, 0, *sample.pool, &frame);
    if (frame.is_nil()) std::abort();
  });
  Count(state, sample);
}

void Decompress(benchmark::State& state) {
  const Sample sample(state);
  bench::Measure(state, [&] {
    Buffer payload;
    if (sample.codec->Check(sample.frame, sample.how, size_t{1} << 20) != CompressionFault::kNone ||
        sample.codec->Decompress(sample.frame, sample.how, *sample.pool, &payload) !=
            CompressionFault::kNone) {
      std::abort();
    }
  });
  Count(state, sample);
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{4096, 65536}, {1, 3}})->ArgNames({"", "level"});
}

BENCHMARK(Off)->Apply(Sizes);
BENCHMARK(Compress)->Apply(Sizes);
BENCHMARK(Decompress)->Apply(Sizes);

}  // namespace
}  // namespace grid
