// The remote is killed and restarted: what was outstanding, what is tried meanwhile, what comes
// after.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdlib>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tools/battery/battery_case.h"

namespace grid::tools::battery {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRequests = 8;
// From the start of the command until everything outstanding has ended.
constexpr std::chrono::seconds kDetection{10};
// Between the first and the last of what ends with the connection.
constexpr milliseconds kTogether{500};
constexpr milliseconds kAtOnce{200};
constexpr std::chrono::seconds kReturn{20};

// When each outstanding call ended.
struct Ends {
  Clock::time_point first = Clock::time_point::max();
  Clock::time_point last = Clock::time_point::min();
  void Note() {
    const Clock::time_point now = Clock::now();
    first = std::min(first, now);
    last = std::max(last, now);
  }
};

asio::awaitable<absl::Status> OutstandingRequest(EnvPtr env, std::shared_ptr<Ends> ends) {
  const absl::StatusOr<Buffer> reply =
      co_await Call(env->peer(), 10, AsBytes("50000"), std::chrono::seconds(55));
  ends->Note();
  co_return Expect(
      IsDisconnected(reply.status()) && DeliveryOf(reply.status()) == Delivery::kMaybeExecuted,
      absl::StrCat("a request ended with ", Describe(reply.status())));
}

asio::awaitable<absl::Status> OutstandingStream(std::shared_ptr<Stream> stream,
                                                std::shared_ptr<Ends> ends) {
  const Received got = co_await ReadAll(*stream);
  ends->Note();
  co_return Expect(IsDisconnected(got.end),
                   absl::StrCat("a stream ended with ", Describe(got.end)));
}

// Runs beside the battery; the command may take as long as the restart does.
void RunShell(const std::string& command) {
  std::thread([command] {
    // The outcome shows in whether the remote comes back.
    [[maybe_unused]] const int status = std::system(command.c_str());
  }).detach();
}

asio::awaitable<absl::Status> Kill(EnvPtr env) {
  // Give the peer's handlers a moment to be running.
  co_await Pause(milliseconds(200));
  RunShell(env->options.restart_command);
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> LoseOutstanding(EnvPtr env) {
  absl::StatusOr<Stream> opened = env->peer().OpenStream(
      HandlerId{13}, {}, {.has_input = true, .in_capacity = 1, .out_capacity = 1});
  if (!opened.ok()) co_return opened.status();
  auto stream = std::make_shared<Stream>(*std::move(opened));
  auto ends = std::make_shared<Ends>();
  std::vector<asio::awaitable<absl::Status>> tasks;
  for (int i = 0; i < kRequests; ++i) tasks.push_back(OutstandingRequest(env, ends));
  tasks.push_back(OutstandingStream(stream, ends));
  tasks.push_back(Kill(env));
  const Clock::time_point begin = Clock::now();
  const absl::Status status = co_await All(std::move(tasks));
  if (!status.ok()) co_return status;
  if (ends->last - begin > kDetection) co_return Failed("the loss was noticed after 10 s only");
  co_return Expect(ends->last - ends->first <= kTogether, "not everything ended at once");
}

asio::awaitable<absl::Status> CallWhileDown(EnvPtr env) {
  const Clock::time_point begin = Clock::now();
  const absl::StatusOr<Buffer> reply = co_await Call(env->peer(), 78, AsBytes("x"));
  const auto took = Clock::now() - begin;
  if (!IsDisconnected(reply.status()) || DeliveryOf(reply.status()) != Delivery::kNotSent) {
    co_return Failed(
        absl::StrCat("expected disconnected, not sent; got ", Describe(reply.status())));
  }
  co_return Expect(took < kAtOnce, "failed, but not at once");
}

asio::awaitable<absl::Status> CallAfterwards(EnvPtr env) {
  const absl::Status connected = co_await env->peer().WaitConnected(kReturn);
  if (!connected.ok()) co_return connected;
  const absl::StatusOr<Buffer> reply = co_await Call(env->peer(), 78, AsBytes("back"));
  if (!reply.ok()) co_return reply.status();
  co_return ExpectEqual(*reply, AsBytes("back"));
}

// Once per battery: the first of the cases does it all, each judges its part.
asio::awaitable<void> RestartOnce(EnvPtr env) {
  if (env->restart.has_value()) co_return;
  RestartFindings findings;
  findings.outstanding = co_await LoseOutstanding(env);
  findings.while_down = co_await CallWhileDown(env);
  findings.afterwards = co_await CallAfterwards(env);
  env->restart = std::move(findings);
}

asio::awaitable<absl::Status> Judge(EnvPtr env, absl::Status RestartFindings::*part) {
  if (env->options.restart_command.empty()) {
    co_return Skip("needs --restart, a command that kills and restarts the remote");
  }
  co_await RestartOnce(env);
  co_return (*env->restart).*part;
}

}  // namespace

void AddRestartCases(std::vector<Case>* cases) {
  const auto add = [cases](std::string name, absl::Status RestartFindings::*part) {
    cases->push_back({.name = std::move(name),
                      .body = [part](EnvPtr env) { return Judge(std::move(env), part); }});
  };
  add("restart: outstanding calls end with disconnected", &RestartFindings::outstanding);
  add("restart: calls while down fail at once", &RestartFindings::while_down);
  add("restart: calls work again afterwards", &RestartFindings::afterwards);
}

}  // namespace grid::tools::battery
