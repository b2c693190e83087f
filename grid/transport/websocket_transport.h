// WebSocketTransport: a Transport over a Channel on which the dialler or the listener has done the
// HTTP upgrade. Reads and writes the frames itself: several messages with one system call, each
// where it arrived, and each written from where it was encoded.
#ifndef GRID_GRID_TRANSPORT_WEBSOCKET_TRANSPORT_H_
#define GRID_GRID_TRANSPORT_WEBSOCKET_TRANSPORT_H_

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

// Which end of the WebSocket we are: clients mask what they send, and only they do.
enum class WebSocketRole : uint8_t { kClient, kServer };

class WebSocketTransport final : public Transport {
 public:
  // `ws` has been upgraded and lives on `io`; from here on only its Channel is used.
  WebSocketTransport(WebSocket ws, WebSocketRole role, asio::io_context& io,
                     std::shared_ptr<Clock> clock, const TransportLimits& limits);
  ~WebSocketTransport() override;

  void Start(TransportHandler* handler) override;
  void SetHandler(TransportHandler* handler) override;
  void SetMaxMessageBytes(size_t bytes) override;
  bool Write(MutableBytes message) override;
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

#endif  // GRID_GRID_TRANSPORT_WEBSOCKET_TRANSPORT_H_
