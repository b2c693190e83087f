#include "grid/transport/url.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/text.h"

namespace grid {
namespace {

namespace urls = boost::urls;

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("host \"", internal::Piece(text), "\": ", internal::Piece(why)));
}

// Decimal digits only: no sign, no space, at most 65535.
std::optional<uint16_t> ParsePort(std::string_view digits) {
  if (digits.empty() || digits.size() > 5) return std::nullopt;
  uint32_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  if (value > 65535) return std::nullopt;
  return static_cast<uint16_t>(value);
}

}  // namespace

absl::StatusOr<HostUrl> ParseHostUrl(std::string_view text) {
  const auto parsed = urls::parse_uri(urls::string_view(text.data(), text.size()));
  if (!parsed) return Bad(text, "not a URL; expected http://host:port or https://host:port");
  const urls::url_view& url = *parsed;
  HostUrl result;
  if (url.scheme_id() == urls::scheme::https) {
    result.tls = true;
  } else if (url.scheme_id() != urls::scheme::http) {
    return Bad(text, "the scheme is neither http nor https");
  }
  if (!url.has_authority()) return Bad(text, "no \"//\" after the scheme");
  if (url.has_userinfo()) return Bad(text, "a user name does not belong here");
  if (!url.encoded_path().empty() && url.encoded_path().front() != '/') {
    return Bad(text, "the port is not a number");  // "http://a:9x", read as a path "x"
  }
  if (!url.encoded_path().empty() && url.encoded_path() != "/") {
    return Bad(text, "a path does not belong here; the route is an option of its own");
  }
  if (url.has_query()) return Bad(text, "a query does not belong here");
  if (url.has_fragment()) return Bad(text, "a fragment does not belong here");
  if (url.host_type() == urls::host_type::none || url.encoded_host().empty()) {
    return Bad(text, "the host is missing");
  }
  if (url.host_type() == urls::host_type::ipvfuture) return Bad(text, "unknown kind of address");
  // Names are not percent-decoded: no real name needs it, and what is looked up, checked against
  // the certificate and sent as Host must be one and the same.
  const urls::string_view host = url.encoded_host();
  if (host.find('%') != urls::string_view::npos) return Bad(text, "percent signs in the host");
  result.host.assign(host.data(), host.size());
  if (url.host_type() == urls::host_type::ipv6)
    result.host = result.host.substr(1, host.size() - 2);

  result.port = result.tls ? 443 : 80;
  if (url.has_port()) {
    const std::optional<uint16_t> port = ParsePort({url.port().data(), url.port().size()});
    if (!port.has_value() || *port == 0) return Bad(text, "the port is not in 1..65535");
    result.port = *port;
  }
  result.authority.assign(url.encoded_authority().data(), url.encoded_authority().size());
  return result;
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  const auto bad = [text](std::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("address \"", internal::Piece(text), "\": ", internal::Piece(why)));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("no port; expected host:port");
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port.has_value()) return bad("the port is not in 0..65535");
  std::string_view host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return bad("unbalanced brackets");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("an IPv6 address needs brackets");
  }
  return ListenAddress{std::string(host), *port};
}

}  // namespace grid
