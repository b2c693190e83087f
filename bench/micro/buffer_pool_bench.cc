// A block of bytes taken and given back, by one thread and from one to another, by the pool and by
// malloc.
//
//   build/release/bin/buffer_pool_bench
//
// Between threads every block passes through a ring, which costs more than either allocator: the
// lines `Nothing` show that part alone.
#include "serialization/buffer_pool.h"

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "bench/micro/measure.h"

namespace grid {
namespace {

struct Pool {
  using Block = Buffer;
  Block Take(size_t size) { return pool->Take(size); }
  const std::shared_ptr<BufferPool> pool = BufferPool::Create();
};

struct Malloc {
  struct Free {
    void operator()(void* block) const { std::free(block); }
  };
  using Block = std::unique_ptr<void, Free>;
  Block Take(size_t size) { return Block(std::malloc(size)); }
};

struct Nothing {
  using Block = size_t;
  Block Take(size_t size) { return size; }
};

template <typename Allocator>
void SameThread(benchmark::State& state) {
  Allocator allocator;
  const auto size = static_cast<size_t>(state.range(0));
  bench::Measure(state, [&] {
    auto block = allocator.Take(size);
    benchmark::DoNotOptimize(block);
  });
}

// From one thread to one other. Who can't go on lets others run: there may be one core only.
template <typename Block>
class Ring {
 public:
  void Push(Block block) {
    const size_t at = end_.load(std::memory_order_relaxed);
    while (at - begin_.load(std::memory_order_acquire) == kSlots) std::this_thread::yield();
    slots_[at % kSlots] = std::move(block);
    end_.store(at + 1, std::memory_order_release);
  }
  Block Pop() {
    const size_t at = begin_.load(std::memory_order_relaxed);
    while (end_.load(std::memory_order_acquire) == at) std::this_thread::yield();
    Block block = std::move(slots_[at % kSlots]);
    begin_.store(at + 1, std::memory_order_release);
    return block;
  }

 private:
  static constexpr size_t kSlots = 1024;

  std::array<Block, kSlots> slots_{};
  alignas(64) std::atomic<size_t> begin_{0};
  alignas(64) std::atomic<size_t> end_{0};
};

template <typename Allocator>
void CrossThread(benchmark::State& state) {
  struct Item {
    typename Allocator::Block block{};
    bool last = false;
  };
  Allocator allocator;
  Ring<Item> ring;
  const auto size = static_cast<size_t>(state.range(0));
  std::thread other([&ring] {
    for (;;) {
      const Item item = ring.Pop();
      benchmark::DoNotOptimize(item.block);
      if (item.last) return;
    }
  });
  bench::Measure(state, [&] { ring.Push({allocator.Take(size)}); });
  ring.Push({.last = true});
  other.join();
}

BENCHMARK_TEMPLATE(SameThread, Pool)->Arg(64)->Arg(512)->Arg(4096)->Arg(65536)->Arg(1 << 20);
BENCHMARK_TEMPLATE(SameThread, Malloc)->Arg(64)->Arg(512)->Arg(4096)->Arg(65536)->Arg(1 << 20);
BENCHMARK_TEMPLATE(CrossThread, Pool)->Arg(512)->Arg(65536)->UseRealTime();
BENCHMARK_TEMPLATE(CrossThread, Malloc)->Arg(512)->Arg(65536)->UseRealTime();
BENCHMARK_TEMPLATE(CrossThread, Nothing)->Arg(512)->UseRealTime();

}  // namespace
}  // namespace grid
