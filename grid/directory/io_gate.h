// IoGate: the way of other threads to an io_context that may go before they do.
//
//   const auto gate = std::make_shared<IoGate>(io);     // shared with whoever is to post
//   gate->PostTo(weak, [](Asking& self) { self.OnAnswer(); });
//   gate->Close();     // by whoever answers for `io`, while it is there
//
// Whoever posts does so under the lock that Close takes: once that has returned nobody is inside,
// and nobody gets in. Without it a thread may still be busy with the io_context when what it posted
// has run there, and has ended everything.
//
// Internal to grid/directory. Any thread.
#ifndef GRID_GRID_DIRECTORY_IO_GATE_H_
#define GRID_GRID_DIRECTORY_IO_GATE_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"

namespace grid::internal {

class IoGate {
 public:
  explicit IoGate(boost::asio::io_context& io) : io_(&io) {}
  IoGate(const IoGate&) = delete;
  IoGate& operator=(const IoGate&) = delete;

  // Runs `function` on the thread of `io`, which is this one perhaps, but not at once. False, and
  // `function` is left as it was, once closed.
  template <typename Function>
  bool Post(Function&& function) {
    std::lock_guard lock(mutex_);
    if (io_ == nullptr) return false;
    boost::asio::post(*io_, std::forward<Function>(function));
    return true;
  }

  // The same for `function(T&)`, if there is one by then: what other threads have holds nothing
  // that belongs to the thread of `io`.
  template <typename T, typename Function>
  bool PostTo(const std::weak_ptr<T>& weak, Function function) {
    return Post([weak, function = std::move(function)]() mutable {
      if (const std::shared_ptr<T> self = weak.lock()) function(*self);
    });
  }

  // Idempotent.
  void Close() {
    std::lock_guard lock(mutex_);
    io_ = nullptr;
  }
  // For good. False: only who closes it knows that it stays so.
  bool closed() const {
    std::lock_guard lock(mutex_);
    return io_ == nullptr;
  }

 private:
  mutable std::mutex mutex_;
  boost::asio::io_context* io_ ABSL_GUARDED_BY(mutex_);  // null: closed
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_IO_GATE_H_
