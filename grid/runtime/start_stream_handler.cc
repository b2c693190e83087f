#include "grid/runtime/start_stream_handler.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <utility>
#include <variant>

#include "grid/runtime/running_call.h"

namespace grid {
namespace {

class HandlerTask final : public WorkerTask {
 public:
  HandlerTask(const Link& link, const StreamFunction& function, std::shared_ptr<StreamBackend> end,
              RequestContext& context)
      : end_(std::move(end)),
        context_(context),
        function_(function),
        clock_(link.services().clock),
        received_(link.Now()) {}

  void RunOnWorker(std::unique_ptr<WorkerTask>) override {
    context_.set_queue_time(clock_->Now() - received_);
    Stream stream(end_);
    end_->Finish(RunGuarded([&]() -> absl::Status { return function_(stream, context_); }));
  }

 private:
  const std::shared_ptr<StreamBackend> end_;
  RequestContext& context_;  // end_'s
  const StreamFunction& function_;
  const std::shared_ptr<Clock> clock_;
  const TimePoint received_;
};

asio::awaitable<void> RunCoroutine(const StreamCoroutine& coroutine,
                                   std::shared_ptr<StreamBackend> end, RequestContext& context) {
  Stream stream(end);
  absl::Status status;
  try {
    asio::awaitable<absl::Status> running = coroutine(stream, context);
    status = co_await std::move(running);
  } catch (...) {
    status = StatusFrom(std::current_exception());
  }
  end->Finish(std::move(status));
}

}  // namespace

bool StartStreamHandler(Link& link, const HandlerEntry& entry, std::shared_ptr<StreamBackend> end,
                        RequestContext& context) {
  if (const auto* function = std::get_if<StreamFunction>(&entry.function)) {
    return link.RunOnWorker(
        std::make_unique<HandlerTask>(link, *function, std::move(end), context));
  }
  if (const auto* coroutine = std::get_if<StreamCoroutine>(&entry.function)) {
    asio::co_spawn(link.loop().io(), RunCoroutine(*coroutine, std::move(end), context),
                   asio::detached);
    return true;
  }
  const auto& starter = std::get<StreamStarter>(entry.function);
  const absl::Status started = RunGuarded([&]() -> absl::Status {
    starter(Stream(end), context);
    return absl::OkStatus();
  });
  if (!started.ok()) end->Finish(started);
  return true;
}

}  // namespace grid
