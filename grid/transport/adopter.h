// Adopter: takes connections that somebody else accepted through the rest of their handshake, by
// the rules of a listener.
//
// Thread-safe.
#ifndef GRID_GRID_TRANSPORT_ADOPTER_H_
#define GRID_GRID_TRANSPORT_ADOPTER_H_

#include <boost/asio/io_context.hpp>
#include <memory>

#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/transport/network.h"

namespace grid::internal {

struct BeastConfig;
class HandshakeSet;

class Adopter {
 public:
  // Of `request`, what concerns listening itself is not used: address, tls, ios.
  Adopter(TransportLimits limits, std::shared_ptr<Clock> clock, std::shared_ptr<LogSink> log,
          ListenRequest request);
  ~Adopter();

  // Goes on with it on `io`, which it now belongs to. Ends in on_accept, on_refuse, or neither
  // after Stop. `keep` is held until the work on `io` has begun.
  void Adopt(asio::io_context& io, std::shared_ptr<AdoptedConnection> connection,
             Admission admission, std::shared_ptr<void> keep);
  // Drops handshakes in progress, and what comes from now on.
  void Stop();

  const ListenRequest& request() const { return *request_; }

 private:
  const std::shared_ptr<const BeastConfig> config_;
  const std::shared_ptr<const ListenRequest> request_;
  const std::shared_ptr<HandshakeSet> handshakes_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_ADOPTER_H_
