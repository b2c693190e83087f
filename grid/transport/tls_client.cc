#include "grid/transport/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace grid::internal {

asio::awaitable<absl::Status> HandshakeTlsClient(Channel::TlsStream& tls, const std::string& host,
                                                 bool verify) {
  error_code ec;
  asio::ip::make_address(host, ec);
  // Names only: RFC 6066 leaves addresses out of this field.
  if (ec && SSL_set_tlsext_host_name(tls.native_handle(), host.c_str()) != 1) {
    co_return absl::InternalError("TLS: the host name can't be sent");
  }
  if (verify) {
    tls.set_verify_callback(asio::ssl::host_name_verification(host), ec);
    if (ec) co_return absl::InternalError(absl::StrCat("TLS: ", ec.message()));
  }
  std::tie(ec) = co_await tls.async_handshake(asio::ssl::stream_base::client,
                                              asio::as_tuple(asio::use_awaitable));
  if (!ec) co_return absl::OkStatus();
  if (ERR_GET_REASON(static_cast<unsigned long>(ec.value())) != SSL_R_CERTIFICATE_VERIFY_FAILED) {
    co_return absl::UnavailableError(absl::StrCat("the TLS handshake: ", ec.message()));
  }
  // What OpenSSL itself finds, it names; it does not when the callback above says no.
  const long verdict = SSL_get_verify_result(tls.native_handle());
  if (verdict == X509_V_OK || verdict == X509_V_ERR_UNSPECIFIED) {
    co_return absl::UnauthenticatedError(
        absl::StrCat("the server's certificate is not one for ", host));
  }
  co_return absl::UnauthenticatedError(
      absl::StrCat("the server's certificate: ", X509_verify_cert_error_string(verdict)));
}

}  // namespace grid::internal
