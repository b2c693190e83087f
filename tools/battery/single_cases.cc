// Single requests: sizes, nil and empty, errors, subroutes, deadlines.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "handlers/conformance/echo_map.h"
#include "tools/battery/battery_case.h"

namespace grid::tools::battery {
namespace {

using Clock = std::chrono::steady_clock;
using Reply = absl::StatusOr<Buffer>;

// The sizes around each change of the encoding, and some large ones.
constexpr size_t kEchoSizes[] = {
    1, 255, 256, 512, 4096, 65535, 65536, 102400, size_t{1} << 20, size_t{4} << 20};

asio::awaitable<absl::Status> EchoBytes(EnvPtr env, size_t size) {
  const std::string payload = Pattern(size);
  const Reply reply = co_await Call(env->peer(), 78, AsBytes(std::string_view(payload)));
  if (!reply.ok()) co_return reply.status();
  co_return ExpectEqual(*reply, AsBytes(std::string_view(payload)));
}

// A version 1 request can't say "empty": requests never carry PayloadIsZero, so the handler is
// given nil, and what it echoes may come back as either. Only the length is checked.
asio::awaitable<absl::Status> EchoNothing(EnvPtr env, BytesView payload) {
  const Reply reply = co_await Call(env->peer(), 78, payload);
  if (!reply.ok()) co_return reply.status();
  co_return Expect(reply->size() == 0, absl::StrCat("got ", reply->size(), " bytes"));
}

asio::awaitable<absl::Status> EchoNil(EnvPtr env) {
  const Reply reply = co_await Call(env->peer(), 78, {});
  if (!reply.ok()) co_return reply.status();
  co_return Expect(reply->is_nil(),
                   absl::StrCat("the reply is not nil: ", reply->size(), " bytes"));
}

asio::awaitable<absl::Status> EchoMap(EnvPtr env, StringMap map) {
  const std::optional<StringMap> request = map;
  const absl::StatusOr<StringMap> reply =
      co_await kEchoMap.Call(env->peer(), request, {.timeout = kCallTimeout});
  if (!reply.ok()) co_return reply.status();
  map["added"] = "yes";
  co_return Expect(*reply == map, "the reply is another map");
}

asio::awaitable<absl::Status> NilReply(EnvPtr env) {
  const Reply reply = co_await Call(env->peer(), 15, AsBytes("x"));
  if (!reply.ok()) co_return reply.status();
  co_return Expect(reply->is_nil(), "the reply is not nil");
}

asio::awaitable<absl::Status> EmptyReply(EnvPtr env) {
  const Reply reply = co_await Call(env->peer(), 16, AsBytes("x"));
  if (!reply.ok()) co_return reply.status();
  if (reply->is_nil()) co_return Failed("the reply is nil");
  co_return Expect(reply->size() == 0, "the reply is not empty");
}

// Ok when `status` is the handler's own error.
absl::Status ExpectHandlerError(const absl::Status& status) {
  return Expect(!status.ok() && IsRemote(status) && DeliveryOf(status) == Delivery::kExecuted,
                absl::StrCat("expected the handler's error, got ", Describe(status)));
}

// Ok when the peer refused because it has no such handler. What follows the prefix is the peer's
// choice.
absl::Status ExpectNoHandler(const absl::Status& status) {
  if (status.ok() || !IsRemote(status) || DeliveryOf(status) != Delivery::kRejected) {
    return Failed(absl::StrCat("expected a remote rejection, got ", Describe(status)));
  }
  return Expect(absl::StrContains(status.message(), "Invalid Handler"),
                absl::StrCat("not about the handler: ", Describe(status)));
}

asio::awaitable<absl::Status> RemoteError(EnvPtr env, BytesView text) {
  const Reply reply = co_await Call(env->peer(), 1, text);
  const absl::Status handler_error = ExpectHandlerError(reply.status());
  if (!handler_error.ok()) co_return handler_error;
  const std::string expected = absl::StrCat("remote error: ", std::string(AsText(text)));
  co_return Expect(reply.status().message() == expected,
                   absl::StrCat("expected \"", expected, "\", got ", Describe(reply.status())));
}

asio::awaitable<absl::Status> UnknownHandler(EnvPtr env) {
  const Reply reply = co_await Call(env->peer(), 60, AsBytes("x"));
  co_return ExpectNoHandler(reply.status());
}

asio::awaitable<absl::Status> InvalidHandler(EnvPtr env) {
  // 0 is refused here; an id that the peer does not know, or holds for invalid, is refused there.
  const Reply here = co_await Call(env->peer(), 0, AsBytes("x"));
  if (!absl::IsInvalidArgument(here.status()) || IsRemote(here.status())) {
    co_return Failed(absl::StrCat("id 0: ", Describe(here.status())));
  }
  const Reply there = co_await Call(env->peer(), 200, AsBytes("x"));
  const absl::Status refused = ExpectNoHandler(there.status());
  if (!refused.ok()) co_return refused;
  co_return co_await EchoBytes(env, 1);
}

asio::awaitable<absl::Status> ExceptionInHandler(EnvPtr env) {
  const Reply reply = co_await Call(env->peer(), 11, AsBytes("x"));
  const absl::Status handler_error = ExpectHandlerError(reply.status());
  if (!handler_error.ok()) co_return handler_error;
  co_return co_await EchoBytes(env, 512);  // nothing else is hurt
}

asio::awaitable<absl::Status> SleepAndEcho(EnvPtr env) {
  const Clock::time_point begin = Clock::now();
  const Reply reply = co_await Call(env->peer(), 10, AsBytes("50"));
  if (!reply.ok()) co_return reply.status();
  if (Clock::now() - begin < milliseconds(49)) co_return Failed("answered too early");
  co_return ExpectEqual(*reply, AsBytes("50"));
}

// Handler 2 through a subroute handle.
asio::awaitable<absl::Status> OnSubroute(Subroute subroute) {
  const Reply reply = co_await Call(subroute, 2, AsBytes("payload"));
  if (!reply.ok()) co_return reply.status();
  co_return ExpectEqual(*reply, AsBytes("sub:payload"));
}

asio::awaitable<absl::Status> WrongSubroute(EnvPtr env) {
  Subroute wrong = env->peer().Subroute("no/such");
  const Reply reply = co_await Call(wrong, 2, AsBytes("x"));
  co_return ExpectNoHandler(reply.status());
}

asio::awaitable<absl::Status> MissingSubroute(EnvPtr env) {
  const Reply reply = co_await Call(env->peer(), 2, AsBytes("x"));
  co_return ExpectNoHandler(reply.status());
}

asio::awaitable<absl::Status> DeadlineExceeded(EnvPtr env) {
  constexpr milliseconds kTimeout{300};
  const Clock::time_point begin = Clock::now();
  const Reply reply = co_await Call(env->peer(), 10, AsBytes("3000"), kTimeout);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  if (!absl::IsDeadlineExceeded(reply.status()) ||
      DeliveryOf(reply.status()) != Delivery::kMaybeExecuted) {
    co_return Failed(absl::StrCat("expected a passed deadline, got ", Describe(reply.status())));
  }
  if (took < kTimeout - milliseconds(5) || took > kTimeout + milliseconds(1000)) {
    co_return Failed(absl::StrCat("ended after ", took.count(), " ms instead of 300"));
  }
  co_return co_await EchoBytes(env, 1);
}

}  // namespace

void AddSingleCases(std::vector<Case>* cases) {
  const auto add = [cases](std::string name, CaseBody body) {
    cases->push_back({.name = std::move(name), .body = std::move(body)});
  };
  add("single: echo nil", EchoNil);
  add("single: echo empty", [](EnvPtr env) { return EchoNothing(std::move(env), EmptyBytes()); });
  for (const size_t size : kEchoSizes) {
    add(absl::StrCat("single: echo ", size, " bytes"),
        [size](EnvPtr env) { return EchoBytes(std::move(env), size); });
  }
  add("single: typed map", [](EnvPtr env) {
    return EchoMap(std::move(env), {{"key", "value"}, {"k\xc3\xa9y", "v\xc3\xa4lue"}});
  });
  add("single: typed map, empty", [](EnvPtr env) { return EchoMap(std::move(env), {}); });
  add("single: nil reply", NilReply);
  add("single: empty reply", EmptyReply);
  add("single: remote error",
      [](EnvPtr env) { return RemoteError(std::move(env), AsBytes("xyz")); });
  add("single: remote error, empty text",
      [](EnvPtr env) { return RemoteError(std::move(env), EmptyBytes()); });
  add("single: unknown handler", UnknownHandler);
  add("single: invalid handler", InvalidHandler);
  add("single: exception", ExceptionInHandler);
  add("single: sleep, then echo", SleepAndEcho);
  add("single: deadline exceeded", DeadlineExceeded);
  add("subroute: right", [](EnvPtr env) {
    const Subroute subroute = env->peer().Subroute("sub/route");
    return OnSubroute(subroute);
  });
  add("subroute: chained", [](EnvPtr env) {
    const Subroute subroute = env->peer().Subroute("sub").At("route");
    return OnSubroute(subroute);
  });
  add("subroute: wrong", WrongSubroute);
  add("subroute: missing", MissingSubroute);
}

}  // namespace grid::tools::battery
