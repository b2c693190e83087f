// HttpClient against a server that does what it is told: which connections are used again, and what
// becomes of a post whose connection the server closes.
#include "grid/transport/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace grid::live {
namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What the server does on its connections, one after the other; for each request one of
//   a: answer         e: answer, then close        c: close without an answer
//   n: answer, and say that the connection closes
using Script = std::vector<std::string>;

class ScriptedServer {
 public:
  explicit ScriptedServer(Script script)
      : script_(std::move(script)),
        acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}),
        origin_("http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port())),
        thread_([this] { Serve(); }) {}
  ~ScriptedServer() {
    stop_ = true;
    thread_.join();
  }

  const std::string& origin() const { return origin_; }

 private:
  void Serve() {
    for (const std::string& connection : script_) {
      tcp::socket socket(io_);
      if (!Accept(socket)) return;
      boost::beast::flat_buffer buffer;
      for (const char step : connection) {
        http::request<http::string_body> request;
        boost::system::error_code ec;
        http::read(socket, buffer, request, ec);
        if (ec || step == 'c') break;
        http::response<http::string_body> response(http::status::ok, 11);
        response.body() = request.body() + "!";
        response.keep_alive(step != 'n');
        response.prepare_payload();
        http::write(socket, response, ec);
        if (ec || step == 'e') break;
      }
      held_.push_back(std::move(socket));
      if (connection.ends_with('e') || connection.ends_with('c')) held_.back().close();
    }
  }

  // False once it is to stop.
  bool Accept(tcp::socket& socket) {
    acceptor_.non_blocking(true);
    boost::system::error_code ec = boost::asio::error::would_block;
    while (ec && !stop_) {
      acceptor_.accept(socket, ec);
      if (ec) std::this_thread::sleep_for(milliseconds(1));
    }
    socket.non_blocking(false, ec);
    return !stop_;
  }

  const Script script_;
  std::atomic<bool> stop_{false};
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  const std::string origin_;
  std::vector<tcp::socket> held_;  // stay open until the end
  std::thread thread_;
};

class HttpKeepAliveTest : public testing::Test {
 protected:
  void Make(Script script, HttpLimits limits = {}) {
    server_.emplace(std::move(script));
    auto client = MakeHttpClient(io_, RealClock(), {}, limits);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  // "body", or the error.
  std::string Post(const std::string& body, bool idempotent = false) {
    std::string answer;
    std::optional<absl::StatusOr<int>> code;
    const auto exchange = client_->Post(
        {.origin = server_->origin(),
         .target = "/",
         .body = body,
         .limit = seconds(20),
         .idempotent = idempotent},
        [&](std::string_view part) { answer += part; },
        [&](absl::StatusOr<int> done) { code = std::move(done); });
    Run([&] { return code.has_value(); });
    if (!code.has_value()) return "never completed";
    return code->ok() ? answer : std::string(absl::StatusCodeToString(code->status().code()));
  }
  template <typename Predicate>
  void Run(Predicate predicate, milliseconds limit = seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!predicate() && std::chrono::steady_clock::now() < end) {
      io_.run_one_for(milliseconds(5));
    }
  }
  void Pause() {
    Run([] { return false; }, milliseconds(200));
  }
  void ExpectStats(uint64_t connections, uint64_t reused) {
    EXPECT_EQ(client_->Stats().connections, connections);
    EXPECT_EQ(client_->Stats().reused, reused);
  }

  boost::asio::io_context io_;
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};  // without it Run would run once
  std::optional<ScriptedServer> server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(HttpKeepAliveTest, ConnectionsAreUsedAgain) {
  Make({"aaa"});
  for (const char* body : {"one", "two", "three"}) EXPECT_EQ(Post(body), std::string(body) + "!");
  ExpectStats(1, 2);
}

TEST_F(HttpKeepAliveTest, ConnectionThatTheServerHasClosed_IsNotUsed) {
  Make({"e", "n", "a"});
  EXPECT_EQ(Post("one"), "one!");
  Pause();
  EXPECT_EQ(Post("two"), "two!");
  // It said that it would close.
  EXPECT_EQ(Post("three"), "three!");
  ExpectStats(3, 0);
}

TEST_F(HttpKeepAliveTest, ClosedWithoutAnAnswer_OnAConnectionUsedBefore_IsAskedAgainIfIdempotent) {
  Make({"ac", "a"});
  EXPECT_EQ(Post("one"), "one!");
  EXPECT_EQ(Post("two", true), "two!");
  ExpectStats(2, 1);
}

TEST_F(HttpKeepAliveTest, ClosedWithoutAnAnswer_IsAnErrorIfNotIdempotent) {
  Make({"ac"});
  EXPECT_EQ(Post("one"), "one!");
  EXPECT_EQ(Post("two"), "UNAVAILABLE");
  ExpectStats(1, 1);
}

// Not even then: a server that closes at once would be asked for ever.
TEST_F(HttpKeepAliveTest, ClosedWithoutAnAnswer_OnANewConnection_IsAnError) {
  Make({"c"});
  EXPECT_EQ(Post("one", true), "UNAVAILABLE");
  ExpectStats(1, 0);
}

TEST_F(HttpKeepAliveTest, LimitsOfWhatWaits) {
  Make({"a", "a"}, {.max_idle = 0});
  EXPECT_EQ(Post("one"), "one!");
  EXPECT_EQ(Post("two"), "two!");
  ExpectStats(2, 0);
}

TEST_F(HttpKeepAliveTest, ConnectionThatHasWaitedTooLong_IsNotUsed) {
  Make({"a", "a"}, {.idle = milliseconds(100)});
  EXPECT_EQ(Post("one"), "one!");
  Pause();
  EXPECT_EQ(Post("two"), "two!");
  ExpectStats(2, 0);
}

}  // namespace
}  // namespace grid::live
