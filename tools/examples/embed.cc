// grid inside a program that exists: its HTTP server (Beast), its I/O thread and its workers. The
// server answers GET /hello itself and hands what asks for the route of grid over; a second
// manager, with threads of its own, stands for another process that dials in.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <chrono>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grid/beast_accept.h"
#include "grid/manager.h"
#include "handlers/single_handler.h"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

struct Sum {
  std::vector<int64_t> numbers;
  MSGPACK_DEFINE_MAP(numbers);
};
constexpr grid::SingleHandler<Sum, int64_t> kSum{grid::HandlerId{9}};

// The program's server as it was before grid, but for the lines that name a manager.
class HttpServer {
 public:
  HttpServer(asio::io_context& io, const tcp::endpoint& address)
      : acceptor_(io, address), port_(acceptor_.local_endpoint().port()) {}

  uint16_t port() const { return port_; }

  void Start(grid::Manager& manager) {
    manager_ = &manager;
    asio::co_spawn(acceptor_.get_executor(), AcceptAll(), asio::detached);
  }
  // No more connections; those that are open go on. On the thread of the io_context.
  void Close() { acceptor_.close(); }

 private:
  asio::awaitable<void> AcceptAll() {
    for (;;) {
      auto accept = acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
      auto [error, socket] = co_await std::move(accept);
      if (!acceptor_.is_open()) co_return;
      if (error) continue;
      asio::co_spawn(acceptor_.get_executor(), Serve(beast::tcp_stream(std::move(socket))),
                     asio::detached);
    }
  }

  asio::awaitable<void> Serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    bool keep_alive = true;
    while (keep_alive) {
      http::request<http::string_body> request;
      stream.expires_after(std::chrono::seconds(10));
      auto read = http::async_read(stream, buffer, request, asio::as_tuple(asio::use_awaitable));
      const auto [read_error, read_bytes] = co_await std::move(read);
      if (read_error) co_return;

      absl::Status refused;
      if (beast::websocket::is_upgrade(request)) {
        refused = grid::Accept(*manager_, std::move(stream), request, buffer);
        if (refused.ok()) co_return;  // the manager's from here on
      }
      http::response<http::string_body> response = Answer(request, refused);
      keep_alive = response.keep_alive();
      auto write = http::async_write(stream, response, asio::as_tuple(asio::use_awaitable));
      const auto [write_error, written_bytes] = co_await std::move(write);
      if (write_error) co_return;
    }
  }

  static http::response<http::string_body> Answer(const http::request<http::string_body>& request,
                                                  const absl::Status& refused) {
    http::response<http::string_body> response(http::status::ok, request.version());
    response.keep_alive(request.keep_alive());
    if (!refused.ok()) {
      response.result(http::status::bad_request);
      response.body() = refused.ToString() + "\n";
    } else if (request.method() == http::verb::get && request.target() == "/hello") {
      response.body() = "hello\n";
    } else {
      response.result(http::status::not_found);
    }
    response.prepare_payload();
    return response;
  }

  tcp::acceptor acceptor_;
  const uint16_t port_;
  grid::Manager* manager_ = nullptr;
};

// GET /hello, as any client of the program's does.
std::string FetchHello(uint16_t port) {
  asio::io_context io;
  beast::tcp_stream stream(io);
  stream.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  http::request<http::empty_body> request(http::verb::get, "/hello", 11);
  request.set(http::field::host, "127.0.0.1");
  request.keep_alive(false);
  http::write(stream, request);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(stream, buffer, response);
  return response.body();
}

// Which of two nodes dials follows from their names. This one never listens, so any name will do
// that dials `host`.
std::string NameThatDials(const std::string& host) {
  for (int port = 1;; ++port) {
    std::string name = "http://127.0.0.2:" + std::to_string(port);
    if (grid::ShouldDial(name, host)) return name;
  }
}

// The program: a server, one thread for I/O, two that work; and, with all of these, a manager.
class Program {
 public:
  Program() : server_(io_, {asio::ip::address_v4::loopback(), 0}), manager_(Options()) {}

  // The way out: nobody new, then the manager, and only then the threads that it works on.
  ~Program() {
    asio::post(io_, [this] { server_.Close(); });
    auto stopped = std::make_shared<std::promise<void>>();
    manager_.StopAsync([stopped] { stopped->set_value(); });
    stopped->get_future().wait();
    guard_.reset();  // run() returns when the last connection of HTTP is closed as well
    thread_.join();
    workers_.join();
  }

  grid::Manager& manager() { return manager_; }
  uint16_t port() const { return server_.port(); }

  absl::Status Start() {
    absl::Status started = manager_.Start();
    if (started.ok()) server_.Start(manager_);
    return started;
  }

 private:
  grid::ManagerOptions Options() {
    grid::ManagerOptions options;
    options.local = "http://127.0.0.1:" + std::to_string(port());
    options.io_contexts = {&io_};
    options.worker_executor = workers_.get_executor();
    return options;
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_ = asio::make_work_guard(io_);
  asio::thread_pool workers_{2};
  HttpServer server_;
  grid::Manager manager_;  // never Listens: its connections come from server_
  std::thread thread_{[this] { io_.run(); }};
};

absl::Status Run() {
  Program program;
  const std::string& name = program.manager().local();
  grid::ManagerOptions options;
  options.local = NameThatDials(name);
  grid::Manager remote(options);

  absl::Status status = kSum.Register(
      program.manager(), [](const Sum& sum, grid::RequestContext&) -> absl::StatusOr<int64_t> {
        int64_t total = 0;  // on one of the program's workers
        for (const int64_t number : sum.numbers) total += number;
        return total;
      });
  status.Update(program.manager().AddPeer(options.local));
  status.Update(remote.AddPeer(name));
  status.Update(program.Start());
  status.Update(remote.Start());
  if (!status.ok()) return status;

  std::cout << "GET /hello: " << FetchHello(program.port());
  auto call = kSum.Call(remote.Connection(name), {.numbers = {1, 2, 39}}, {.wait_for_ready = true},
                        asio::use_future);
  const absl::StatusOr<int64_t> total = call.get();
  if (total.ok()) std::cout << "the sum is " << *total << "\n";
  return total.status();
}

}  // namespace

int main() {
  absl::Status status;
  try {
    status = Run();
  } catch (const std::exception& error) {
    status = absl::InternalError(error.what());
  }
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
