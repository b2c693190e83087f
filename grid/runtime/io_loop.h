// IoLoop: one I/O thread, as the runtime sees it: an io_context, and the question "are we on it?".
// IoLoops: all of a manager's, with the threads that run them unless the host program does.
#ifndef GRID_GRID_RUNTIME_IO_LOOP_H_
#define GRID_GRID_RUNTIME_IO_LOOP_H_

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

namespace grid {

namespace asio = boost::asio;

class IoLoop {
 public:
  IoLoop(asio::io_context& io, size_t index) : io_(io), index_(index) {}

  asio::io_context& io() const { return io_; }
  size_t index() const { return index_; }
  // True on the thread that runs this loop, inside its io_context.
  bool RunningHere() const { return io_.get_executor().running_in_this_thread(); }

  // `link` begins to handle what it has read. False when another did last: then the thread has more
  // to do than to keep one peer busy. On the loop; the pointer is compared only.
  bool TakeTurn(const void* link) { return std::exchange(last_, link) == link; }

 private:
  asio::io_context& io_;
  const size_t index_;
  const void* last_ = nullptr;
};

class IoLoops {
 public:
  // Own io_contexts, with a thread each from Start on, which polls for up to `poll_budget`.
  explicit IoLoops(int threads, std::chrono::microseconds poll_budget = {});
  // The host program's: it runs them.
  explicit IoLoops(const std::vector<asio::io_context*>& external);
  ~IoLoops();  // Stop()

  void Start();
  // Ends own threads, after which what is still queued runs on the caller's thread; nothing is
  // queued any more, and the host program's io_contexts are not looked at again. Not on an own
  // thread, and not on two threads at once. Idempotent.
  void Stop();

  // Calls `post` with the io_context while that is sure to run what it is given, or with null when
  // no thread runs it any more.
  template <typename Post>
  void PostTo(size_t index, Post&& post) {
    std::shared_lock lock(mutex_);
    post(running_ ? &loops_[index]->io() : nullptr);
  }

  size_t size() const { return loops_.size(); }
  IoLoop& at(size_t index) { return *loops_[index]; }
  // The next one in turn.
  IoLoop& Next() { return at(next_.fetch_add(1, std::memory_order_relaxed) % size()); }
  // On one of them; false on the host program's once stopped.
  bool RunningHere() const;
  std::vector<asio::io_context*> contexts() const;

 private:
  const std::chrono::microseconds poll_budget_{0};
  std::vector<std::unique_ptr<asio::io_context>> owned_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
  std::atomic<size_t> next_{0};

  mutable std::shared_mutex mutex_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

// One loop of a manager's, for handles that may outlive the manager.
struct LoopRef {
  std::shared_ptr<IoLoops> loops;
  size_t index = 0;

  IoLoop& loop() const { return loops->at(index); }
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_IO_LOOP_H_
