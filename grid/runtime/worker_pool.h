// WorkerPool: where handlers that may block run. A bounded queue in front of threads, or of an
// executor of the host program's. Thread-safe.
//
// Wake-ups are what a short task costs most, so there is one at a time: Submit wakes one idle
// worker for all that it brings, and a worker that leaves tasks behind wakes the next before it
// runs its own. A burst of short tasks costs a wake-up or two; one that blocks delays nothing while
// a worker is idle.
//
//   WorkerTasks tasks;                      // of one I/O event
//   if (pool.Reserve()) tasks.Push(std::move(task));
//   ...
//   pool.Submit(std::move(tasks));          // at its end
#ifndef GRID_GRID_RUNTIME_WORKER_POOL_H_
#define GRID_GRID_RUNTIME_WORKER_POOL_H_

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

namespace grid {

// Something to do on a worker, once. Destroyed without having run when the pool stops first.
class WorkerTask {
 public:
  virtual ~WorkerTask() = default;
  // `self`: this, to be kept for as long as it is needed. Must not throw.
  virtual void RunOnWorker(std::unique_ptr<WorkerTask> self) = 0;

 private:
  friend class WorkerTasks;
  WorkerTask* next_ = nullptr;
};

// A list of tasks, oldest first. Owns them; linked through them.
class WorkerTasks {
 public:
  WorkerTasks() = default;
  WorkerTasks(WorkerTasks&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), end_(other.end_), size_(other.size_) {
    if (first_ == nullptr) end_ = &first_;
    other.end_ = &other.first_;
    other.size_ = 0;
  }
  WorkerTasks& operator=(WorkerTasks&&) = delete;
  ~WorkerTasks() {
    while (!empty()) Pop();
  }

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }
  void Push(std::unique_ptr<WorkerTask> task) {
    task->next_ = nullptr;
    *end_ = task.get();
    end_ = &task.release()->next_;
    ++size_;
  }
  // Moves all of `later` to the end.
  void Append(WorkerTasks& later) {
    if (later.empty()) return;
    *end_ = std::exchange(later.first_, nullptr);
    end_ = std::exchange(later.end_, &later.first_);
    size_ += std::exchange(later.size_, 0);
  }
  // Not when empty.
  std::unique_ptr<WorkerTask> Pop() {
    std::unique_ptr<WorkerTask> task(first_);
    first_ = first_->next_;
    if (first_ == nullptr) end_ = &first_;
    --size_;
    return task;
  }

 private:
  WorkerTask* first_ = nullptr;
  WorkerTask** end_ = &first_;
  size_t size_ = 0;
};

class WorkerPool {
 public:
  // At most `max_queue` tasks wait. With `executor` set tasks are posted there, and `threads` is
  // ignored.
  WorkerPool(int threads, size_t max_queue, boost::asio::any_io_executor executor);
  ~WorkerPool();  // Stop()

  void Start();
  // Takes room for one task, to be submitted soon. False when the queue is full or the pool has
  // stopped.
  bool Reserve();
  // Runs each of `tasks` on a worker; each has its room already.
  void Submit(WorkerTasks tasks);
  // Waits for running tasks, drops waiting ones. Not on a worker, and not on two threads at once.
  // Idempotent.
  void Stop();

  // Tasks with room that do not run yet.
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // True inside a task, also on the host program's executor.
  bool RunningHere() const;

 private:
  void Run();
  void Post(std::unique_ptr<WorkerTask> task);
  void GiveBack(size_t room) { waiting_.fetch_sub(room, std::memory_order_relaxed); }
  // True: the caller has to notify `work_`, best without the lock.
  bool ShouldWake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int thread_count_;
  const size_t max_queue_;
  const boost::asio::any_io_executor executor_;
  std::atomic<size_t> waiting_{0};
  std::atomic<bool> stopping_{false};  // set with mutex_ held

  std::mutex mutex_;
  WorkerTasks queue_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;         // workers that wait for work_
  bool waking_ ABSL_GUARDED_BY(mutex_) = false;  // one of them was told, and has not looked yet
  std::condition_variable work_;
  std::vector<std::thread> threads_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_WORKER_POOL_H_
