#include "bench/common/address.h"

#include <cstdint>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grid::bench {

absl::StatusOr<boost::asio::ip::tcp::endpoint> ParseEndpoint(const std::string& address) {
  const size_t colon = address.rfind(':');
  boost::system::error_code bad;
  uint32_t port = 0;
  if (colon != std::string::npos && absl::SimpleAtoi(address.substr(colon + 1), &port) &&
      port <= std::numeric_limits<uint16_t>::max()) {
    const auto host = boost::asio::ip::make_address(address.substr(0, colon), bad);
    if (!bad) return boost::asio::ip::tcp::endpoint(host, static_cast<uint16_t>(port));
  }
  return absl::InvalidArgumentError(absl::StrCat("not an IP address and port: ", address));
}

absl::Status SocketError(const std::string& what, const boost::system::error_code& error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", error.message()));
}

}  // namespace grid::bench
