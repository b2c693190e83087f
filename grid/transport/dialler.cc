#include "grid/transport/dialler.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/channel.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/socket_options.h"
#include "grid/transport/spawn.h"
#include "grid/transport/text.h"
#include "grid/transport/tls_client.h"
#include "grid/transport/url.h"
#include "grid/transport/websocket_transport.h"

namespace grid::internal {
namespace {

namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using Resolver = asio::ip::basic_resolver<tcp, Channel::executor_type>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// How much of a refusal's body goes into the status.
constexpr size_t kShownBodyBytes = 200;

// What would end an HTTP header line early, or split it, must not get into one.
bool IsFieldText(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

absl::Status CheckRequest(const DialRequest& request) {
  if (!IsFieldText(request.token)) {
    return absl::InvalidArgumentError("token: control characters in it");
  }
  if (request.route.empty() || request.route[0] != '/' || !IsFieldText(request.route) ||
      request.route.find(' ') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("route \"", absl::CHexEscape(request.route), "\": not a path"));
  }
  return absl::OkStatus();
}

class DialAttempt final : public std::enable_shared_from_this<DialAttempt> {
 public:
  DialAttempt(std::shared_ptr<const BeastConfig> config, DialRequest request,
              absl::AnyInvocable<void(DialResult)> done)
      : config_(std::move(config)),
        request_(std::move(request)),
        done_(std::move(done)),
        deadline_(config_->clock->Now() + request_.timeout),
        resolver_(request_.io->get_executor()),
        timer_(*request_.io, *config_->clock, [this] { OnTimeout(); }) {}

  // On the I/O thread.
  void Start() {
    if (request_.canceller != nullptr) {
      if (request_.canceller->cancelled()) return Cancel();
      request_.canceller->OnCancel([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->Cancel();
      });
    }
    timer_.Set(deadline_);
    // The frame holds the attempt, so the timer can't outlive it: a lookup that hangs is waited for
    // here, even though `done` has long been told.
    Spawn(
        *request_.io, [self = shared_from_this()] { return self->Run(); },
        [self = shared_from_this()](std::string_view what) {
          self->Finish(absl::InternalError(absl::StrCat("dialling: ", Piece(what))));
        });
  }

 private:
  asio::awaitable<void> Run() {
    absl::Status status = co_await Connect();
    if (done_ == nullptr) co_return;  // timed out meanwhile
    if (!status.ok()) {
      if (ws_.has_value()) ws_->next_layer().Close();
      Finish(absl::Status(status.code(), absl::StrCat(request_.host, ": ", status.message())));
      co_return;
    }
    Finish(std::make_unique<WebSocketTransport>(std::move(*ws_), WebSocketRole::kClient,
                                                *request_.io, config_->clock, config_->limits));
  }

  asio::awaitable<absl::Status> Connect() {
    if (absl::Status status = CheckRequest(request_); !status.ok()) co_return status;
    absl::StatusOr<HostUrl> url = ParseHostUrl(request_.host);
    if (!url.ok()) co_return url.status();
    url_ = *std::move(url);

    absl::StatusOr<std::vector<tcp::endpoint>> endpoints = co_await Resolve();
    if (!endpoints.ok()) co_return endpoints.status();
    absl::Status status = co_await ConnectTcp(*endpoints);
    if (status.ok() && url_.tls) status = co_await HandshakeTls();
    if (status.ok()) status = co_await Upgrade();
    co_return status;
  }

  asio::awaitable<absl::StatusOr<std::vector<tcp::endpoint>>> Resolve() {
    step_ = "looking up the name";
    std::vector<tcp::endpoint> endpoints;
    error_code ec;
    const asio::ip::address numeric = asio::ip::make_address(url_.host, ec);
    if (!ec) {
      endpoints.emplace_back(numeric, url_.port);
      co_return endpoints;
    }
    const std::string port = std::to_string(url_.port);
    resolving_ = true;
    auto [error, results] =
        co_await resolver_.async_resolve(url_.host, port, Resolver::numeric_service, kTuple);
    resolving_ = false;
    if (error) {
      co_return absl::UnavailableError(absl::StrCat("looking up the name: ", error.message()));
    }
    for (const auto& result : results) endpoints.push_back(result.endpoint());
    co_return endpoints;
  }

  // One address after the other.
  asio::awaitable<absl::Status> ConnectTcp(const std::vector<tcp::endpoint>& endpoints) {
    step_ = "connecting";
    error_code ec = asio::error::host_not_found;
    for (const tcp::endpoint& endpoint : endpoints) {
      if (done_ == nullptr) break;
      ws_.emplace(Channel::Socket(*request_.io), url_.tls ? config_->tls.client.get() : nullptr);
      Channel::Socket& socket = ws_->next_layer().socket();
      socket.open(endpoint.protocol(), ec);
      if (ec) continue;
      ApplyBeforeConnect(socket, config_->sockets);
      std::tie(ec) = co_await socket.async_connect(endpoint, kTuple);
      // With nobody listening on a port of the ephemeral range, the kernel may pick that very port
      // for us and connect the socket to itself.
      if (!ec && socket.local_endpoint(ec) == endpoint && !ec) {
        ec = asio::error::connection_refused;
      }
      if (!ec) {
        ApplyToConnection(socket, config_->sockets);
        co_return absl::OkStatus();
      }
    }
    co_return absl::UnavailableError(absl::StrCat("connecting: ", ec.message()));
  }

  asio::awaitable<absl::Status> HandshakeTls() {
    step_ = "the TLS handshake";
    Channel::TlsStream& tls = *ws_->next_layer().tls();
    return HandshakeTlsClient(tls, url_.host, config_->tls.verify_server);
  }

  asio::awaitable<absl::Status> Upgrade() {
    step_ = "the HTTP upgrade";
    ConfigureWebSocket(*ws_);
    ws_->next_layer().StopBehindHeader();
    ws_->set_option(websocket::stream_base::decorator([this](websocket::request_type& upgrade) {
      upgrade.set(http::field::authorization, absl::StrCat("Bearer ", request_.token));
      upgrade.set("X-Minio-Time",
                  std::to_string(config_->clock->WallNow().time_since_epoch().count()));
      upgrade.erase(http::field::user_agent);
    }));
    websocket::response_type response;
    const auto [ec] =
        co_await ws_->async_handshake(response, url_.authority, request_.route, kTuple);
    if (ec == websocket::error::upgrade_declined) co_return Declined(response);
    if (ec) co_return absl::UnavailableError(absl::StrCat("the HTTP upgrade: ", ec.message()));
    co_return CheckAnswer(response);
  }

  static absl::Status CheckAnswer(const websocket::response_type& response) {
    for (const auto& [field, name] :
         {std::pair(http::field::sec_websocket_protocol, "Sec-WebSocket-Protocol"),
          std::pair(http::field::sec_websocket_extensions, "Sec-WebSocket-Extensions")}) {
      if (response.count(field) == 0) continue;
      return absl::UnavailableError(
          absl::StrCat("the HTTP upgrade: the answer holds ", name, ", which was not asked for"));
    }
    return absl::OkStatus();
  }

  static absl::Status Declined(const websocket::response_type& response) {
    const unsigned code = response.result_int();
    std::string_view body = response.body();
    body = body.substr(0, kShownBodyBytes);
    while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
    const std::string text = absl::StrCat("the server answered HTTP ", code,
                                          body.empty() ? "" : ": ", absl::CHexEscape(Piece(body)));
    return code == 401 || code == 403 ? absl::PermissionDeniedError(text)
                                      : absl::UnavailableError(text);
  }

  void OnTimeout() {
    const auto self = shared_from_this();
    // First, so that whatever the closing completes finds the attempt over.
    auto done = std::exchange(done_, nullptr);
    resolver_.cancel();
    if (ws_.has_value()) ws_->next_layer().Close();
    done(absl::DeadlineExceededError(absl::StrCat(
        request_.host, ": no connection within ",
        std::chrono::duration_cast<std::chrono::milliseconds>(request_.timeout).count(),
        " ms; interrupted in: ", Piece(step_))));
  }

  void Cancel() {
    if (done_ == nullptr) return;
    const auto self = shared_from_this();
    auto done = std::exchange(done_, nullptr);
    timer_.Clear();
    resolver_.cancel();
    if (ws_.has_value()) ws_->next_layer().Close();
    // Whoever waits for the end of what is under way here would wait for the lookup.
    if (resolving_) request_.keep.reset();
    done(absl::CancelledError(absl::StrCat(request_.host, ": the attempt was cancelled")));
  }

  void Finish(DialResult result) {
    if (done_ == nullptr) return;
    timer_.Clear();
    std::exchange(done_, nullptr)(std::move(result));
  }

  const std::shared_ptr<const BeastConfig> config_;
  DialRequest request_;
  absl::AnyInvocable<void(DialResult)> done_;  // null once called
  const TimePoint deadline_;
  Resolver resolver_;
  LoopTimer timer_;
  HostUrl url_;
  std::optional<WebSocket> ws_;
  std::string_view step_ = "starting";
  bool resolving_ = false;
};

}  // namespace

void DialHost(std::shared_ptr<const BeastConfig> config, DialRequest request,
              absl::AnyInvocable<void(DialResult)> done) {
  asio::io_context& io = *request.io;
  auto attempt =
      std::make_shared<DialAttempt>(std::move(config), std::move(request), std::move(done));
  asio::post(io, [attempt = std::move(attempt)] { attempt->Start(); });
}

}  // namespace grid::internal
