// HandshakeSet: the handshakes that are under way, so that all can be ended at once.
//
// Thread-safe.
#ifndef GRID_GRID_TRANSPORT_HANDSHAKE_SET_H_
#define GRID_GRID_TRANSPORT_HANDSHAKE_SET_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/transport/server_handshake.h"

namespace grid::internal {

class HandshakeSet {
 public:
  // False once stopped: then it must not start.
  bool Remember(const std::shared_ptr<ServerHandshake>& handshake);
  // Aborts all, each on its own I/O thread. Idempotent.
  void Stop();

 private:
  std::mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<ServerHandshake>> handshakes_ ABSL_GUARDED_BY(mutex_);
  size_t sweep_at_ ABSL_GUARDED_BY(mutex_) = 64;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_HANDSHAKE_SET_H_
