// IoThreads: io_contexts with a thread each, for managers that use the program's own.
#ifndef GRID_BENCH_E2E_IO_THREADS_H_
#define GRID_BENCH_E2E_IO_THREADS_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "grid/runtime/poll_loop.h"

namespace grid::bench {

class IoThreads {
 public:
  explicit IoThreads(int count, std::chrono::microseconds poll = {}) {
    for (int i = 0; i < count; ++i) each_.push_back(std::make_unique<Each>(poll));
  }

  // In turn: any number will do.
  boost::asio::io_context& at(size_t index) { return each_[index % each_.size()]->io; }

 private:
  struct Each {
    explicit Each(std::chrono::microseconds poll_budget) : poll(poll_budget) {}
    Each(const Each&) = delete;
    Each& operator=(const Each&) = delete;
    // Whoever used it has been stopped before.
    ~Each() {
      guard.reset();
      io.stop();
      thread.join();
    }

    const std::chrono::microseconds poll;
    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard =
        boost::asio::make_work_guard(io);
    std::thread thread{[this] { RunPolling(io, poll); }};
  };

  std::vector<std::unique_ptr<Each>> each_;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_E2E_IO_THREADS_H_
