// TaskQueue: how other threads hand work to a link's I/O thread. Many producers, one consumer, no
// lock; the consumer is woken once per batch.
#ifndef GRID_GRID_RUNTIME_TASK_QUEUE_H_
#define GRID_GRID_RUNTIME_TASK_QUEUE_H_

#include <atomic>
#include <memory>
#include <utility>

namespace grid {

class Link;

// Something to do on the link's I/O thread, once. Destroyed without having run only when the queue
// is sealed.
class LinkTask {
 public:
  virtual ~LinkTask() = default;
  virtual void Run(Link& link) = 0;

 private:
  friend class TaskQueue;
  LinkTask* next_ = nullptr;
};

class TaskQueue {
 public:
  enum class Pushed { kQueued, kFirst, kSealed };

  TaskQueue() = default;
  ~TaskQueue() { Seal(); }
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  // Any thread. kFirst: the queue was empty, the consumer has to be woken. kSealed: `task` stays
  // with the caller.
  Pushed Push(std::unique_ptr<LinkTask>& task) {
    LinkTask* head = head_.load(std::memory_order_acquire);
    do {
      if (head == &sealed_) return Pushed::kSealed;
      task->next_ = head;
    } while (!head_.compare_exchange_weak(head, task.get(), std::memory_order_acq_rel));
    static_cast<void>(task.release());
    return head == nullptr ? Pushed::kFirst : Pushed::kQueued;
  }

  // Consumer: takes all that waits and calls `run(std::unique_ptr<LinkTask>)` for each, oldest
  // first.
  template <typename Run>
  void Drain(Run&& run) {
    RunAll(head_.exchange(nullptr, std::memory_order_acq_rel), run);
  }

  // Consumer: nothing gets in any more; what waits is run one last time.
  template <typename Run>
  void Seal(Run&& run) {
    LinkTask* head = head_.exchange(&sealed_, std::memory_order_acq_rel);
    if (head != &sealed_) RunAll(head, run);
  }
  void Seal() {
    Seal([](std::unique_ptr<LinkTask>) {});
  }

 private:
  class Sealed final : public LinkTask {
    void Run(Link&) override {}
  };

  template <typename Run>
  static void RunAll(LinkTask* newest, Run&& run) {
    LinkTask* oldest = nullptr;  // the queue is a stack: turn it around
    while (newest != nullptr) {
      LinkTask* next = newest->next_;
      newest->next_ = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      std::unique_ptr<LinkTask> task(oldest);
      oldest = oldest->next_;
      run(std::move(task));
    }
  }

  std::atomic<LinkTask*> head_{nullptr};
  Sealed sealed_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_TASK_QUEUE_H_
