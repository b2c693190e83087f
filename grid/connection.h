// Connection: a handle to one remote host; and Subroute: the same, restricted to a static subroute.
//
// Obtained from Manager::Connection. Handles are cheap to copy, safe to use from any thread, and
// may outlive the manager: calls then fail with a status. There is one WebSocket per host, whoever
// dials it; the handle stays the same over reconnects.
//
//   grid::Connection peer = manager.Connection("http://10.0.0.2:9000");
//   absl::StatusOr<Buffer> reply = co_await peer.Request(HandlerId{78}, AsBytes("hello"));
//   reply = co_await peer.Subroute("disk1").Request(HandlerId{9}, {});
#ifndef GRID_GRID_CONNECTION_H_
#define GRID_GRID_CONNECTION_H_

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "grid/stats.h"
#include "handlers/requester.h"
#include "serialization/subroute_id.h"

namespace grid {

namespace internal {
class Peer;
}

class Subroute final : public Requester, public Streamer {
 public:
  // A subroute below this one: parts are joined with "/".
  Subroute At(std::string_view part) const;
  const std::string& path() const { return path_; }

  void StartRequest(HandlerId handler, PayloadRef payload, const RequestOptions& options,
                    ReplyHandler completion) const override;
  absl::StatusOr<Stream> OpenStream(HandlerId handler, BytesView initial,
                                    StreamOptions options) const override;

 private:
  friend class Connection;
  Subroute(std::shared_ptr<internal::Peer> peer, std::string path);

  std::shared_ptr<internal::Peer> peer_;
  std::string path_;
  SubrouteId id_;
};

class Connection final : public Requester, public Streamer {
 public:
  // A handle to nothing: calls fail with kFailedPrecondition, not sent.
  Connection() = default;
  explicit Connection(std::shared_ptr<internal::Peer> peer) : peer_(std::move(peer)) {}

  grid::Subroute Subroute(std::string_view path) const;

  const std::string& host() const;
  ConnectionState state() const;
  ConnectionStats Stats() const;

  // Completes with OK once the connection is established (at once if it is), with kDeadlineExceeded
  // after `timeout`, naming the last reason why it could not be, or when it is shut down.
  template <typename Token = asio::use_awaitable_t<>>
  auto WaitConnected(std::chrono::milliseconds timeout, Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Connection self, std::chrono::milliseconds limit) {
          self.StartWaitConnected(limit, WriteHandler(std::move(handler)));
        },
        token, *this, timeout);
  }

  void StartRequest(HandlerId handler, PayloadRef payload, const RequestOptions& options,
                    ReplyHandler completion) const override;
  absl::StatusOr<Stream> OpenStream(HandlerId handler, BytesView initial,
                                    StreamOptions options) const override;

 private:
  void StartWaitConnected(std::chrono::milliseconds timeout, WriteHandler handler) const;

  std::shared_ptr<internal::Peer> peer_;
};

}  // namespace grid

#endif  // GRID_GRID_CONNECTION_H_
