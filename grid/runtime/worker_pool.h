// WorkerPool: where handlers that may block run. A bounded queue in front of threads, or of an
// executor of the host program's. Thread-safe.
#ifndef GRID_GRID_RUNTIME_WORKER_POOL_H_
#define GRID_GRID_RUNTIME_WORKER_POOL_H_

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"

namespace grid {

class WorkerPool {
 public:
  using Task = absl::AnyInvocable<void()>;

  // At most `max_queue` tasks wait. With `executor` set tasks are posted there, and `threads` is
  // ignored.
  WorkerPool(int threads, size_t max_queue, boost::asio::any_io_executor executor);
  ~WorkerPool();  // Stop()

  void Start();
  // Runs `task` on a worker. False when the queue is full or the pool has stopped; `task` is
  // untouched then.
  bool Submit(Task&& task);
  // Waits for running tasks, drops waiting ones. Not on a worker, and not on two threads at once.
  // Idempotent.
  void Stop();

  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // True inside a task, also on the host program's executor.
  bool RunningHere() const;

 private:
  void Run();

  const int thread_count_;
  const size_t max_queue_;
  const boost::asio::any_io_executor executor_;
  std::atomic<size_t> waiting_{0};

  mutable std::mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::condition_variable work_;
  std::vector<std::thread> threads_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_WORKER_POOL_H_
