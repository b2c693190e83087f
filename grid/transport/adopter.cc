#include "grid/transport/adopter.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "grid/transport/adopted.h"
#include "grid/transport/beast_config.h"
#include "grid/transport/channel.h"
#include "grid/transport/handshake_set.h"
#include "grid/transport/server_handshake.h"
#include "grid/transport/socket_options.h"

namespace grid::internal {

Adopter::Adopter(TransportLimits limits, std::shared_ptr<Clock> clock, std::shared_ptr<LogSink> log,
                 ListenRequest request)
    : config_(std::make_shared<const BeastConfig>(
          BeastConfig{TlsContexts(), limits, SocketOptions(), std::move(clock), std::move(log)})),
      request_(std::make_shared<const ListenRequest>(std::move(request))),
      handshakes_(std::make_shared<HandshakeSet>()) {}

Adopter::~Adopter() { Stop(); }

void Adopter::Adopt(asio::io_context& io, std::shared_ptr<AdoptedConnection> connection,
                    Admission admission, std::shared_ptr<void> keep) {
  asio::post(io, [config = config_, request = request_, handshakes = handshakes_, &io,
                  connection = std::move(connection), admission = std::move(admission),
                  keep = std::move(keep)]() mutable {
    Channel::Socket socket(io);
    error_code ec;
    // Asio owns the descriptor only when this succeeds.
    const int fd = connection->socket.Take();
    socket.assign(connection->socket.protocol(), fd, ec);
    if (ec) {
      connection->socket = NativeSocket(fd, connection->socket.protocol());
      if (request->on_refuse) request->on_refuse(HttpRefusal::kBadRequest, ec.message());
      return;
    }
    ApplyToConnection(socket, config->sockets);
    auto handshake = std::make_shared<ServerHandshake>(config, request, io, std::move(socket),
                                                       std::move(admission), std::move(connection));
    if (handshakes->Remember(handshake)) handshake->Start();
  });
}

void Adopter::Stop() { handshakes_->Stop(); }

}  // namespace grid::internal
