#include "grid/actor/actor_threads.h"

#include <algorithm>

namespace grid::internal {

ActorThreads::ActorThreads(boost::asio::io_context& control, int count) : control_(control) {
  if (count < 0) count = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (count == 0) return;
  own_.emplace(count);
  work_.emplace(own_->get_executor());
  threads_.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) threads_.emplace_back([this] { own_->run(); });
}

ActorThreads::~ActorThreads() { Join(); }

void ActorThreads::Join() {
  work_.reset();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace grid::internal
