// IoThread: an io_context and the one thread that runs it, for what wants one of its own.
//
//   IoThread thread;
//   auto names = MakeEtcdDirectory(etcd, {.io = &thread.io(), .member = "http://a:1"});
//
// What runs there must be over, or not mind being dropped, when it is destroyed.
#ifndef GRID_TOOLS_COMMON_IO_THREAD_H_
#define GRID_TOOLS_COMMON_IO_THREAD_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <future>
#include <thread>

namespace grid::tools {

class IoThread {
 public:
  IoThread()
      : work_(io_.get_executor()), thread_([this] {
          io_.run();
          ended_.set_value();
        }) {}
  ~IoThread() { Stop(); }
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  boost::asio::io_context& io() { return io_; }
  // Nothing runs there afterwards. Idempotent; not from that thread.
  void Stop() {
    if (!thread_.joinable()) return;
    // What is about to end may: other threads may be telling us of it, and must be done with `io`.
    work_.reset();
    ended_.get_future().wait_for(kEnd);
    io_.stop();
    thread_.join();
  }

 private:
  static constexpr std::chrono::milliseconds kEnd{100};

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::promise<void> ended_;
  std::thread thread_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_IO_THREAD_H_
