#include "grid/transport/server_handshake.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/spawn.h"
#include "grid/transport/websocket_transport.h"

namespace grid::internal {
namespace {

namespace http = beast::http;
namespace websocket = beast::websocket;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

constexpr uint32_t kMaxHeaderBytes = 8 << 10;
// The header, and what may come behind it in the same read.
constexpr size_t kMaxBufferBytes = 16 << 10;
// How long a refused peer is given to read the answer and close.
constexpr auto kLinger = std::chrono::seconds(1);
// What a close frame has room for behind its code.
constexpr size_t kMaxCloseReasonBytes = 123;
constexpr size_t kMaxLingerBytes = size_t{64} << 10;

// The answer to what could not be read as a request; nothing when nobody is there to read it.
std::optional<Refusal> AnswerTo(const error_code& ec) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return Refusal{HttpRefusal::kBadRequest, http::status::request_header_fields_too_large,
                   absl::StrCat("send a header of at most ", kMaxHeaderBytes, " bytes")};
  }
  const bool malformed =
      ec.category() == http::make_error_code(http::error::bad_method).category() &&
      ec != http::error::end_of_stream && ec != http::error::partial_message;
  if (!malformed) return std::nullopt;
  return Refusal{HttpRefusal::kBadRequest, http::status::bad_request,
                 absl::StrCat("speak HTTP/1.1 here: ", ec.message())};
}

}  // namespace

ServerHandshake::ServerHandshake(std::shared_ptr<const BeastConfig> config,
                                 std::shared_ptr<const ListenRequest> request, asio::io_context& io,
                                 Channel::Socket socket, Admission admission)
    : config_(std::move(config)),
      request_(std::move(request)),
      io_(io),
      admission_(std::move(admission)),
      deadline_(config_->clock->Now() + request_->handshake_timeout),
      ws_(std::move(socket), request_->tls ? config_->tls.server.get() : nullptr),
      timer_(io, *config_->clock, [this] { OnTimeout(); }),
      buffer_(kMaxBufferBytes) {}

ServerHandshake::ServerHandshake(std::shared_ptr<const BeastConfig> config,
                                 std::shared_ptr<const ListenRequest> request, asio::io_context& io,
                                 Channel::Socket socket, Admission admission,
                                 std::shared_ptr<AdoptedConnection> adopted)
    : config_(std::move(config)),
      request_(std::move(request)),
      io_(io),
      admission_(std::move(admission)),
      deadline_(std::min(adopted->deadline.value_or(TimePoint::max()),
                         config_->clock->Now() + request_->handshake_timeout)),
      adopted_(std::move(adopted)),
      ws_(std::move(socket), AdoptedTls{adopted_->tls.release()}),
      timer_(io, *config_->clock, [this] { OnTimeout(); }),
      buffer_(kMaxBufferBytes) {
  if (!adopted_->leftover.empty()) ws_.next_layer().Prepend(std::move(adopted_->leftover));
}

void ServerHandshake::Start() {
  timer_.Set(deadline_);
  Spawn(
      io_, [self = shared_from_this()] { return self->Run(); },
      [self = shared_from_this()](std::string_view what) {
        self->Refuse(HttpRefusal::kBadRequest, what);
      });
}

void ServerHandshake::Abort() {
  // Once it is over the stream may have gone to its transport.
  if (std::exchange(over_, true)) return;
  timer_.Clear();
  ws_.next_layer().Close();
}

void ServerHandshake::OnTimeout() {
  const auto self = shared_from_this();
  Refuse(HttpRefusal::kTimeout, "no WebSocket upgrade within the handshake time-out");
}

void ServerHandshake::Refuse(HttpRefusal kind, std::string_view detail) {
  if (over_) return;
  // Told first, so that the counters are right when the peer sees the connection end.
  Report(kind, detail);
  Abort();
}

void ServerHandshake::Report(HttpRefusal kind, std::string_view detail) {
  if (std::exchange(reported_, true) || !request_->on_refuse) return;
  request_->on_refuse(kind, detail);
}

asio::awaitable<void> ServerHandshake::Run() {
  if (over_) co_return;
  std::optional<HttpRequest> request;
  if (adopted_ != nullptr) {
    request = std::move(adopted_->request);
  } else {
    if (request_->tls && !co_await HandshakeTls()) co_return;
    request = co_await ReadRequest();
    if (!request.has_value()) co_return;
  }
  std::optional<Refusal> refusal =
      request_->pick != nullptr ? HandOver(*request)
                                : CheckUpgrade(*request, request_->route, request_->check_token);
  if (refusal.has_value()) {
    const bool upgraded = adopted_ != nullptr && adopted_->upgraded;
    if (upgraded) {
      co_await AnswerUpgraded(*refusal);
    } else {
      co_await Answer(*refusal);
    }
    co_return;
  }
  if (over_) co_return;
  // Would make Beast send a "100 Continue" first.
  request->erase(http::field::expect);
  if (!co_await Upgrade(*request)) co_return;
  timer_.Clear();
  over_ = true;
  AcceptedTransport accepted;
  accepted.transport = std::make_unique<WebSocketTransport>(std::move(ws_), WebSocketRole::kServer,
                                                            io_, config_->clock, config_->limits);
  accepted.io = &io_;
  accepted.admission = std::move(admission_);
  accepted.handshake_deadline = deadline_;
  request_->on_accept(std::move(accepted));
}

asio::awaitable<bool> ServerHandshake::HandshakeTls() {
  const auto [ec] =
      co_await ws_.next_layer().tls()->async_handshake(asio::ssl::stream_base::server, kTuple);
  if (ec) Refuse(HttpRefusal::kTls, ec.message());
  co_return !over_;
}

asio::awaitable<std::optional<HttpRequest>> ServerHandshake::ReadRequest() {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  const auto [ec, size] =
      co_await http::async_read_header(ws_.next_layer(), buffer_, parser, kTuple);
  if (over_) co_return std::nullopt;
  if (!ec) co_return parser.release();
  // A named object: g++ 12 destroys a temporary in a co_await expression twice.
  const std::optional<Refusal> refusal = AnswerTo(ec);
  if (refusal.has_value()) {
    co_await Answer(*refusal);
  } else {
    Refuse(HttpRefusal::kBadRequest,
           ec == http::error::end_of_stream ? "closed before a request" : ec.message());
  }
  co_return std::nullopt;
}

std::optional<Refusal> ServerHandshake::HandOver(HttpRequest& request) {
  std::string_view path(request.target().data(), request.target().size());
  path = path.substr(0, path.find('?'));
  const absl::StatusOr<TakeConnection> take = request_->pick(path);
  if (absl::IsResourceExhausted(take.status())) {
    return Refusal{HttpRefusal::kTooMany, http::status::service_unavailable,
                   "too many connections before their handshake; try again"};
  }
  if (!take.ok()) {
    return Refusal{HttpRefusal::kBadPath, http::status::not_found, "nothing here"};
  }
  auto connection = std::make_shared<AdoptedConnection>();
  connection->leftover.assign(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  absl::StatusOr<Channel::Released> released = ws_.next_layer().Release(&connection->leftover);
  if (!released.ok()) {
    const std::string_view why(released.status().message().data(),
                               released.status().message().size());
    Refuse(HttpRefusal::kBadRequest, why);
    return std::nullopt;
  }
  connection->socket = NativeSocket(released->fd, released->protocol);
  connection->tls.reset(released->tls);
  connection->request = std::move(request);
  connection->deadline = deadline_;
  over_ = true;
  timer_.Clear();
  admission_ = Admission();
  (*take)(std::move(connection));
  return std::nullopt;
}

asio::awaitable<void> ServerHandshake::AnswerUpgraded(const Refusal& refusal) {
  Channel& channel = ws_.next_layer();
  Report(refusal.kind, refusal.text);
  timer_.Set(std::min(deadline_, config_->clock->Now() + kLinger));
  // One frame, written by hand: the stream above was never told of the upgrade.
  const auto code = static_cast<uint16_t>(CloseCode::kPolicyViolation);
  std::string frame = {static_cast<char>(0x88), 0, static_cast<char>(code >> 8),
                       static_cast<char>(code & 0xFF)};
  frame.append(refusal.text, 0, kMaxCloseReasonBytes);
  frame[1] = static_cast<char>(frame.size() - 2);
  const auto [ec, size] = co_await asio::async_write(channel, asio::buffer(frame), kTuple);
  if (!ec && channel.tls() == nullptr) co_await Linger();
  Abort();
}

asio::awaitable<void> ServerHandshake::Answer(const Refusal& refusal) {
  const HttpResponse response = RefusalResponse(refusal);
  Channel& channel = ws_.next_layer();
  // Told now, so that the counters are right when the peer reads the answer.
  Report(refusal.kind, refusal.text);
  timer_.Set(std::min(deadline_, config_->clock->Now() + kLinger));
  const auto [ec, size] = co_await http::async_write(channel, response, kTuple);
  if (!ec && channel.tls() == nullptr) co_await Linger();
  Abort();
}

asio::awaitable<void> ServerHandshake::Linger() {
  Channel& channel = ws_.next_layer();
  error_code ignored;
  channel.socket().shutdown(Channel::Socket::shutdown_send, ignored);
  buffer_.clear();
  for (size_t total = 0; total < kMaxLingerBytes;) {
    const auto [ec, got] =
        co_await channel.async_read_some(buffer_.prepare(buffer_.max_size()), kTuple);
    if (ec) break;
    total += got;
  }
}

asio::awaitable<bool> ServerHandshake::Upgrade(const HttpRequest& request) {
  ConfigureWebSocket(ws_);
  // Beast adds this field with its own name and version where it is not set.
  ws_.set_option(websocket::stream_base::decorator(
      [](websocket::response_type& response) { response.set(http::field::server, "grid"); }));
  // A client that does not wait for the answer sends its first frames right behind the request.
  if (buffer_.size() > 0) {
    ws_.next_layer().Prepend(
        std::string(static_cast<const char*>(buffer_.data().data()), buffer_.size()));
    buffer_.consume(buffer_.size());
  }
  if (adopted_ != nullptr && adopted_->upgraded) co_return !over_;  // by the host program
  const auto [ec] = co_await ws_.async_accept(request, kTuple);
  if (ec) Refuse(HttpRefusal::kBadRequest, ec.message());
  co_return !over_;
}

}  // namespace grid::internal
