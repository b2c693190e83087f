// ServerHandshake: one accepted connection on its way to being a transport: TLS, one HTTP request,
// the answer. Everything within one deadline, and in memory that does not depend on what the peer
// sends.
//
// Belongs to the I/O thread of its socket; a coroutine of its own keeps it alive.
#ifndef GRID_GRID_TRANSPORT_SERVER_HANDSHAKE_H_
#define GRID_GRID_TRANSPORT_SERVER_HANDSHAKE_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <optional>
#include <string_view>

#include "grid/transport/adopted.h"
#include "grid/transport/beast_config.h"
#include "grid/transport/channel.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/network.h"
#include "grid/transport/upgrade.h"

namespace grid::internal {

class ServerHandshake final : public std::enable_shared_from_this<ServerHandshake> {
 public:
  // `request` is the listener's, which outlives every handshake.
  ServerHandshake(std::shared_ptr<const BeastConfig> config,
                  std::shared_ptr<const ListenRequest> request, asio::io_context& io,
                  Channel::Socket socket, Admission admission);
  // One whose request has been read elsewhere: begins with the check of it.
  ServerHandshake(std::shared_ptr<const BeastConfig> config,
                  std::shared_ptr<const ListenRequest> request, asio::io_context& io,
                  Channel::Socket socket, Admission admission,
                  std::shared_ptr<AdoptedConnection> adopted);

  // Ends in on_accept, on_refuse, or neither after Abort.
  void Start();
  // Closes the connection; nothing is called any more.
  void Abort();
  asio::io_context& io() const { return io_; }

 private:
  asio::awaitable<void> Run();
  asio::awaitable<bool> HandshakeTls();
  // The request header, or nothing when the connection was refused.
  asio::awaitable<std::optional<HttpRequest>> ReadRequest();
  // Gives the connection to whom the path names; a refusal when there is none.
  std::optional<Refusal> HandOver(HttpRequest& request);
  asio::awaitable<void> Answer(const Refusal& refusal);
  // Reads on until the peer has closed: a reset because of unread bytes would take the answer with
  // it.
  asio::awaitable<void> Linger();
  // The same for one that has been answered with 101: by a close frame.
  asio::awaitable<void> AnswerUpgraded(const Refusal& refusal);
  asio::awaitable<bool> Upgrade(const HttpRequest& request);
  void OnTimeout();
  // Closes the connection and reports why.
  void Refuse(HttpRefusal kind, std::string_view detail);
  void Report(HttpRefusal kind, std::string_view detail);

  const std::shared_ptr<const BeastConfig> config_;
  const std::shared_ptr<const ListenRequest> request_;
  asio::io_context& io_;
  Admission admission_;
  const TimePoint deadline_;
  std::shared_ptr<AdoptedConnection> adopted_;  // null: accepted by our own listener
  WebSocket ws_;
  LoopTimer timer_;
  beast::flat_buffer buffer_;
  bool over_ =
      false;  // handed over, refused, timed out or aborted: what completes now is of no interest
  bool reported_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_SERVER_HANDSHAKE_H_
