#include "grid/transport/upgrade.h"

#include <algorithm>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/verb.hpp>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/text.h"

namespace grid::internal {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// Beast has trimmed it.
std::string_view Field(const HttpRequest& request, http::field field) {
  return View(request[field]);
}

bool IsWebSocketUpgrade(const HttpRequest& request) {
  if (request.version() < 11 || request.count(http::field::host) != 1) return false;
  if (!http::token_list{request[http::field::connection]}.exists("upgrade")) return false;
  if (!http::token_list{request[http::field::upgrade]}.exists("websocket")) return false;
  // 16 bytes in base64.
  if (request.count(http::field::sec_websocket_key) != 1) return false;
  const std::string_view key = Field(request, http::field::sec_websocket_key);
  return key.size() == 24 && key.ends_with("==");
}

// A body would stand where the first frame is expected, and a proxy in between could take the one
// for the other.
bool HasBody(const HttpRequest& request) {
  if (request.count(http::field::transfer_encoding) != 0) return true;
  const std::string_view length = Field(request, http::field::content_length);
  return !length.empty() && length != "0";
}

}  // namespace

std::string_view BearerToken(const HttpRequest& request) {
  static constexpr std::string_view kScheme = "bearer";
  const std::string_view value = Field(request, http::field::authorization);
  if (!absl::StartsWithIgnoreCase(Piece(value), Piece(kScheme))) return {};
  const std::string_view rest = value.substr(kScheme.size());
  const size_t blanks = std::min(rest.find_first_not_of(" \t"), rest.size());
  if (blanks == 0) return {};  // no token, or another scheme that begins alike
  return rest.substr(blanks);
}

std::optional<Refusal> CheckUpgrade(const HttpRequest& request, std::string_view route,
                                    const std::function<bool(std::string_view)>& check_token) {
  std::string_view path = View(request.target());
  path = path.substr(0, path.find('?'));
  if (path != route) {
    return Refusal{HttpRefusal::kBadPath, http::status::not_found,
                   absl::StrCat("nothing here; the grid is at ", Piece(route))};
  }
  if (request.method() != http::verb::get) {
    return Refusal{HttpRefusal::kBadMethod, http::status::method_not_allowed,
                   "use GET, with an upgrade to WebSocket"};
  }
  if (!IsWebSocketUpgrade(request)) {
    return Refusal{HttpRefusal::kNotUpgrade, http::status::bad_request,
                   "not a WebSocket upgrade; connect with a grid client"};
  }
  if (HasBody(request) || request.count(http::field::authorization) > 1) {
    return Refusal{HttpRefusal::kBadRequest, http::status::bad_request,
                   "send no body and one Authorization field at most"};
  }
  if (Field(request, http::field::sec_websocket_version) != "13") {
    return Refusal{HttpRefusal::kBadVersion, http::status::upgrade_required,
                   "use version 13 of the WebSocket protocol"};
  }
  if (!check_token(BearerToken(request))) {
    return Refusal{HttpRefusal::kBadToken, http::status::forbidden,
                   "wrong token; check that all nodes are given the same one"};
  }
  return std::nullopt;
}

HttpResponse RefusalResponse(const Refusal& refusal) {
  HttpResponse response(refusal.status, 11);
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  response.set(http::field::connection, "close");
  if (refusal.kind == HttpRefusal::kBadMethod) response.set(http::field::allow, "GET");
  if (refusal.kind == HttpRefusal::kBadVersion) {
    response.set(http::field::upgrade, "websocket");
    response.set(http::field::sec_websocket_version, "13");
  }
  response.body() = absl::StrCat(refusal.text, "\n");
  response.prepare_payload();
  return response;
}

}  // namespace grid::internal
