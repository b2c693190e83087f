#include "grid/transport/http_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/transport/channel.h"
#include "grid/transport/idle_channels.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/spawn.h"
#include "grid/transport/text.h"
#include "grid/transport/tls_client.h"
#include "grid/transport/tls_context.h"
#include "grid/transport/url.h"

namespace grid::internal {
namespace {

namespace http = beast::http;
using asio::ip::tcp;
using Resolver = asio::ip::basic_resolver<tcp, Channel::executor_type>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr size_t kPartBytes = 16 << 10;

// A server that is gone without a word is noticed after some 25 s, also where nothing is said.
void KeepAlive(Channel::Socket& socket) {
  using asio::detail::socket_option::integer;
  error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(integer<IPPROTO_TCP, TCP_KEEPIDLE>(10), ignored);
  socket.set_option(integer<IPPROTO_TCP, TCP_KEEPINTVL>(5), ignored);
  socket.set_option(integer<IPPROTO_TCP, TCP_KEEPCNT>(3), ignored);
  socket.set_option(tcp::no_delay(true), ignored);
}

class Exchange final : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, std::shared_ptr<Clock> clock, const TlsContexts& tls,
           std::shared_ptr<IdleChannels> idle, HttpPost post,
           absl::AnyInvocable<void(std::string_view)> on_part,
           absl::AnyInvocable<void(absl::StatusOr<int>)> done)
      : io_(io),
        clock_(std::move(clock)),
        tls_(tls),
        idle_(std::move(idle)),
        post_(std::move(post)),
        on_part_(std::move(on_part)),
        done_(std::move(done)),
        resolver_(io.get_executor()),
        timer_(io, *clock_, [this] { OnTimeout(); }) {
    timer_.Set(clock_->Now() + post_.limit);
  }

  void Start() {
    // The frame holds the exchange, so nothing outlives what it uses.
    Spawn(
        io_, [self = shared_from_this()] { return self->Run(); },
        [self = shared_from_this()](std::string_view what) {
          self->Finish(absl::InternalError(absl::StrCat("HTTP: ", Piece(what))));
        });
  }
  void Abandon() {
    done_ = nullptr;
    Close();
  }

 private:
  asio::awaitable<void> Run() {
    absl::StatusOr<int> code = co_await Talk();
    if (!code.ok()) {
      code = absl::Status(code.status().code(),
                          absl::StrCat(post_.origin, ": ", code.status().message()));
    }
    Finish(std::move(code));
  }

  asio::awaitable<absl::StatusOr<int>> Talk() {
    absl::StatusOr<HostUrl> url = ParseHostUrl(post_.origin);
    if (!url.ok()) co_return url.status();
    channel_ = idle_->Take(post_.origin, clock_->Now());
    if (channel_ != nullptr) {
      absl::StatusOr<int> code = co_await Ask(*url);
      // Closed by the server in the very moment.
      const bool again = !code.ok() && !answered_ && post_.idempotent && done_ != nullptr;
      if (!again) co_return code;
    }
    ++idle_->opened;
    const std::string port = std::to_string(url->port);
    auto [lookup, endpoints] =
        co_await resolver_.async_resolve(url->host, port, Resolver::numeric_service, kTuple);
    if (lookup) co_return Failed("looking up the name", lookup);
    if (done_ == nullptr) co_return absl::CancelledError("given up");
    channel_ =
        std::make_unique<Channel>(Channel::Socket(io_), url->tls ? tls_.client.get() : nullptr);
    error_code ec = asio::error::host_not_found;
    for (const auto& endpoint : endpoints) {
      if (done_ == nullptr) break;
      error_code ignored;
      channel_->socket().close(ignored);
      std::tie(ec) = co_await channel_->socket().async_connect(endpoint.endpoint(), kTuple);
      if (!ec) break;
    }
    if (ec) co_return Failed("connecting", ec);
    KeepAlive(channel_->socket());
    if (url->tls) {
      absl::Status secured =
          co_await HandshakeTlsClient(*channel_->tls(), url->host, tls_.verify_server);
      if (!secured.ok()) co_return secured;
    }
    co_return co_await Ask(*url);
  }

  asio::awaitable<absl::StatusOr<int>> Ask(const HostUrl& url) {
    http::request<http::string_body> request(http::verb::post, post_.target, 11);
    request.set(http::field::host, url.authority);
    request.set(http::field::content_type, "application/json");
    request.keep_alive(!post_.endless);
    if (!post_.authorization.empty()) {
      request.set(http::field::authorization, post_.authorization);
    }
    request.body() = post_.body;
    request.prepare_payload();
    auto [wrong, written] = co_await http::async_write(*channel_, request, kTuple);
    if (wrong) co_return Failed("writing", wrong);

    beast::flat_buffer buffer;
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    auto [unread, header] = co_await http::async_read_header(*channel_, buffer, parser, kTuple);
    answered_ = parser.got_some();
    if (unread) co_return Failed("reading", unread);
    if (post_.endless) timer_.Clear();
    std::array<char, kPartBytes> part;
    while (!parser.is_done()) {
      parser.get().body().data = part.data();
      parser.get().body().size = part.size();
      // Some: what has come is handed on at once, not when the part is full.
      auto [ec, size] = co_await http::async_read_some(*channel_, buffer, parser, kTuple);
      if (ec == http::error::need_buffer) ec = {};
      if (ec) co_return Failed("reading", ec);
      const size_t got = part.size() - parser.get().body().size;
      if (done_ == nullptr) co_return absl::CancelledError("given up");
      if (got > 0) on_part_(std::string_view(part.data(), got));
      if (done_ == nullptr) co_return absl::CancelledError("given up");
    }
    reusable_ = !post_.endless && parser.keep_alive() && buffer.size() == 0;
    co_return static_cast<int>(parser.get().result_int());
  }

  static absl::Status Failed(std::string_view step, const error_code& ec) {
    return absl::UnavailableError(absl::StrCat(Piece(step), ": ", ec.message()));
  }

  void OnTimeout() {
    Finish(absl::DeadlineExceededError(absl::StrCat(post_.origin, ": no answer in time")));
  }

  void Finish(absl::StatusOr<int> code) {
    if (done_ == nullptr) return;
    const auto self = shared_from_this();
    auto done = std::exchange(done_, nullptr);
    if (code.ok() && reusable_) idle_->Put(post_.origin, std::move(channel_), clock_->Now());
    Close();
    done(std::move(code));
  }

  void Close() {
    timer_.Clear();
    resolver_.cancel();
    if (channel_ != nullptr) channel_->Close();
  }

  asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  const TlsContexts tls_;  // may outlive the client
  const std::shared_ptr<IdleChannels> idle_;
  HttpPost post_;
  absl::AnyInvocable<void(std::string_view)> on_part_;
  absl::AnyInvocable<void(absl::StatusOr<int>)> done_;  // null once called, or given up
  Resolver resolver_;
  LoopTimer timer_;
  std::unique_ptr<Channel> channel_;
  bool answered_ = false;  // something has come of the answer
  bool reusable_ = false;
};

class ExchangeHandle final : public HttpExchange {
 public:
  explicit ExchangeHandle(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~ExchangeHandle() override { exchange_->Abandon(); }

 private:
  const std::shared_ptr<Exchange> exchange_;
};

class BeastHttpClient final : public HttpClient {
 public:
  BeastHttpClient(asio::io_context& io, std::shared_ptr<Clock> clock, TlsContexts tls,
                  const HttpLimits& limits)
      : io_(io),
        clock_(std::move(clock)),
        tls_(std::move(tls)),
        idle_(std::make_shared<IdleChannels>(limits.max_idle, limits.idle)) {}

  std::unique_ptr<HttpExchange> Post(HttpPost post,
                                     absl::AnyInvocable<void(std::string_view)> on_part,
                                     absl::AnyInvocable<void(absl::StatusOr<int>)> done) override {
    auto exchange = std::make_shared<Exchange>(io_, clock_, tls_, idle_, std::move(post),
                                               std::move(on_part), std::move(done));
    exchange->Start();
    return std::make_unique<ExchangeHandle>(std::move(exchange));
  }
  HttpStats Stats() const override {
    return {.connections = idle_->opened, .reused = idle_->reused};
  }

 private:
  asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  const TlsContexts tls_;
  const std::shared_ptr<IdleChannels> idle_;
};

}  // namespace
}  // namespace grid::internal

namespace grid {

absl::StatusOr<std::unique_ptr<HttpClient>> MakeHttpClient(boost::asio::io_context& io,
                                                           std::shared_ptr<Clock> clock,
                                                           const TlsOptions& tls,
                                                           const HttpLimits& limits) {
  absl::StatusOr<internal::TlsContexts> contexts = internal::LoadTlsContexts(tls);
  if (!contexts.ok()) return contexts.status();
  return std::make_unique<internal::BeastHttpClient>(io, std::move(clock), *std::move(contexts),
                                                     limits);
}

}  // namespace grid
