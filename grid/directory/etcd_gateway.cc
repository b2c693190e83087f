#include "grid/directory/etcd_gateway.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grid::internal {
namespace {

json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::StatusOr<json::object> Parse(std::string_view text) {
  boost::system::error_code ec;
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  json::value value = json::parse(View(text), ec, {}, options);
  if (ec || !value.is_object()) return absl::UnavailableError("etcd's answer is no JSON object");
  return std::move(value.get_object());
}

// What may be carried out twice. A transaction finds what it compares with changed by itself, and a
// second lease would be nobody's.
bool Idempotent(std::string_view target) {
  return target == "/v3/kv/range" || target == "/v3/lease/keepalive" ||
         target == "/v3/lease/revoke" || target == "/v3/auth/authenticate";
}

// gRPC's codes are absl's. An error that says nothing may pass.
absl::Status ErrorOf(const json::object& error, int http) {
  const auto code = static_cast<int>(EtcdNumber(error, "code"));
  const json::value* text = error.if_contains("message");
  if (text == nullptr) text = error.if_contains("error");
  const std::string message =
      absl::StrCat("etcd: ", text != nullptr && text->is_string() ? std::string(text->get_string())
                                                                  : absl::StrCat("HTTP ", http));
  if (code <= 0 || code > 16) return absl::UnavailableError(message);
  const auto known = static_cast<absl::StatusCode>(code);
  const bool passes = known == absl::StatusCode::kUnknown || known == absl::StatusCode::kInternal;
  return absl::Status(passes ? absl::StatusCode::kUnavailable : known, message);
}

}  // namespace

uint64_t EtcdNumber(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(View(field));
  uint64_t number = 0;
  if (value == nullptr) return 0;
  if (value->is_string()) {
    const json::string& text = value->get_string();
    return absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &number) ? number : 0;
  }
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0 ? static_cast<uint64_t>(value->get_int64())
                                                     : 0;
}

std::string EtcdBytes(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(View(field));
  std::string bytes;
  if (value == nullptr || !value->is_string()) return bytes;
  const json::string& text = value->get_string();
  absl::Base64Unescape(absl::string_view(text.data(), text.size()), &bytes);
  return bytes;
}

std::string EtcdBase64(std::string_view bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}

const json::object& EtcdObject(const json::object& object, std::string_view field) {
  static const json::object kNone;
  const json::value* value = object.if_contains(View(field));
  return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

EtcdGateway::EtcdGateway(std::shared_ptr<Clock> clock, EtcdOptions options,
                         std::unique_ptr<HttpClient> http)
    : clock_(std::move(clock)), options_(std::move(options)), http_(std::move(http)) {}

void EtcdGateway::Send(std::string target, const json::object& body, bool authorize, Duration limit,
                       Done done) {
  const uint64_t number = ++last_exchange_;
  const auto answer = std::make_shared<std::string>();
  HttpPost post{.origin = options_.endpoints[endpoint_],
                .target = std::move(target),
                .body = json::serialize(body),
                .authorization = authorize ? token_ : std::string(),
                .limit = limit};
  post.idempotent = Idempotent(post.target);
  exchanges_[number] = http_->Post(
      std::move(post),
      [this, answer](std::string_view part) {
        // What is beyond is not kept, and makes the answer unusable.
        if (answer->size() <= options_.max_answer_bytes) answer->append(part);
      },
      [this, number, answer, done = std::move(done)](absl::StatusOr<int> code) mutable {
        // Alive until this has returned.
        const auto exchange = std::move(exchanges_[number]);
        exchanges_.erase(number);
        if (!code.ok()) {
          NextEndpoint();
          return done(code.status());
        }
        if (answer->size() > options_.max_answer_bytes) {
          ++answers_too_large_;
          return done(absl::ResourceExhaustedError(
              absl::StrCat("max_answer_bytes (", options_.max_answer_bytes, "): etcd says more")));
        }
        absl::StatusOr<json::object> parsed = Parse(*answer);
        if (*code != 200) return done(ErrorOf(parsed.ok() ? *parsed : json::object(), *code));
        done(std::move(parsed));
      });
}

void EtcdGateway::Login(Duration limit, absl::AnyInvocable<void(absl::Status)> done) {
  Send("/v3/auth/authenticate", {{"name", options_.user}, {"password", options_.password}}, false,
       limit, [this, done = std::move(done)](absl::StatusOr<json::object> answer) mutable {
         if (!answer.ok()) {
           const absl::Status& why = answer.status();
           const bool refused = absl::IsInvalidArgument(why) || absl::IsFailedPrecondition(why) ||
                                absl::IsPermissionDenied(why);
           return done(refused ? absl::UnauthenticatedError(
                                     absl::StrCat("user \"", options_.user, "\": ", why.message()))
                               : why);
         }
         const json::value* token = answer->if_contains("token");
         if (token == nullptr || !token->is_string()) {
           return done(absl::UnavailableError("etcd gave no token"));
         }
         token_ = std::string(token->get_string());
         done(absl::OkStatus());
       });
}

// One that may have to be asked again, with a new token.
struct EtcdGateway::Question {
  std::string target;
  json::object body;
  TimePoint deadline;
  Done done;
};

void EtcdGateway::Ask(std::string target, json::object body, Duration limit, Done done) {
  if (options_.user.empty()) return Send(std::move(target), body, false, limit, std::move(done));
  auto question = std::make_shared<Question>(Question{.target = std::move(target),
                                                      .body = std::move(body),
                                                      .deadline = clock_->Now() + limit,
                                                      .done = std::move(done)});
  const auto with_new_token = [this, question] {
    token_.clear();
    Login(question->deadline - clock_->Now(), [this, question](absl::Status status) {
      if (!status.ok()) return question->done(std::move(status));
      Send(question->target, question->body, true, question->deadline - clock_->Now(),
           std::move(question->done));
    });
  };
  if (token_.empty()) return with_new_token();
  Send(question->target, question->body, true, limit,
       [question, with_new_token](absl::StatusOr<json::object> answer) mutable {
         // Tokens end with time, and with a restart of etcd.
         if (absl::IsUnauthenticated(answer.status())) return with_new_token();
         question->done(std::move(answer));
       });
}

namespace {

class LineStream final : public EtcdGateway::Stream {
 public:
  LineStream(size_t max_bytes, std::atomic<uint64_t>& too_large,
             absl::AnyInvocable<void(const json::object&)> on_line,
             absl::AnyInvocable<void(absl::Status)> done)
      : max_bytes_(max_bytes),
        too_large_(too_large),
        on_line_(std::move(on_line)),
        done_(std::move(done)) {}
  ~LineStream() override { *alive_ = false; }

  void Start(HttpClient& http, HttpPost post) {
    exchange_ = http.Post(
        std::move(post), [this](std::string_view part) { OnPart(part); },
        [this](absl::StatusOr<int> code) {
          if (!code.ok()) return End(code.status());
          const absl::StatusOr<json::object> last = Parse(line_);
          End(*code == 200 ? absl::UnavailableError("etcd ended the stream")
                           : ErrorOf(last.ok() ? *last : json::object(), *code));
        });
  }

 private:
  void OnPart(std::string_view part) {
    const std::shared_ptr<bool> alive = alive_;
    for (;;) {
      const size_t end = part.find('\n');
      line_.append(part.substr(0, end));
      if (line_.size() > max_bytes_) {
        ++too_large_;
        return End(absl::ResourceExhaustedError(
            absl::StrCat("max_answer_bytes (", max_bytes_, "): an event is larger")));
      }
      if (end == std::string_view::npos) return;
      part.remove_prefix(end + 1);
      const absl::StatusOr<json::object> parsed = Parse(std::exchange(line_, {}));
      if (!parsed.ok()) return End(parsed.status());
      if (const json::object& error = EtcdObject(*parsed, "error"); !error.empty()) {
        return End(ErrorOf(error, 200));
      }
      on_line_(EtcdObject(*parsed, "result"));
      if (!*alive) return;
    }
  }
  void End(absl::Status why) {
    if (done_ == nullptr) return;
    std::exchange(done_, nullptr)(std::move(why));
  }

  const size_t max_bytes_;
  std::atomic<uint64_t>& too_large_;
  absl::AnyInvocable<void(const json::object&)> on_line_;
  absl::AnyInvocable<void(absl::Status)> done_;  // null once called
  std::string line_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<HttpExchange> exchange_;
};

}  // namespace

std::unique_ptr<EtcdGateway::Stream> EtcdGateway::Open(
    std::string target, json::object body, Duration limit,
    absl::AnyInvocable<void(const json::object&)> on_line,
    absl::AnyInvocable<void(absl::Status)> done) {
  auto stream = std::make_unique<LineStream>(options_.max_answer_bytes, answers_too_large_,
                                             std::move(on_line), std::move(done));
  stream->Start(*http_, {.origin = options_.endpoints[endpoint_],
                         .target = std::move(target),
                         .body = json::serialize(body),
                         .authorization = token_,
                         .limit = limit,
                         .endless = true});
  return stream;
}

}  // namespace grid::internal
