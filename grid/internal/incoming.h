// Incoming: an accepted connection until its handshake has ended: waits for Connect, checks it, and
// hands the connection to the Peer or refuses it.
//
// Keeps itself alive until it is done; belongs to the loop that the transport belongs to.
#ifndef GRID_GRID_INTERNAL_INCOMING_H_
#define GRID_GRID_INTERNAL_INCOMING_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grid/runtime/activity.h"
#include "grid/runtime/io_loop.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/network.h"
#include "serialization/buffer.h"
#include "serialization/control_payloads.h"

namespace grid::internal {

class ManagerCore;

class Incoming final : public TransportHandler, public std::enable_shared_from_this<Incoming> {
 public:
  Incoming(std::shared_ptr<ManagerCore> core, AcceptedTransport accepted, IoLoop& loop,
           Activity activity);

  // On the loop.
  void Start();
  // Any thread: closes it, whatever state it is in.
  void Cancel();

 private:
  void OnMessage(BytesView message) override;
  void OnWritten() override {}
  void OnClosed(CloseCause cause, std::string_view detail) override;

  void Refuse(std::string_view label, const absl::Status& why);
  void Done();

  const std::shared_ptr<ManagerCore> core_;
  IoLoop& loop_;
  std::unique_ptr<Transport> transport_;
  Admission admission_;
  const TimePoint deadline_;
  Activity activity_;
  LoopTimer timer_;
  std::shared_ptr<Incoming> self_;  // from Start until it is done
  Buffer response_;
  bool answered_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_INCOMING_H_
