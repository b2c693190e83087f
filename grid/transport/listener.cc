#include "grid/transport/listener.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grid/transport/channel.h"
#include "grid/transport/handshake_set.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/server_handshake.h"
#include "grid/transport/socket_options.h"
#include "grid/transport/url.h"

namespace grid::internal {
namespace {

using asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<tcp, Channel::executor_type>;

// After accept has failed for want of descriptors or memory: trying again at once would only burn
// the processor that could free some.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

// Belongs to the first I/O thread, except for the handshakes.
class ListenerCore final : public std::enable_shared_from_this<ListenerCore> {
 public:
  ListenerCore(std::shared_ptr<const BeastConfig> config, ListenRequest request)
      : config_(std::move(config)),
        request_(std::make_shared<const ListenRequest>(std::move(request))),
        acceptor_(request_->ios[0]->get_executor()),
        pause_(*request_->ios[0], *config_->clock, [this] { Accept(); }) {}

  error_code Open(const tcp::endpoint& endpoint) {
    error_code ec;
    if (acceptor_.is_open()) acceptor_.close(ec);
    acceptor_.open(endpoint.protocol(), ec);
    if (ec) return ec;
    acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    if (ec) return ec;
    if (endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
      acceptor_.set_option(asio::ip::v6_only(false), ec);
      if (ec) return ec;
    }
    ApplyBeforeConnect(acceptor_, config_->sockets);
    acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    return ec;
  }

  uint16_t port() const {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

  void Accept() {
    asio::io_context& io = *request_->ios[next_++ % request_->ios.size()];
    acceptor_.async_accept(io.get_executor(), [self = shared_from_this(), &io](
                                                  const error_code& ec, Channel::Socket socket) {
      self->OnAccept(ec, io, std::move(socket));
    });
  }

  // From any thread.
  void Stop() {
    asio::post(*request_->ios[0], [self = shared_from_this()] {
      error_code ignored;
      self->acceptor_.close(ignored);
      self->pause_.Clear();
    });
    handshakes_.Stop();
  }

 private:
  void OnAccept(const error_code& ec, asio::io_context& io, Channel::Socket socket) {
    if (!acceptor_.is_open()) return;
    if (ec && ec != asio::error::connection_aborted) {
      config_->log->Log(LogLevel::kWarning,
                        absl::StrCat("listening on ", request_->address, ": ", ec.message()));
      return pause_.Set(config_->clock->Now() + kAcceptPause);
    }
    if (!ec) Admit(io, std::move(socket));
    Accept();
  }

  void Admit(asio::io_context& io, Channel::Socket socket) {
    if (!request_->gate->TryEnter()) {
      if (request_->on_refuse) {
        request_->on_refuse(HttpRefusal::kTooMany, "too many connections before their handshake");
      }
      error_code ignored;
      socket.close(ignored);
      return;
    }
    ApplyToConnection(socket, config_->sockets);
    asio::post(io, [self = shared_from_this(), &io, socket = std::move(socket),
                    admission = Admission(request_->gate)]() mutable {
      auto handshake = std::make_shared<ServerHandshake>(self->config_, self->request_, io,
                                                         std::move(socket), std::move(admission));
      if (self->handshakes_.Remember(handshake)) handshake->Start();
    });
  }

  const std::shared_ptr<const BeastConfig> config_;
  const std::shared_ptr<const ListenRequest> request_;
  Acceptor acceptor_;
  LoopTimer pause_;
  size_t next_ = 0;
  HandshakeSet handshakes_;
};

class BeastListener final : public Listener {
 public:
  explicit BeastListener(std::shared_ptr<ListenerCore> core)
      : core_(std::move(core)), port_(core_->port()) {}
  ~BeastListener() override { core_->Stop(); }
  uint16_t port() const override { return port_; }

 private:
  const std::shared_ptr<ListenerCore> core_;
  const uint16_t port_;
};

// The addresses to try, in turn. No host: every address, IPv6 with IPv4 in it where the system has
// that.
absl::StatusOr<std::vector<tcp::endpoint>> Endpoints(const ListenAddress& address,
                                                     asio::io_context& io) {
  std::vector<tcp::endpoint> endpoints;
  if (address.host.empty()) {
    endpoints.emplace_back(tcp::v6(), address.port);
    endpoints.emplace_back(tcp::v4(), address.port);
    return endpoints;
  }
  error_code ec;
  const asio::ip::address numeric = asio::ip::make_address(address.host, ec);
  if (!ec) {
    endpoints.emplace_back(numeric, address.port);
    return endpoints;
  }
  tcp::resolver resolver(io);
  const auto results =
      resolver.resolve(address.host, std::to_string(address.port),
                       tcp::resolver::numeric_service | tcp::resolver::passive, ec);
  if (ec) {
    return absl::InvalidArgumentError(absl::StrCat("address ", address.host, ": ", ec.message()));
  }
  for (const auto& result : results) endpoints.push_back(result.endpoint());
  return endpoints;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> StartListener(std::shared_ptr<const BeastConfig> config,
                                                        ListenRequest request) {
  if (request.tls && config->tls.server == nullptr) {
    return absl::FailedPreconditionError(
        "listening with TLS needs TlsOptions::certificate_file and key_file");
  }
  absl::StatusOr<ListenAddress> address = ParseListenAddress(request.address);
  if (!address.ok()) return address.status();
  absl::StatusOr<std::vector<tcp::endpoint>> endpoints = Endpoints(*address, *request.ios[0]);
  if (!endpoints.ok()) return endpoints.status();

  const std::string text = request.address;
  auto core = std::make_shared<ListenerCore>(std::move(config), std::move(request));
  error_code ec = asio::error::host_not_found;
  for (const tcp::endpoint& endpoint : *endpoints) {
    ec = core->Open(endpoint);
    if (!ec) break;
  }
  if (ec) {
    return absl::UnavailableError(absl::StrCat("listening on ", text, ": ", ec.message()));
  }
  auto listener = std::make_unique<BeastListener>(core);
  core->Accept();
  return listener;
}

}  // namespace grid::internal
