#include "grid/runtime/worker_pool.h"

#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <utility>

namespace grid {
namespace {

// The pool whose task this thread runs.
thread_local const WorkerPool* current_pool = nullptr;

class Current {
 public:
  explicit Current(const WorkerPool* pool) : outer_(std::exchange(current_pool, pool)) {}
  ~Current() { current_pool = outer_; }

 private:
  const WorkerPool* const outer_;
};

void RunTask(std::unique_ptr<WorkerTask> task) {
  WorkerTask& running = *task;
  running.RunOnWorker(std::move(task));
}

}  // namespace

WorkerPool::WorkerPool(int threads, size_t max_queue, boost::asio::any_io_executor executor)
    : thread_count_(threads), max_queue_(max_queue), executor_(std::move(executor)) {}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Start() {
  if (executor_) return;
  for (int i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { Run(); });
}

bool WorkerPool::Reserve() {
  if (stopping_.load(std::memory_order_relaxed)) return false;
  size_t waiting = waiting_.load(std::memory_order_relaxed);
  do {
    if (waiting >= max_queue_) return false;
  } while (!waiting_.compare_exchange_weak(waiting, waiting + 1, std::memory_order_relaxed));
  return true;
}

void WorkerPool::Submit(WorkerTasks tasks) {
  if (executor_) {
    while (!tasks.empty()) Post(tasks.Pop());
    return;
  }
  bool wake;
  {
    std::lock_guard lock(mutex_);
    if (stopping_.load(std::memory_order_relaxed)) return GiveBack(tasks.size());  // drops them
    queue_.Append(tasks);
    wake = ShouldWake();
  }
  if (wake) work_.notify_one();
}

void WorkerPool::Post(std::unique_ptr<WorkerTask> task) {
  // Asio copies what it posts through a type-erased executor; the task can only be moved.
  auto shared = std::make_shared<std::unique_ptr<WorkerTask>>(std::move(task));
  boost::asio::post(executor_, [this, shared] {
    GiveBack(1);
    const Current current(this);
    RunTask(std::move(*shared));
  });
}

// Whenever tasks and idle workers both wait, a worker is on its way. If that one leaves tasks
// behind it calls this before it runs its own, and so on until no task waits or no worker is idle.
bool WorkerPool::ShouldWake() {
  if (waking_ || idle_ == 0 || queue_.empty()) return false;
  waking_ = true;
  return true;
}

void WorkerPool::Run() {
  const Current current(this);
  std::unique_lock lock(mutex_);
  for (;;) {
    while (queue_.empty() && !stopping_.load(std::memory_order_relaxed)) {
      ++idle_;
      work_.wait(lock);
      --idle_;
      waking_ = false;
    }
    if (stopping_.load(std::memory_order_relaxed)) return;
    std::unique_ptr<WorkerTask> task = queue_.Pop();
    GiveBack(1);
    const bool wake = ShouldWake();
    lock.unlock();
    if (wake) work_.notify_one();
    RunTask(std::move(task));
    lock.lock();
  }
}

void WorkerPool::Stop() {
  WorkerTasks dropped;  // destroyed without the lock
  {
    std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_relaxed);
    dropped.Append(queue_);
    GiveBack(dropped.size());
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool WorkerPool::RunningHere() const { return current_pool == this; }

}  // namespace grid
