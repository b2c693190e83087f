#include "tools/battery/battery_case.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "absl/strings/str_cat.h"
#include "tools/common/real_sleep.h"

namespace grid::tools::battery {
namespace {

constexpr absl::string_view kSkipUrl = "grid/battery-skip";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Shorten(BytesView bytes) {
  if (IsNil(bytes)) return "nil";
  const std::string text(AsText(bytes));
  if (text.size() <= 40) return absl::StrCat("\"", text, "\"");
  return absl::StrCat(text.size(), " bytes");
}

}  // namespace

absl::Status Skip(std::string_view why) {
  absl::Status status = absl::UnimplementedError(View(why));
  status.SetPayload(kSkipUrl, absl::Cord("1"));
  return status;
}

bool IsSkip(const absl::Status& status) { return status.GetPayload(kSkipUrl).has_value(); }

absl::Status Failed(std::string_view what) { return absl::FailedPreconditionError(View(what)); }

absl::Status Expect(bool condition, std::string_view what) {
  return condition ? absl::OkStatus() : Failed(what);
}

absl::Status ExpectEqual(BytesView got, BytesView expected) {
  if (AsText(got) == AsText(expected)) return absl::OkStatus();
  return Failed(absl::StrCat("expected ", Shorten(expected), ", got ", Shorten(got)));
}

std::string Describe(const absl::Status& status) {
  if (status.ok()) return "success";
  return absl::StrCat(absl::StatusCodeToString(status.code()), " \"", status.message(), "\" (",
                      std::string(DeliveryName(DeliveryOf(status))),
                      IsRemote(status) ? ", remote)" : ", local)");
}

std::string Pattern(size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i + 7 * (i >> 8) + seed) % 251);
  return text;
}

asio::awaitable<void> Pause(milliseconds time) { return RealSleep(time); }

asio::awaitable<absl::StatusOr<Buffer>> Call(Requester& to, int handler, BytesView payload,
                                             milliseconds timeout) {
  absl::StatusOr<Buffer> reply =
      co_await to.Request(HandlerId{handler}, payload, {.timeout = timeout});
  co_return reply;
}

asio::awaitable<absl::Status> All(std::vector<asio::awaitable<absl::Status>> tasks) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  // Kept by the tasks: when the case is given up, they outlive this coroutine.
  struct State {
    explicit State(const asio::any_io_executor& ex)
        : ended(ex, asio::steady_timer::time_point::max()) {}
    size_t left = 0;
    absl::Status first;
    asio::steady_timer ended;
  };
  auto state = std::make_shared<State>(executor);
  state->left = tasks.size();
  for (asio::awaitable<absl::Status>& task : tasks) {
    asio::co_spawn(executor, std::move(task),
                   [state](std::exception_ptr error, absl::Status status) {
                     if (error != nullptr) status = Failed("an exception");
                     if (state->first.ok()) state->first = std::move(status);
                     if (--state->left == 0) state->ended.cancel();
                   });
  }
  tasks.clear();
  while (state->left > 0) {
    boost::system::error_code ignored;
    co_await state->ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return state->first;
}

asio::awaitable<Received> ReadAll(Stream& stream) {
  Received received;
  for (;;) {
    const ReadResult message = co_await stream.Read();
    if (!message.ok()) {
      received.end = message.status();
      break;
    }
    if (!message->has_value()) break;
    received.messages.emplace_back((*message)->text());
  }
  co_return received;
}

}  // namespace grid::tools::battery
