#include "grid/directory/registry_timer.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace grid::internal {

RegistryTimer::RegistryTimer(boost::asio::io_context& io, Clock& clock,
                             std::shared_ptr<RegistryHost> host)
    : io_(io), host_(std::move(host)), timer_(io, clock, [this] { OnTimer(); }) {}

void RegistryTimer::Start() {
  boost::asio::post(io_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnTimer();
  });
}

void RegistryTimer::OnTimer() { timer_.Set(host_->Expire()); }

}  // namespace grid::internal
