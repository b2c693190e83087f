#include "grid/transport/idle_channels.h"

#include <utility>

namespace grid::internal {
namespace {

// Nothing is to be read: neither the end, nor what would be taken for the next answer.
bool Quiet(Channel& channel) {
  error_code ec;
  channel.socket().non_blocking(true, ec);
  if (ec) return false;
  char byte = 0;
  channel.socket().receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
  return ec == asio::error::would_block;
}

}  // namespace

std::unique_ptr<Channel> IdleChannels::Take(const std::string& origin, TimePoint now) {
  std::erase_if(idle_, [&](const Idle& idle) { return idle.since + limit_ <= now; });
  for (size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i].origin != origin) continue;
    std::unique_ptr<Channel> channel = std::move(idle_[i].channel);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    if (!Quiet(*channel)) continue;
    ++reused;
    return channel;
  }
  return nullptr;
}

void IdleChannels::Put(std::string origin, std::unique_ptr<Channel> channel, TimePoint now) {
  if (max_ == 0) return;
  if (idle_.size() >= max_) idle_.erase(idle_.begin());
  idle_.push_back({std::move(origin), now, std::move(channel)});
}

}  // namespace grid::internal
