// HandshakeTlsClient: the client's side of a TLS handshake, with a check of whom it is talking to.
//
//   absl::Status secured = co_await HandshakeTlsClient(*channel.tls(), url.host, true);
#ifndef GRID_GRID_TRANSPORT_TLS_CLIENT_H_
#define GRID_GRID_TRANSPORT_TLS_CLIENT_H_

#include <boost/asio/awaitable.hpp>
#include <string>

#include "absl/status/status.h"
#include "grid/transport/channel.h"

namespace grid::internal {

// On the I/O thread of `tls`, which, as `host`, must outlive the handshake; closing the socket ends
// it early. With `verify` the certificate must be one for `host`, a name or a numeric address, and
// of an authority that the context of `tls` trusts. kUnauthenticated for any other certificate,
// kUnavailable when the handshake fails for another reason.
asio::awaitable<absl::Status> HandshakeTlsClient(Channel::TlsStream& tls, const std::string& host,
                                                 bool verify);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_TLS_CLIENT_H_
