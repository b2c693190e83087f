// Handing work to a link's thread: a task pushed and drained, by one thread in batches, and by
// several at once against one that drains. The tasks are used again, so the queue alone is
// measured.
//
//   build/release/bin/task_queue_bench
#include "grid/runtime/task_queue.h"

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "bench/micro/measure.h"

namespace grid {
namespace {

struct Task final : LinkTask {
  void Run(Link&) override {}
  std::atomic<bool> free{true};
};

void Push(TaskQueue& queue, Task* task) {
  std::unique_ptr<LinkTask> owner(task);
  benchmark::DoNotOptimize(queue.Push(owner));
}
// The task stays with those who push it.
void GiveBack(std::unique_ptr<LinkTask> task) {
  static_cast<Task*>(task.release())->free.store(true, std::memory_order_release);
}

void OneThread(benchmark::State& state) {
  TaskQueue queue;
  std::vector<Task> tasks(static_cast<size_t>(state.range(0)));
  const auto operation = [&] {
    for (Task& task : tasks) Push(queue, &task);
    queue.Drain(GiveBack);
  };
  bench::Measure(state, operation, state.range(0));
}

// Pushes its tasks round and round, each as soon as it is back.
class Producer {
 public:
  explicit Producer(TaskQueue* queue) : queue_(queue), thread_([this] { Run(); }) {}
  ~Producer() { thread_.join(); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void Stop() { stop_.store(true, std::memory_order_relaxed); }

 private:
  void Run() {
    for (size_t next = 0; !stop_.load(std::memory_order_relaxed); next = (next + 1) % kTasks) {
      Task& task = tasks_[next];
      while (!task.free.load(std::memory_order_acquire)) {
        if (stop_.load(std::memory_order_relaxed)) return;
        std::this_thread::yield();
      }
      task.free.store(false, std::memory_order_relaxed);
      Push(*queue_, &task);
    }
  }

  static constexpr size_t kTasks = 64;

  TaskQueue* const queue_;
  std::atomic<bool> stop_{false};
  std::array<Task, kTasks> tasks_;
  std::thread thread_;  // the last: it uses the others
};

// One iteration is one task drained.
void Producers(benchmark::State& state) {
  TaskQueue queue;
  std::vector<std::unique_ptr<Producer>> producers;
  for (int64_t i = 0; i < state.range(0); ++i) {
    producers.push_back(std::make_unique<Producer>(&queue));
  }
  int64_t ahead = 0;  // drained, and not yet counted as an iteration
  int64_t batches = 0;
  for (auto _ : state) {
    while (ahead == 0) {
      queue.Drain([&ahead](std::unique_ptr<LinkTask> task) {
        GiveBack(std::move(task));
        ++ahead;
      });
      if (ahead > 0) {
        ++batches;
      } else {
        std::this_thread::yield();
      }
    }
    --ahead;
  }
  for (const auto& producer : producers) producer->Stop();
  producers.clear();
  queue.Drain(GiveBack);
  state.counters["tasks per batch"] =
      static_cast<double>(state.iterations()) / static_cast<double>(batches);
}

BENCHMARK(OneThread)->Arg(1)->Arg(16)->Arg(256);
BENCHMARK(Producers)->Arg(1)->Arg(2)->Arg(3)->UseRealTime();

}  // namespace
}  // namespace grid
