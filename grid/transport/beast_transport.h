// BeastTransport: a Transport over Beast's websocket::stream, made by the dialler and the listener
// once the HTTP upgrade is done.
#ifndef GRID_GRID_TRANSPORT_BEAST_TRANSPORT_H_
#define GRID_GRID_TRANSPORT_BEAST_TRANSPORT_H_

#include <boost/asio/io_context.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <string>

#include "grid/base/clock.h"
#include "grid/transport/channel.h"
#include "grid/transport/network.h"
#include "grid/transport/transport.h"

namespace grid::internal {

class TransportCore;

// Sets what has to be set before the upgrade. `ws` gets no time-outs of its own: those are on our
// clock.
void ConfigureWebSocket(WebSocket& ws, const TransportLimits& limits);

class BeastTransport final : public Transport {
 public:
  // `ws` has been upgraded and lives on `io`.
  BeastTransport(WebSocket ws, asio::io_context& io, std::shared_ptr<Clock> clock,
                 const TransportLimits& limits);
  ~BeastTransport() override;

  void Start(TransportHandler* handler) override;
  void SetHandler(TransportHandler* handler) override;
  void SetMaxMessageBytes(size_t bytes) override;
  void Write(MutableBytes message) override;
  void Close(CloseCode code, std::string_view reason) override;
  uint64_t write_progress() const override;
  const std::string& remote_address() const override { return remote_address_; }
  const std::string& tls_subject() const override { return tls_subject_; }

 private:
  // Outlives this object for as long as Asio holds operations of it.
  std::shared_ptr<TransportCore> core_;
  std::string remote_address_;
  std::string tls_subject_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_BEAST_TRANSPORT_H_
