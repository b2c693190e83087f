#include "handlers/conformance/conformance.h"

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "handlers/conformance/echo_map.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using Sleep = std::function<asio::awaitable<void>(milliseconds)>;

constexpr char kSubroute[] = "sub/route";
constexpr milliseconds kSlowPause{5};
// A day: keeps a bad payload from making a timer overflow.
constexpr uint64_t kMaxSleepMs = 86'400'000;

struct BlockCounts {
  std::atomic<uint64_t> blocked{0};
  std::atomic<uint64_t> cancelled{0};
};

absl::StatusOr<uint64_t> ParseNumber(BytesView payload, uint64_t max) {
  const std::string_view text = AsText(payload);
  uint64_t number = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &number) || number > max) {
    return absl::InvalidArgumentError(
        absl::StrCat("the payload must be a decimal number up to ", max));
  }
  return number;
}

std::string Prefixed(std::string_view prefix, BytesView payload) {
  std::string text(prefix);
  text.append(AsText(payload));
  return text;
}

// Completes when the call is cancelled, on the awaiting coroutine's executor.
asio::awaitable<void> WaitCancelled(RequestContext& context) {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [](auto handler, RequestContext* call) {
        call->OnCancel(
            [handler = std::move(handler)]() mutable { asio::post(std::move(handler)); });
      },
      asio::use_awaitable, &context);
}

// Sleeps that end early when the call is cancelled. One per call, used by its coroutine only.
class CallTimer {
 public:
  CallTimer(Sleep sleep, asio::any_io_executor executor, RequestContext& context)
      : sleep_(std::move(sleep)), executor_(std::move(executor)), context_(context) {
    context.OnCancel([signal = signal_, executor = executor_] {
      asio::post(executor, [signal] { signal->emit(asio::cancellation_type::terminal); });
    });
  }

  asio::awaitable<void> Wait(milliseconds time) {
    if (context_.cancelled()) co_return;
    try {
      co_await asio::co_spawn(executor_, sleep_(time),
                              asio::bind_cancellation_slot(signal_->slot(), asio::use_awaitable));
    } catch (const std::exception&) {
      if (!context_.cancelled()) throw;
    }
  }

 private:
  const Sleep sleep_;
  const asio::any_io_executor executor_;
  RequestContext& context_;
  // Shared with the callback, whose post may run after the call.
  const std::shared_ptr<asio::cancellation_signal> signal_ =
      std::make_shared<asio::cancellation_signal>();
};

asio::awaitable<absl::StatusOr<Buffer>> SleepAndEcho(Sleep sleep, Buffer request,
                                                     RequestContext& context) {
  const absl::StatusOr<uint64_t> ms = ParseNumber(request, kMaxSleepMs);
  if (!ms.ok()) co_return ms.status();
  CallTimer timer(sleep, co_await asio::this_coro::executor, context);
  co_await timer.Wait(milliseconds(*ms));
  if (context.cancelled()) co_return context.cancellation();
  co_return std::move(request);
}

// Sends back what comes, with `prefix` in front, until the caller's end.
asio::awaitable<absl::Status> EchoMessages(Stream& stream, std::string prefix) {
  for (;;) {
    ReadResult message = co_await stream.Read();
    if (!message.ok()) co_return message.status();
    if (!message->has_value()) co_return absl::OkStatus();
    absl::Status written;
    if (prefix.empty()) {
      written = co_await stream.Write((*message)->view());
    } else {
      const std::string text = Prefixed(prefix, (*message)->view());
      written = co_await stream.Write(AsBytes(text));
    }
    if (!written.ok()) co_return written;
  }
}

asio::awaitable<absl::Status> EchoSlowly(Sleep sleep, Stream& stream, RequestContext& context) {
  CallTimer timer(sleep, co_await asio::this_coro::executor, context);
  for (;;) {
    ReadResult message = co_await stream.Read();
    if (!message.ok()) co_return message.status();
    if (!message->has_value()) co_return absl::OkStatus();
    co_await timer.Wait(kSlowPause);
    if (context.cancelled()) co_return context.cancellation();
    const absl::Status written = co_await stream.Write((*message)->view());
    if (!written.ok()) co_return written;
  }
}

asio::awaitable<absl::Status> SendNumbers(Stream& stream, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    const std::string text = absl::StrCat(i);
    const absl::Status written = co_await stream.Write(AsBytes(text));
    if (!written.ok()) co_return written;
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> SendRequestedNumbers(Stream& stream, RequestContext&) {
  const absl::StatusOr<uint64_t> count =
      ParseNumber(stream.initial(), std::numeric_limits<uint32_t>::max());
  if (!count.ok()) co_return count.status();
  const absl::Status sent = co_await SendNumbers(stream, *count);
  co_return sent;
}

asio::awaitable<absl::Status> SendThreeThenFail(Stream& stream, RequestContext&) {
  const absl::Status sent = co_await SendNumbers(stream, 3);
  if (!sent.ok()) co_return sent;
  co_return absl::UnknownError("stream failed");
}

asio::awaitable<absl::Status> ThrowInStream(Stream&, RequestContext&) {
  throw std::runtime_error("boom");
  co_return absl::OkStatus();  // makes it a coroutine
}

asio::awaitable<absl::Status> BlockUntilCancelled(std::shared_ptr<BlockCounts> counts,
                                                  Stream& stream, RequestContext& context) {
  const absl::Status written = co_await stream.Write(AsBytes("ready"));
  if (!written.ok()) co_return written;
  counts->blocked.fetch_add(1);
  co_await WaitCancelled(context);
  counts->cancelled.fetch_add(1);
  co_return context.cancellation();
}

absl::StatusOr<StringMap> EchoMap(const std::optional<StringMap>& request, RequestContext&) {
  StringMap map = request.value_or(StringMap());
  map["added"] = "yes";
  return map;
}

// Never blocks: the one message is covered by the credit that every stream starts with.
absl::Status DescribeInitial(Stream& stream, RequestContext&) {
  const BytesView initial = stream.initial();
  const std::string text = IsNil(initial)    ? "nil"
                           : initial.empty() ? "empty"
                                             : absl::StrCat("len=", initial.size());
  return stream.WriteBlocking(AsBytes(text));
}

SingleSpec OnIoThread(int id) { return {.id = HandlerId{id}, .run_on = RunOn::kIoThread}; }

absl::Status RegisterSingles(Registrar& registrar, const ConformanceOptions& options,
                             const std::shared_ptr<BlockCounts>& counts) {
  const Sleep& sleep = options.sleep;
  absl::Status status;
  const auto add = [&](SingleSpec spec, auto function) {
    spec.compression = options.compression;
    if (status.ok()) status = registrar.RegisterSingle(std::move(spec), std::move(function));
  };
  add(OnIoThread(78),
      SingleFunction([](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
        return Buffer::CopyOf(request);
      }));
  if (status.ok()) status = kEchoMap.Register(registrar, EchoMap);
  add(OnIoThread(1),
      SingleFunction([](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
        return absl::UnknownError(Prefixed("remote error: ", request));
      }));
  add({.id = HandlerId{2}, .subroute = kSubroute},
      SingleFunction([](BytesView request, RequestContext&) -> absl::StatusOr<Buffer> {
        return Buffer::CopyOf(Prefixed("sub:", request));
      }));
  add({.id = HandlerId{10}}, SingleCoroutine([sleep](Buffer request, RequestContext& context) {
        return SleepAndEcho(sleep, std::move(request), context);
      }));
  add({.id = HandlerId{11}},
      SingleFunction([](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
        throw std::runtime_error("boom");
      }));
  add(OnIoThread(14),
      SingleFunction([counts](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
        return Buffer::CopyOf(absl::StrCat("blocked=", counts->blocked.load(),
                                           " cancelled=", counts->cancelled.load()));
      }));
  add(OnIoThread(15), SingleFunction([](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
        return Buffer();
      }));
  add(OnIoThread(16), SingleFunction([](BytesView, RequestContext&) -> absl::StatusOr<Buffer> {
        return Buffer::Empty();
      }));
  return status;
}

absl::Status RegisterStreams(Registrar& registrar, const ConformanceOptions& options,
                             const std::shared_ptr<BlockCounts>& counts) {
  const Sleep& sleep = options.sleep;
  absl::Status status;
  const auto add = [&](StreamSpec spec, auto function) {
    spec.compression = options.compression;
    if (status.ok()) status = registrar.RegisterStream(std::move(spec), std::move(function));
  };
  const auto echo = [](std::string prefix) {
    return StreamCoroutine(
        [prefix](Stream& stream, RequestContext&) { return EchoMessages(stream, prefix); });
  };
  add({.id = HandlerId{3}, .in_capacity = 1}, echo(""));
  add({.id = HandlerId{4}, .in_capacity = 16, .out_capacity = 16}, echo(""));
  add({.id = HandlerId{5}}, StreamCoroutine(SendRequestedNumbers));
  add({.id = HandlerId{9}, .out_capacity = 16}, StreamCoroutine(SendRequestedNumbers));
  add({.id = HandlerId{6}}, StreamCoroutine(SendThreeThenFail));
  add({.id = HandlerId{7}, .subroute = kSubroute, .in_capacity = 1}, echo("sub:"));
  // Whoever writes is to feel that it is slow, with or without the extension `credits`.
  add({.id = HandlerId{8}, .in_capacity = 1, .window = {.messages = 1}},
      StreamCoroutine([sleep](Stream& stream, RequestContext& context) {
        return EchoSlowly(sleep, stream, context);
      }));
  add({.id = HandlerId{12}}, StreamCoroutine(ThrowInStream));
  add({.id = HandlerId{13}, .in_capacity = 1},
      StreamCoroutine([counts](Stream& stream, RequestContext& context) {
        return BlockUntilCancelled(counts, stream, context);
      }));
  add({.id = HandlerId{17}}, StreamFunction(DescribeInitial));
  return status;
}

}  // namespace

absl::Status RegisterConformanceHandlers(Registrar& registrar, ConformanceOptions options) {
  if (!options.sleep) {
    return absl::InvalidArgumentError("conformance handlers: the option `sleep` is empty");
  }
  const auto counts = std::make_shared<BlockCounts>();
  const absl::Status singles = RegisterSingles(registrar, options, counts);
  return singles.ok() ? RegisterStreams(registrar, options, counts) : singles;
}

}  // namespace grid
