// DeliveryServer: takes the letters that other processes send to ours (actor_protocol.h).
//
// Internal to grid/actor.
#ifndef GRID_GRID_ACTOR_DELIVERY_SERVER_H_
#define GRID_GRID_ACTOR_DELIVERY_SERVER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grid/actor/residents.h"
#include "handlers/registrar.h"

namespace grid::internal {

struct ArrivedDelivery;

struct DeliveryLimits {
  size_t max_deliveries;  // letters whose outcome is open; beyond it they are rejected
  size_t max_targets;     // of one message
};

class DeliveryServer : public std::enable_shared_from_this<DeliveryServer> {
 public:
  DeliveryServer(std::shared_ptr<Residents> residents, DeliveryLimits limits)
      : residents_(std::move(residents)), limits_(limits) {}

  // Registers the handlers, which keep `server`. Errors: those of the registrar.
  static absl::Status Serve(Registrar& registrar, std::shared_ptr<DeliveryServer> server);
  // From now on letters are answered with kUnavailable, rejected.
  void Close() { closed_.store(true); }

  uint64_t open() const { return open_.load(); }        // gauge
  uint64_t refused() const { return refused_.load(); }  // by max_deliveries
  uint64_t malformed() const { return malformed_.load(); }

 private:
  class Single;
  class Many;

  void ServeOne(Buffer request, RequestContext& context, SingleReply reply);
  void ServeMany(Stream stream, RequestContext& context);
  // Who sent it. That of a process which names no actor is made once for many letters.
  std::shared_ptr<const Sender> SenderOf(const ArrivedDelivery& arrived,
                                         const RequestContext& context);
  // Takes `count` of max_deliveries.
  absl::Status Admit(size_t count);

  const std::shared_ptr<Residents> residents_;
  const DeliveryLimits limits_;
  std::mutex senders_mutex_;
  // By their address.
  std::array<std::shared_ptr<const Sender>, 64> senders_ ABSL_GUARDED_BY(senders_mutex_);
  std::atomic<bool> closed_{false};
  std::atomic<uint64_t> open_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> malformed_{0};
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_DELIVERY_SERVER_H_
