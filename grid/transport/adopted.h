// AdoptedConnection: a connection that somebody else has accepted, and whose upgrade request has
// been read: the host program's HTTP server, or a listener that several managers share.
#ifndef GRID_GRID_TRANSPORT_ADOPTED_H_
#define GRID_GRID_TRANSPORT_ADOPTED_H_

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>

#include "grid/base/clock.h"
#include "grid/transport/upgrade.h"

namespace grid::internal {

// Owns a socket that belongs to no io_context.
class NativeSocket {
 public:
  NativeSocket() = default;
  NativeSocket(int fd, boost::asio::ip::tcp protocol) : fd_(fd), protocol_(protocol) {}
  NativeSocket(NativeSocket&& other) noexcept : fd_(other.Take()), protocol_(other.protocol_) {}
  NativeSocket& operator=(NativeSocket&& other) noexcept;
  ~NativeSocket();

  // The caller's from here on; -1 without one.
  int Take();
  boost::asio::ip::tcp protocol() const { return protocol_; }

 private:
  int fd_ = -1;
  boost::asio::ip::tcp protocol_ = boost::asio::ip::tcp::v4();
};

struct FreeSession {
  void operator()(SSL* session) const { SSL_free(session); }
};

struct AdoptedConnection {
  NativeSocket socket;
  std::unique_ptr<SSL, FreeSession> tls;  // null: plain
  HttpRequest request;
  std::string leftover;                    // bytes that came behind the request, as TLS gave them
  bool upgraded = false;                   // the request has been answered with 101 already
  std::optional<TimePoint> deadline = {};  // of the handshake, if it has begun to run
};

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_ADOPTED_H_
