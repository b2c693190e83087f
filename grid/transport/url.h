// HostUrl: the name of a host, taken apart.
//
//   absl::StatusOr<HostUrl> url = ParseHostUrl("https://[::1]:9000");
//   // url->tls, url->host == "::1", url->port == 9000, url->authority == "[::1]:9000"
#ifndef GRID_GRID_TRANSPORT_URL_H_
#define GRID_GRID_TRANSPORT_URL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grid {

struct HostUrl {
  bool tls = false;       // https
  std::string host;       // a name or an address; IPv6 without its brackets
  uint16_t port = 0;      // 80 or 443 where the URL gave none
  std::string authority;  // host and port as in the URL: the value of the HTTP field Host
};

// Reads "http://host[:port]" or "https://host[:port]"; one "/" at the end is let through.
// kInvalidArgument says which part is wrong or does not belong there.
absl::StatusOr<HostUrl> ParseHostUrl(std::string_view text);

struct ListenAddress {
  std::string host;  // a numeric address or a name; empty: every address
  uint16_t port = 0;
};

// Reads "127.0.0.1:9000", "[::1]:0", ":9000". kInvalidArgument says which part is wrong.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace grid

#endif  // GRID_GRID_TRANSPORT_URL_H_
