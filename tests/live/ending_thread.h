// EndingThread: an io_context and the thread that runs it, as a program has it that knows nothing
// of the library; for tests of what is under way when it ends.
#ifndef GRID_TESTS_LIVE_ENDING_THREAD_H_
#define GRID_TESTS_LIVE_ENDING_THREAD_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace grid::live {

class EndingThread {
 public:
  ~EndingThread() {
    if (thread_.joinable()) Stop();
  }
  boost::asio::io_context& io() { return io_; }
  // Returns when there is nothing to do any more.
  void RunOut() {
    work_.reset();
    thread_.join();
  }
  // What there is to do is dropped.
  void Stop() {
    io_.stop();
    thread_.join();
  }

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::thread thread_{[this] { io_.run(); }};
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_ENDING_THREAD_H_
