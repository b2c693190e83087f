// The worker pool's threads: nothing is lost, and nothing waits behind a handler that blocks.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "grid/runtime/worker_pool.h"

namespace grid {
namespace {

class FunctionTask final : public WorkerTask {
 public:
  explicit FunctionTask(std::function<void()> function) : function_(std::move(function)) {}
  void RunOnWorker(std::unique_ptr<WorkerTask>) override { function_(); }

 private:
  const std::function<void()> function_;
};

// False: there was no room.
bool Add(WorkerPool& pool, WorkerTasks& tasks, std::function<void()> function) {
  if (!pool.Reserve()) return false;
  tasks.Push(std::make_unique<FunctionTask>(std::move(function)));
  return true;
}

bool Submit(WorkerPool& pool, std::function<void()> function) {
  WorkerTasks one;
  if (!Add(pool, one, std::move(function))) return false;
  pool.Submit(std::move(one));
  return true;
}

constexpr int kWorkers = 4;

class WorkerPoolThreads : public testing::Test {
 protected:
  void SetUp() override { pool_.Start(); }

  WorkerPool pool_{kWorkers, 1000, {}};
};

TEST_F(WorkerPoolThreads, EveryTaskRunsOnce_SubmittedByManyInBatchesOfAnySize) {
  constexpr int kSubmitters = 3;
  constexpr int kTasks = 20000;
  std::vector<std::atomic<int>> runs(kSubmitters * kTasks);
  std::atomic<int> left = kSubmitters * kTasks;
  std::promise<void> all;
  std::vector<std::thread> submitters;
  for (int s = 0; s < kSubmitters; ++s) {
    submitters.emplace_back([&, s] {
      size_t batch = 1;
      WorkerTasks tasks;
      for (int i = 0; i < kTasks;) {
        const bool room = Add(pool_, tasks, [&, n = s * kTasks + i] {
          ++runs[n];
          if (--left == 0) all.set_value();
        });
        if (room) ++i;
        if (room && tasks.size() < batch && i < kTasks) continue;
        pool_.Submit(std::move(tasks));
        batch = batch % 37 + 1;
        if (!room) std::this_thread::yield();
      }
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  all.get_future().wait();
  for (const auto& count : runs) ASSERT_EQ(count, 1);
  EXPECT_EQ(pool_.waiting(), 0u);
}

// All but one worker are blocked by the first tasks of a batch: the last worker gets the rest.
TEST_F(WorkerPoolThreads, BlockedTasks_DelayNothingWhileAWorkerIsIdle) {
  struct Round {
    std::promise<void> go;
    std::shared_future<void> released = go.get_future().share();
    std::latch blocked{kWorkers - 1}, quick{20};
  };
  std::deque<Round> rounds;
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    Round& round = rounds.emplace_back();
    WorkerTasks tasks;
    for (int j = 1; j < kWorkers; ++j) {
      ASSERT_TRUE(Add(pool_, tasks, [&round] {
        round.blocked.count_down();
        round.released.wait();
      }));
    }
    for (int j = 0; j < 10; ++j) {
      ASSERT_TRUE(Add(pool_, tasks, [&round] { round.quick.count_down(); }));
    }
    pool_.Submit(std::move(tasks));
    round.blocked.wait();
    for (int j = 0; j < 10; ++j) {
      ASSERT_TRUE(Submit(pool_, [&round] { round.quick.count_down(); }));
    }
    round.quick.wait();  // for ever, if one waits behind a blocked task
    round.go.set_value();
  }
  pool_.Stop();
}

// Each task submits the next and then blocks until the last one runs.
TEST_F(WorkerPoolThreads, TaskSubmittedByOneThatBlocks_FindsAnotherWorker) {
  std::deque<std::latch> rounds;
  const std::function<void(std::latch&, int)> start = [&](std::latch& all, int n) {
    EXPECT_TRUE(Submit(pool_, [&start, &all, n] {
      if (n > 1) start(all, n - 1);
      all.arrive_and_wait();
    }));
  };
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    std::latch& all = rounds.emplace_back(kWorkers + 1);
    start(all, kWorkers);
    all.arrive_and_wait();
  }
  pool_.Stop();
}

TEST_F(WorkerPoolThreads, Stop_WaitsForWhatRunsAndDropsTheRest) {
  std::latch running(kWorkers);
  std::promise<void> go;
  const std::shared_future<void> released = go.get_future().share();
  std::atomic<int> finished = 0;
  for (int i = 0; i < 3 * kWorkers; ++i) {
    ASSERT_TRUE(Submit(pool_, [&] {
      running.count_down();
      released.wait();
      ++finished;
    }));
  }
  running.wait();
  EXPECT_EQ(pool_.waiting(), 2u * kWorkers);
  std::thread stopping([&] { pool_.Stop(); });
  while (pool_.waiting() > 0) std::this_thread::yield();  // until it has begun
  go.set_value();
  stopping.join();
  EXPECT_EQ(finished, kWorkers);
}

TEST_F(WorkerPoolThreads, RunningHere_OnAWorkerOnly) {
  EXPECT_FALSE(pool_.RunningHere());
  std::promise<bool> there;
  ASSERT_TRUE(Submit(pool_, [&] { there.set_value(pool_.RunningHere()); }));
  EXPECT_TRUE(there.get_future().get());
}

}  // namespace
}  // namespace grid
