#include "grid/transport/handshake_set.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace grid::internal {

bool HandshakeSet::Remember(const std::shared_ptr<ServerHandshake>& handshake) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return false;
  // Forgets those that are over now and then: so that it costs a constant per connection.
  if (handshakes_.size() >= sweep_at_) {
    std::erase_if(handshakes_, [](const auto& weak) { return weak.expired(); });
    sweep_at_ = std::max<size_t>(64, handshakes_.size() * 2);
  }
  handshakes_.push_back(handshake);
  return true;
}

void HandshakeSet::Stop() {
  std::vector<std::weak_ptr<ServerHandshake>> handshakes;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    handshakes.swap(handshakes_);
  }
  for (const std::weak_ptr<ServerHandshake>& weak : handshakes) {
    if (auto handshake = weak.lock(); handshake != nullptr) {
      asio::io_context& io = handshake->io();
      asio::post(io, [handshake = std::move(handshake)] { handshake->Abort(); });
    }
  }
}

}  // namespace grid::internal
