// HttpClient: posts to a server over HTTP/1.1, plain or TLS, and hands on the body of the answer as
// it comes, so that one that never ends can be read too.
//
// Belongs to one I/O thread. An exchange has a connection to itself, which waits for the next one
// afterwards, unless the answer never ended (HttpLimits).
//
//   auto exchange = client->Post({.origin = "http://127.0.0.1:2379", .target = "/v3/kv/range",
//                                 .body = "{}", .limit = 2s},
//                                [](std::string_view part) { ... },
//                                [](absl::StatusOr<int> code) { ... });
#ifndef GRID_GRID_TRANSPORT_HTTP_CLIENT_H_
#define GRID_GRID_TRANSPORT_HTTP_CLIENT_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/transport/network.h"

namespace grid {

struct HttpPost {
  std::string origin = {};  // "https://host:port"
  std::string target = {};
  std::string body = {};
  std::string authorization = {};  // the whole value of that field; empty: none
  Duration limit = {};             // until the answer is over
  // The limit is for the header of the answer only; its body may go on for ever.
  bool endless = false;
  // May be carried out twice: asked again, once, where a connection that was used before turns out
  // to be closed and nothing was answered. Otherwise that is kUnavailable, and who asks can't know
  // whether it was carried out.
  bool idempotent = false;
};

struct HttpLimits {
  // Connections that wait to be used again; 0: each exchange has one of its own.
  size_t max_idle = 8;
  Duration idle = std::chrono::seconds(30);  // how long they do
};

// Totals.
struct HttpStats {
  uint64_t connections = 0;  // opened, or tried to be
  uint64_t reused = 0;       // exchanges that began on one that was there
};

// Ends the exchange when it is destroyed: nothing is called afterwards.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // `on_part` gets the body, piece by piece; `done` is called once, never from inside Post, with
  // the status code of an answer that is complete, or with what kept it from being so:
  // kUnavailable, kDeadlineExceeded, kUnauthenticated for a certificate that is not accepted,
  // kInvalidArgument for a bad origin. Either may destroy the exchange. The client must outlive it.
  virtual std::unique_ptr<HttpExchange> Post(
      HttpPost post, absl::AnyInvocable<void(std::string_view)> on_part,
      absl::AnyInvocable<void(absl::StatusOr<int>)> done) = 0;
  // Any thread.
  virtual HttpStats Stats() const = 0;
};

// kInvalidArgument names the file of `tls` that can't be used.
absl::StatusOr<std::unique_ptr<HttpClient>> MakeHttpClient(boost::asio::io_context& io,
                                                           std::shared_ptr<Clock> clock,
                                                           const TlsOptions& tls,
                                                           const HttpLimits& limits = {});

}  // namespace grid

#endif  // GRID_GRID_TRANSPORT_HTTP_CLIENT_H_
