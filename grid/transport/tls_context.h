// TlsContexts: the certificates of TlsOptions, read and checked, as OpenSSL wants them.
//
// Made once per network and then only read, by any thread.
#ifndef GRID_GRID_TRANSPORT_TLS_CONTEXT_H_
#define GRID_GRID_TRANSPORT_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grid/transport/network.h"

namespace grid::internal {

struct TlsContexts {
  std::shared_ptr<asio::ssl::context> client;
  std::shared_ptr<asio::ssl::context> server;  // null without a certificate of our own
  bool verify_server = true;
};

// Reads the files. kInvalidArgument names the option and the file that is missing, unreadable or
// does not fit the others.
absl::StatusOr<TlsContexts> LoadTlsContexts(const TlsOptions& options);

// The subject of the certificate that the other side showed ("CN=node1,O=Example", RFC 2253); empty
// without.
std::string PeerSubject(SSL* ssl);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_TLS_CONTEXT_H_
