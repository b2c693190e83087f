// CheckUpgrade: what a server makes of an HTTP request: an upgrade to our WebSocket, or a refusal.
#ifndef GRID_GRID_TRANSPORT_UPGRADE_H_
#define GRID_GRID_TRANSPORT_UPGRADE_H_

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "grid/transport/network.h"

namespace grid::internal {

using HttpRequest = boost::beast::http::request<boost::beast::http::empty_body>;
using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

struct Refusal {
  HttpRefusal kind;
  boost::beast::http::status status;
  std::string text;  // one line for whoever reads the answer: what to do
};

// Checks path, method, upgrade, version and token, in this order; nothing: upgrade.
std::optional<Refusal> CheckUpgrade(const HttpRequest& request, std::string_view route,
                                    const std::function<bool(std::string_view token)>& check_token);

// The token of "Authorization: Bearer <token>"; empty where there is none.
std::string_view BearerToken(const HttpRequest& request);

// The answer to a refused request; closes the connection.
HttpResponse RefusalResponse(const Refusal& refusal);

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_UPGRADE_H_
