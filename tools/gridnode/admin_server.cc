#include "tools/gridnode/admin_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/transport/url.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr int kMaxConnections = 64;
constexpr std::chrono::seconds kIdle{10};
constexpr uint64_t kMaxBody = 4096;

http::response<http::string_body> MakeResponse(const http::request<http::string_body>& request,
                                               const AdminServer::Handler& handler) {
  Page page;
  const bool head = request.method() == http::verb::head;
  if (!head && request.method() != http::verb::get) {
    page = {.status = 405, .body = "only GET and HEAD\n"};
  } else {
    std::string_view path(request.target().data(), request.target().size());
    path = path.substr(0, path.find('?'));
    page = handler(path);
  }
  http::response<http::string_body> response(static_cast<http::status>(page.status),
                                             request.version());
  response.set(http::field::content_type, page.content_type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(request.keep_alive());
  const size_t size = page.body.size();
  if (!head) response.body() = std::move(page.body);
  response.content_length(size);
  return response;
}

}  // namespace

class AdminServer::Impl {
 public:
  explicit Impl(Handler handler) : handler_(std::move(handler)), acceptor_(io_) {}

  ~Impl() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start(const std::string& text) {
    const absl::StatusOr<ListenAddress> address = ParseListenAddress(text);
    if (!address.ok()) return address.status();
    error_code error;
    tcp::endpoint endpoint(tcp::v6(), address->port);
    if (!address->host.empty()) {
      tcp::resolver resolver(io_);
      const auto found = resolver.resolve(address->host, std::to_string(address->port),
                                          tcp::resolver::passive, error);
      if (!error) endpoint = found.begin()->endpoint();
    }
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    if (error) {
      return absl::UnavailableError(absl::StrCat("can't listen on ", text, ": ", error.message()));
    }
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(io_, AcceptAll(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  uint16_t port() const { return port_; }

 private:
  asio::awaitable<void> AcceptAll() {
    for (;;) {
      error_code error;
      tcp::socket socket =
          co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // Out of descriptors, say: wait a little rather than spin.
        asio::steady_timer pause(io_, std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (connections_ >= kMaxConnections) continue;  // closes it
      ++connections_;
      asio::co_spawn(io_, Serve(beast::tcp_stream(std::move(socket))),
                     [this](std::exception_ptr) { --connections_; });
    }
  }

  asio::awaitable<void> Serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    for (;;) {
      error_code error;
      http::request_parser<http::string_body> parser;
      parser.body_limit(kMaxBody);
      stream.expires_after(kIdle);
      co_await http::async_read(stream, buffer, parser,
                                asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      const http::response<http::string_body> response = MakeResponse(parser.get(), handler_);
      stream.expires_after(kIdle);
      co_await http::async_write(stream, response,
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error || !response.keep_alive()) break;
    }
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  const Handler handler_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  int connections_ = 0;
  uint16_t port_ = 0;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const std::string& address,
                                                                Handler handler) {
  auto impl = std::make_unique<Impl>(std::move(handler));
  if (absl::Status status = impl->Start(address); !status.ok()) return status;
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() = default;

uint16_t AdminServer::port() const { return impl_->port(); }

}  // namespace grid::tools
