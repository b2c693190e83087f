// IdleChannels: connections of an HTTP client that wait to be used again, the last one first.
//
// Bounded in number and time. What the server closes meanwhile is noticed when it is asked for.
// Internal to the HTTP client; one I/O thread, but for the counters.
#ifndef GRID_GRID_TRANSPORT_IDLE_CHANNELS_H_
#define GRID_GRID_TRANSPORT_IDLE_CHANNELS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grid/base/clock.h"
#include "grid/transport/channel.h"

namespace grid::internal {

class IdleChannels {
 public:
  IdleChannels(size_t max, Duration limit) : max_(max), limit_(limit) {}

  // One to `origin` that is open and on which nothing has come; null: there is none.
  std::unique_ptr<Channel> Take(const std::string& origin, TimePoint now);
  // One that nothing is under way on. The oldest is closed when there are too many.
  void Put(std::string origin, std::unique_ptr<Channel> channel, TimePoint now);

  std::atomic<uint64_t> opened{0}, reused{0};

 private:
  struct Idle {
    std::string origin;
    TimePoint since;
    std::unique_ptr<Channel> channel;
  };

  const size_t max_;
  const Duration limit_;
  std::vector<Idle> idle_;  // the oldest first
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_IDLE_CHANNELS_H_
