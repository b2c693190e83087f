// EtcdGateway: asks etcd through its HTTP/JSON gateway: one function a kind of answer. It chooses
// the endpoint, shows the token and gets a new one, and makes statuses of errors.
//
// Keys and values are in base64 there, and numbers of 64 bits are text. Internal to the etcd
// backend; belongs to its thread.
#ifndef GRID_GRID_DIRECTORY_ETCD_GATEWAY_H_
#define GRID_GRID_DIRECTORY_ETCD_GATEWAY_H_

#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/directory/etcd_directory.h"
#include "grid/transport/http_client.h"

namespace grid::internal {

namespace json = boost::json;

// A number that is text, or a number; 0 where there is none.
uint64_t EtcdNumber(const json::object& object, std::string_view field);
// What is in base64; empty where there is nothing.
std::string EtcdBytes(const json::object& object, std::string_view field);
std::string EtcdBase64(std::string_view bytes);
// A member that is an object; an empty one where there is none.
const json::object& EtcdObject(const json::object& object, std::string_view field);

class EtcdGateway {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<json::object>)>;

  EtcdGateway(std::shared_ptr<Clock> clock, EtcdOptions options, std::unique_ptr<HttpClient> http);

  // One question, one answer; `done` is called within `limit`, and never from inside, unless the
  // gateway is destroyed before.
  void Ask(std::string target, json::object body, Duration limit, Done done);

  // A question with any number of answers, each a line: `on_line` for each, then `done` with why it
  // ended. `limit` is for the beginning. Ends when what is returned is destroyed; the gateway must
  // outlive that.
  class Stream;
  std::unique_ptr<Stream> Open(std::string target, json::object body, Duration limit,
                               absl::AnyInvocable<void(const json::object&)> on_line,
                               absl::AnyInvocable<void(absl::Status)> done);

  TimePoint Now() const { return clock_->Now(); }
  // Answers and events beyond EtcdOptions::max_answer_bytes; any thread.
  uint64_t answers_too_large() const { return answers_too_large_; }
  HttpStats http() const { return http_->Stats(); }

 private:
  struct Question;

  void Login(Duration limit, absl::AnyInvocable<void(absl::Status)> done);
  void Send(std::string target, const json::object& body, bool authorize, Duration limit,
            Done done);
  void NextEndpoint() { endpoint_ = (endpoint_ + 1) % options_.endpoints.size(); }

  const std::shared_ptr<Clock> clock_;
  const EtcdOptions options_;
  const std::unique_ptr<HttpClient> http_;
  size_t endpoint_ = 0;
  std::string token_;
  std::map<uint64_t, std::unique_ptr<HttpExchange>> exchanges_;
  uint64_t last_exchange_ = 0;
  std::atomic<uint64_t> answers_too_large_{0};
};

class EtcdGateway::Stream {
 public:
  virtual ~Stream() = default;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_ETCD_GATEWAY_H_
