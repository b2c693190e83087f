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

}  // namespace

WorkerPool::WorkerPool(int threads, size_t max_queue, boost::asio::any_io_executor executor)
    : thread_count_(threads), max_queue_(max_queue), executor_(std::move(executor)) {}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Start() {
  if (executor_) return;
  for (int i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { Run(); });
}

bool WorkerPool::Submit(Task&& task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.load(std::memory_order_relaxed) >= max_queue_) return false;
    waiting_.fetch_add(1, std::memory_order_relaxed);
    if (!executor_) {
      queue_.push_back(std::move(task));
      work_.notify_one();
      return true;
    }
  }
  // Asio copies what it posts through a type-erased executor; the task can only be moved.
  auto shared = std::make_shared<Task>(std::move(task));
  boost::asio::post(executor_, [this, shared] {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    const Current current(this);
    (*shared)();
  });
  return true;
}

void WorkerPool::Run() {
  const Current current(this);
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      task = std::move(queue_.front());
      queue_.pop_front();
      waiting_.fetch_sub(1, std::memory_order_relaxed);
    }
    task();
  }
}

void WorkerPool::Stop() {
  std::deque<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
    if (!executor_) waiting_.store(0, std::memory_order_relaxed);
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool WorkerPool::RunningHere() const { return current_pool == this; }

}  // namespace grid
