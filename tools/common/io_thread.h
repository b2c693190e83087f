// IoThread: an io_context and the one thread that runs it, for what wants one of its own.
//
//   IoThread thread;
//   auto names = MakeEtcdDirectory(etcd, {.io = &thread.io(), .member = "http://a:1"});
//
// What runs there must be over, or not mind being dropped, when it is destroyed, and nobody else
// may use it any more.
#ifndef GRID_TOOLS_COMMON_IO_THREAD_H_
#define GRID_TOOLS_COMMON_IO_THREAD_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace grid::tools {

class IoThread {
 public:
  IoThread() : work_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~IoThread() { Stop(); }
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  boost::asio::io_context& io() { return io_; }
  // Nothing runs there afterwards. Idempotent; not from that thread.
  void Stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  boost::asio::io_context io_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_IO_THREAD_H_
