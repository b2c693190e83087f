// Many at a time.
#include "absl/strings/str_cat.h"
#include "tools/battery/battery_case.h"

namespace grid::tools::battery {
namespace {

constexpr int kWorkers = 64;
constexpr int kRequestsEach = 1000;
constexpr int kMessagesEach = 100;

asio::awaitable<absl::Status> RequestMany(EnvPtr env, int worker) {
  for (int i = 0; i < kRequestsEach; ++i) {
    const std::string payload = absl::StrCat("worker ", worker, " request ", i);
    const absl::StatusOr<Buffer> reply =
        co_await Call(env->peer(), 78, AsBytes(std::string_view(payload)));
    if (!reply.ok()) co_return reply.status();
    const absl::Status equal = ExpectEqual(*reply, AsBytes(std::string_view(payload)));
    if (!equal.ok()) co_return equal;
  }
  co_return absl::OkStatus();
}

// One message at a time: what comes back must be what this stream, and no other, sent last.
asio::awaitable<absl::Status> StreamMany(EnvPtr env, int worker) {
  absl::StatusOr<Stream> stream = env->peer().OpenStream(
      HandlerId{4}, AsBytes("init"), {.has_input = true, .in_capacity = 16, .out_capacity = 16});
  if (!stream.ok()) co_return stream.status();
  for (int i = 0; i < kMessagesEach; ++i) {
    const std::string payload = absl::StrCat("stream ", worker, " message ", i);
    const absl::Status written = co_await stream->Write(AsBytes(std::string_view(payload)));
    if (!written.ok()) co_return written;
    const ReadResult echo = co_await stream->Read();
    if (!echo.ok()) co_return echo.status();
    if (!echo->has_value()) co_return Failed("the stream ended early");
    const absl::Status equal = ExpectEqual(**echo, AsBytes(std::string_view(payload)));
    if (!equal.ok()) co_return equal;
  }
  stream->CloseSend();
  const Received rest = co_await ReadAll(*stream);
  if (!rest.end.ok()) co_return rest.end;
  co_return Expect(rest.messages.empty(), "messages that nobody sent");
}

template <typename Task>
asio::awaitable<absl::Status> SideBySide(EnvPtr env, Task task) {
  std::vector<asio::awaitable<absl::Status>> tasks;
  for (int worker = 0; worker < kWorkers; ++worker) tasks.push_back(task(env, worker));
  return All(std::move(tasks));
}

}  // namespace

void AddLoadCases(std::vector<Case>* cases) {
  cases->push_back({.name = absl::StrCat("load: ", kWorkers, " x ", kRequestsEach, " requests"),
                    .body = [](EnvPtr env) { return SideBySide(std::move(env), RequestMany); }});
  cases->push_back({.name = absl::StrCat("load: ", kWorkers, " streams x ", kMessagesEach),
                    .body = [](EnvPtr env) { return SideBySide(std::move(env), StreamMany); }});
}

}  // namespace grid::tools::battery
