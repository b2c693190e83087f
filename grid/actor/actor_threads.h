// ActorThreads: the threads that the actors of a system run on, unless it has none of its own.
#ifndef GRID_GRID_ACTOR_ACTOR_THREADS_H_
#define GRID_GRID_ACTOR_ACTOR_THREADS_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>
#include <vector>

namespace grid::internal {

class ActorThreads {
 public:
  // `count` threads; 0: none, what is posted runs on `control`. -1: as many as there are cores.
  ActorThreads(boost::asio::io_context& control, int count);
  ~ActorThreads();  // Join()
  ActorThreads(const ActorThreads&) = delete;
  ActorThreads& operator=(const ActorThreads&) = delete;

  boost::asio::io_context& io() { return own_.has_value() ? *own_ : control_; }
  // Returns when what was posted has run, and what that has posted. Not on one of them. Idempotent.
  void Join();

 private:
  boost::asio::io_context& control_;
  std::optional<boost::asio::io_context> own_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ACTOR_THREADS_H_
