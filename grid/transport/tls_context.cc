#include "grid/transport/tls_context.h"

#include <openssl/bio.h>
#include <openssl/x509.h>

#include <boost/asio/ssl/verify_mode.hpp>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/text.h"

namespace grid::internal {
namespace {

namespace ssl = asio::ssl;
using boost::system::error_code;

absl::Status FileError(std::string_view option, std::string_view file, const error_code& ec) {
  return absl::InvalidArgumentError(
      absl::StrCat("TlsOptions::", Piece(option), " \"", Piece(file), "\": ", ec.message()));
}

// What both roles share: nothing older than TLS 1.2, no renegotiation (a peer could make us work
// for nothing), whom to trust, and our own certificate, which a server may ask a dialler for.
absl::Status SetUp(ssl::context& context, const TlsOptions& options) {
  error_code ec;
  context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                          ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                          ssl::context::no_tlsv1_1 | ssl::context::no_compression,
                      ec);
  if (ec) return absl::InternalError(absl::StrCat("TLS options: ", ec.message()));
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION);
  if (options.ca_file.empty()) {
    context.set_default_verify_paths(ec);
    if (ec) {
      return absl::InternalError(absl::StrCat("the system's authorities: ", ec.message()));
    }
  } else {
    context.load_verify_file(options.ca_file, ec);
    if (ec) return FileError("ca_file", options.ca_file, ec);
  }
  if (options.certificate_file.empty()) return absl::OkStatus();
  context.use_certificate_chain_file(options.certificate_file, ec);
  if (ec) return FileError("certificate_file", options.certificate_file, ec);
  context.use_private_key_file(options.key_file, ssl::context::pem, ec);
  if (ec) return FileError("key_file", options.key_file, ec);
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("TlsOptions::key_file \"", options.key_file,
                                                   "\" is not the key of \"",
                                                   options.certificate_file, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsContexts> LoadTlsContexts(const TlsOptions& options) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError(
        "TlsOptions: certificate_file and key_file go together; only one is set");
  }
  TlsContexts contexts;
  contexts.verify_server = options.verify_server;
  contexts.client = std::make_shared<ssl::context>(ssl::context::tls_client);
  if (absl::Status status = SetUp(*contexts.client, options); !status.ok()) return status;
  // Whether the name fits is checked per connection, which knows it.
  contexts.client->set_verify_mode(options.verify_server ? ssl::verify_peer : ssl::verify_none);
  if (options.certificate_file.empty()) return contexts;

  contexts.server = std::make_shared<ssl::context>(ssl::context::tls_server);
  if (absl::Status status = SetUp(*contexts.server, options); !status.ok()) return status;
  contexts.server->set_verify_mode(options.require_client_certificate
                                       ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert
                                       : ssl::verify_none);
  // Sessions are not resumed: connections live long, and a resumed one would need the same
  // verification state kept somewhere.
  SSL_CTX_set_session_cache_mode(contexts.server->native_handle(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(contexts.server->native_handle(), SSL_OP_NO_TICKET);
  return contexts;
}

std::string PeerSubject(SSL* ssl) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl),
                                                                &X509_free);
  if (certificate == nullptr) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), &BIO_free);
  if (text == nullptr) return {};
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

}  // namespace grid::internal
