// Streams, one at a time: both directions, flow control, errors, cancel, deadline.
#include <boost/asio/co_spawn.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/battery/battery_case.h"

namespace grid::tools::battery {
namespace {

using Clock = std::chrono::steady_clock;
using Opened = absl::StatusOr<Stream>;

// Handlers with equal capacities both ways, and those that take no input.
StreamOptions TwoWay(uint32_t capacity) {
  return {.has_input = true,
          .in_capacity = capacity,
          .out_capacity = capacity,
          .window = {.messages = capacity}};
}
StreamOptions OneWay(uint32_t capacity) {
  return {.has_input = false,
          .in_capacity = 0,
          .out_capacity = capacity,
          .window = {.messages = capacity}};
}

absl::Status ExpectMessages(const Received& got, const std::vector<std::string>& expected) {
  for (size_t i = 0; i < std::min(got.messages.size(), expected.size()); ++i) {
    if (got.messages[i] == expected[i]) continue;
    return Failed(absl::StrCat("message ", i, " differs"));
  }
  if (got.messages.size() == expected.size()) return absl::OkStatus();
  return Failed(absl::StrCat("expected ", expected.size(), " messages, got ", got.messages.size(),
                             ", end: ", Describe(got.end)));
}

asio::awaitable<absl::Status> Count(EnvPtr env, int handler, uint32_t capacity, int count) {
  const std::string payload = absl::StrCat(count);
  Opened stream = env->peer().OpenStream(HandlerId{handler}, AsBytes(std::string_view(payload)),
                                         OneWay(capacity));
  if (!stream.ok()) co_return stream.status();
  const Received got = co_await ReadAll(*stream);
  if (!got.end.ok()) co_return got.end;
  std::vector<std::string> expected;
  for (int i = 0; i < count; ++i) expected.push_back(absl::StrCat(i));
  co_return ExpectMessages(got, expected);
}

asio::awaitable<absl::Status> WriteAll(std::shared_ptr<Stream> stream,
                                       std::shared_ptr<const std::vector<std::string>> messages) {
  for (const std::string& message : *messages) {
    const absl::Status written = co_await stream->Write(AsBytes(std::string_view(message)));
    if (!written.ok()) co_return written;
  }
  stream->CloseSend();
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> ReadEchoes(std::shared_ptr<Stream> stream,
                                         std::shared_ptr<const std::vector<std::string>> expected) {
  const Received got = co_await ReadAll(*stream);
  if (!got.end.ok()) co_return got.end;
  co_return ExpectMessages(got, *expected);
}

// Writes and reads at the same time, as a stream is meant to be used.
asio::awaitable<absl::Status> Exchange(Opened opened, std::vector<std::string> messages,
                                       std::string prefix) {
  if (!opened.ok()) co_return opened.status();
  auto stream = std::make_shared<Stream>(*std::move(opened));
  std::vector<std::string> echoes;
  for (const std::string& message : messages) echoes.push_back(prefix + message);
  auto sent = std::make_shared<const std::vector<std::string>>(std::move(messages));
  auto expected = std::make_shared<const std::vector<std::string>>(std::move(echoes));
  std::vector<asio::awaitable<absl::Status>> tasks;
  tasks.push_back(WriteAll(stream, sent));
  tasks.push_back(ReadEchoes(stream, expected));
  const absl::Status status = co_await All(std::move(tasks));
  co_return status;
}

std::vector<std::string> Messages(int count, size_t size) {
  std::vector<std::string> messages;
  for (int i = 0; i < count; ++i) {
    messages.push_back(size == 0 ? absl::StrCat("m", i) : Pattern(size, static_cast<unsigned>(i)));
  }
  return messages;
}

asio::awaitable<absl::Status> EchoStream(EnvPtr env, int handler, uint32_t capacity, int count,
                                         size_t size) {
  return Exchange(env->peer().OpenStream(HandlerId{handler}, AsBytes("init"), TwoWay(capacity)),
                  Messages(count, size), "");
}

asio::awaitable<absl::Status> EmptyMessages(EnvPtr env) {
  return Exchange(env->peer().OpenStream(HandlerId{4}, {}, TwoWay(16)),
                  std::vector<std::string>{"", "a", "", ""}, "");
}

asio::awaitable<absl::Status> OnSubroute(EnvPtr env) {
  return Exchange(
      env->peer().Subroute("sub/route").OpenStream(HandlerId{7}, AsBytes("init"), TwoWay(1)),
      Messages(10, 0), "sub:");
}

asio::awaitable<absl::Status> UnknownHandler(EnvPtr env) {
  Opened stream = env->peer().OpenStream(HandlerId{60}, {}, TwoWay(1));
  if (!stream.ok()) co_return stream.status();
  const Received got = co_await ReadAll(*stream);
  co_return Expect(!got.end.ok() && IsRemote(got.end) && DeliveryOf(got.end) == Delivery::kRejected,
                   absl::StrCat("expected a remote rejection, got ", Describe(got.end)));
}

asio::awaitable<absl::Status> CountWrites(std::shared_ptr<Stream> stream,
                                          std::shared_ptr<int> written, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string message = absl::StrCat("m", i);
    const absl::Status status = co_await stream->Write(AsBytes(std::string_view(message)));
    if (!status.ok()) co_return status;
    ++*written;
  }
  stream->CloseSend();
  co_return absl::OkStatus();
}

// While we read nothing, the writer must get stuck: what both capacities of 1 hold, and what is in
// the handler's hands, is 3 messages; implementations may hold a few more in queues of their own.
asio::awaitable<absl::Status> SlowReader(std::shared_ptr<Stream> stream,
                                         std::shared_ptr<int> written, int count) {
  constexpr int kMostAhead = 8;
  const Clock::time_point begin = Clock::now();
  co_await Pause(milliseconds(300));
  if (*written > kMostAhead) {
    co_return Failed(absl::StrCat(*written, " messages were sent to a peer that can't hold them"));
  }
  const Received got = co_await ReadAll(*stream);
  if (!got.end.ok()) co_return got.end;
  if (Clock::now() - begin < count * milliseconds(5))
    co_return Failed("faster than 5 ms a message");
  co_return ExpectMessages(got, Messages(count, 0));
}

asio::awaitable<absl::Status> SlowStream(EnvPtr env) {
  constexpr int kCount = 100;
  Opened opened = env->peer().OpenStream(HandlerId{8}, {}, TwoWay(1));
  if (!opened.ok()) co_return opened.status();
  auto stream = std::make_shared<Stream>(*std::move(opened));
  auto written = std::make_shared<int>(0);
  std::vector<asio::awaitable<absl::Status>> tasks;
  tasks.push_back(CountWrites(stream, written, kCount));
  tasks.push_back(SlowReader(stream, written, kCount));
  const absl::Status status = co_await All(std::move(tasks));
  co_return status;
}

asio::awaitable<absl::Status> InitialPayload(EnvPtr env, Buffer initial, std::string expected) {
  Opened stream = env->peer().OpenStream(HandlerId{17}, initial, OneWay(1));
  if (!stream.ok()) co_return stream.status();
  const Received got = co_await ReadAll(*stream);
  if (!got.end.ok()) co_return got.end;
  if (got.messages.size() != 1) co_return Failed(absl::StrCat(got.messages.size(), " messages"));
  co_return ExpectEqual(AsBytes(std::string_view(got.messages[0])),
                        AsBytes(std::string_view(expected)));
}

asio::awaitable<absl::Status> ErrorAfterThree(EnvPtr env) {
  Opened stream = env->peer().OpenStream(HandlerId{6}, {}, OneWay(1));
  if (!stream.ok()) co_return stream.status();
  const Received got = co_await ReadAll(*stream);
  const absl::Status messages = ExpectMessages(got, {"0", "1", "2"});
  if (!messages.ok()) co_return messages;
  co_return Expect(IsRemote(got.end) && got.end.message() == "stream failed",
                   absl::StrCat("expected the error \"stream failed\", got ", Describe(got.end)));
}

asio::awaitable<absl::Status> ExceptionInStream(EnvPtr env) {
  Opened stream = env->peer().OpenStream(HandlerId{12}, {}, OneWay(1));
  if (!stream.ok()) co_return stream.status();
  const Received got = co_await ReadAll(*stream);
  if (got.end.ok() || !IsRemote(got.end)) {
    co_return Failed(absl::StrCat("expected the handler's error, got ", Describe(got.end)));
  }
  const absl::Status other = co_await Count(env, 5, 1, 3);  // nothing else is hurt
  co_return other;
}

// How often handler 13 was cancelled.
asio::awaitable<absl::StatusOr<int>> CancelCount(EnvPtr env) {
  const absl::StatusOr<Buffer> reply = co_await Call(env->peer(), 14, AsBytes("x"));
  if (!reply.ok()) co_return reply.status();
  const std::string text(reply->text());
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, " cancelled=");
  int count = 0;
  if (!absl::SimpleAtoi(parts.second, &count)) {
    co_return Failed(absl::StrCat("handler 14 answered \"", text, "\""));
  }
  co_return count;
}

// Waits until the handler has counted one more than `before`.
asio::awaitable<absl::Status> AwaitCancel(EnvPtr env, int before) {
  const Clock::time_point end = Clock::now() + std::chrono::seconds(5);
  while (Clock::now() < end) {
    const absl::StatusOr<int> now = co_await CancelCount(env);
    if (!now.ok()) co_return now.status();
    if (*now > before) co_return absl::OkStatus();
    co_await Pause(milliseconds(10));
  }
  co_return Failed("the handler did not hear of it within 5 s");
}

// Opens handler 13 and waits until it runs.
asio::awaitable<absl::StatusOr<Stream>> OpenBlocked(EnvPtr env, milliseconds timeout) {
  StreamOptions options = TwoWay(1);
  options.timeout = timeout;
  Opened stream = env->peer().OpenStream(HandlerId{13}, {}, options);
  if (!stream.ok()) co_return stream.status();
  const ReadResult first = co_await stream->Read();
  if (!first.ok()) co_return first.status();
  if (!first->has_value() || (*first)->text() != "ready")
    co_return Failed("the first is not ready");
  co_return std::move(stream);
}

asio::awaitable<absl::Status> CancelReachesHandler(EnvPtr env, bool by_dropping) {
  const absl::StatusOr<int> before = co_await CancelCount(env);
  if (!before.ok()) co_return before.status();
  Opened stream = co_await OpenBlocked(env, milliseconds(0));
  if (!stream.ok()) co_return stream.status();
  if (by_dropping) {
    *stream = Stream();
  } else {
    stream->Cancel();
    const ReadResult after = co_await stream->Read();
    if (!absl::IsCancelled(after.status())) {
      co_return Failed(absl::StrCat("expected CANCELLED here, got ", Describe(after.status())));
    }
  }
  const absl::Status heard = co_await AwaitCancel(env, *before);
  co_return heard;
}

asio::awaitable<absl::Status> StreamDeadline(EnvPtr env) {
  constexpr milliseconds kTimeout{500};
  const absl::StatusOr<int> before = co_await CancelCount(env);
  if (!before.ok()) co_return before.status();
  const Clock::time_point begin = Clock::now();
  Opened stream = co_await OpenBlocked(env, kTimeout);
  if (!stream.ok()) co_return stream.status();
  const ReadResult end = co_await stream->Read();
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  if (end.ok()) co_return Failed("the stream went on after its deadline");
  // Either end may notice first, and the peer's error is a text of its own.
  if (!absl::IsDeadlineExceeded(end.status()) && !IsRemote(end.status())) {
    co_return Failed(absl::StrCat("expected a passed deadline, got ", Describe(end.status())));
  }
  if (took < kTimeout - milliseconds(50) || took > kTimeout + milliseconds(1000)) {
    co_return Failed(absl::StrCat("ended after ", took.count(), " ms instead of 500"));
  }
  const absl::Status heard = co_await AwaitCancel(env, *before);
  co_return heard;
}

}  // namespace

void AddStreamCases(std::vector<Case>* cases) {
  const auto add = [cases](std::string name, CaseBody body) {
    cases->push_back({.name = std::move(name), .body = std::move(body)});
  };
  for (const auto& [handler, capacity] : {std::pair(5, 1u), std::pair(9, 16u)}) {
    for (const int count : {0, 1, 1000}) {
      add(absl::StrCat("stream: one-way, ", count, " messages, out ", capacity),
          [handler = handler, capacity = capacity, count](EnvPtr env) {
            return Count(std::move(env), handler, capacity, count);
          });
    }
  }
  for (const auto& [handler, capacity] : {std::pair(3, 1u), std::pair(4, 16u)}) {
    for (const int count : {0, 1000}) {
      add(absl::StrCat("stream: two-way, ", count, " messages, in and out ", capacity),
          [handler = handler, capacity = capacity, count](EnvPtr env) {
            return EchoStream(std::move(env), handler, capacity, count, 0);
          });
    }
    add(absl::StrCat("stream: two-way, 50 x 100 KiB, in and out ", capacity),
        [handler = handler, capacity = capacity](EnvPtr env) {
          return EchoStream(std::move(env), handler, capacity, 50, 100 << 10);
        });
  }
  add("stream: empty messages", EmptyMessages);
  add("stream: subroute", OnSubroute);
  add("stream: unknown handler", UnknownHandler);
  add("stream: slow handler, flow control holds", SlowStream);
  add("stream: initial payload nil",
      [](EnvPtr env) { return InitialPayload(std::move(env), Buffer(), "nil"); });
  add("stream: initial payload empty",
      [](EnvPtr env) { return InitialPayload(std::move(env), Buffer::Empty(), "empty"); });
  add("stream: initial payload 70000 bytes", [](EnvPtr env) {
    return InitialPayload(std::move(env), Buffer::CopyOf(Pattern(70000)), "len=70000");
  });
  add("stream: error after three", ErrorAfterThree);
  add("stream: exception", ExceptionInStream);
  add("stream: cancel reaches the handler",
      [](EnvPtr env) { return CancelReachesHandler(std::move(env), false); });
  add("stream: dropping the handle cancels",
      [](EnvPtr env) { return CancelReachesHandler(std::move(env), true); });
  add("stream: deadline", StreamDeadline);
}

}  // namespace grid::tools::battery
