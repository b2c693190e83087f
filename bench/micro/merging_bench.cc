// Merging: messages pushed into the output queue and written as one, and that one taken apart.
//
//   build/release/bin/merging_bench
//
// A line is called after the payload's size and how many messages go together.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <vector>

#include "bench/micro/measure.h"
#include "grid/mux/output_queue.h"
#include "serialization/merged.h"

namespace grid {
namespace {

class Merging {
 public:
  explicit Merging(const benchmark::State& state)
      : payload_(static_cast<size_t>(state.range(0)), 0xA5), count_(state.range(1)) {}

  int64_t count() const { return count_; }
  void Push() {
    const Message message{.mux_id = 0x12345600007,
                          .handler = 78,
                          .op = Op::kRequest,
                          .flags = kFlagEof | kFlagCrc,
                          .payload = payload_};
    for (int64_t i = 0; i < count_; ++i) queue_.Push(message);
  }
  // Each batch that is written; `use` may look at it.
  template <typename Use>
  void Write(Use&& use) {
    while (queue_.CanStartWrite()) {
      use(queue_.StartWrite());
      queue_.FinishWrite();
    }
  }

 private:
  const std::vector<uint8_t> payload_;
  const int64_t count_;
  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  SessionCounters counters_;
  OutputQueue queue_{*pool_, counters_};
};

void Merge(benchmark::State& state) {
  Merging merging(state);
  const auto operation = [&] {
    merging.Push();
    merging.Write([](MutableBytes batch) { benchmark::DoNotOptimize(batch.data()); });
  };
  bench::Measure(state, operation, merging.count());
}

// Finds the messages, and leaves them undecoded.
void TakeApart(benchmark::State& state) {
  Merging merging(state);
  std::vector<std::vector<uint8_t>> batches;
  merging.Push();
  merging.Write([&](MutableBytes batch) { batches.emplace_back(batch.begin(), batch.end()); });
  const auto operation = [&] {
    for (const std::vector<uint8_t>& batch : batches) {
      Message outer;
      BytesView rest;
      if (DecodeMessage(batch, &outer, &rest) != DecodeError::kOk) std::abort();
      if (outer.op != Op::kMerged) continue;
      MergedReader reader(outer.seq, rest);
      BytesView inner;
      while (reader.Next(&inner)) benchmark::DoNotOptimize(inner.data());
      if (!reader.ok()) std::abort();
    }
  };
  bench::Measure(state, operation, merging.count());
}

void Sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{32, 512}, {1, 16, 256}})->ArgNames({"", "messages"});
}
BENCHMARK(Merge)->Apply(Sizes);
BENCHMARK(TakeApart)->Apply(Sizes);

}  // namespace
}  // namespace grid
