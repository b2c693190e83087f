// An actor in a process of its own, as its host has it: a cell on one thread, and letters to it.
#ifndef GRID_TESTS_LIVE_ISOLATED_WORLD_H_
#define GRID_TESTS_LIVE_ISOLATED_WORLD_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "grid/actor/actor_cell.h"
#include "grid/actor/isolated_processes.h"
#include "grid/testing/capture_log.h"
#include "tests/live/isolated_kinds.h"

namespace grid::live {

class IsolatedWorld {
 public:
  explicit IsolatedWorld(IsolatedProcessesOptions options = {}) {
    options.io = &io_;
    options.log = log_;
    processes_ = std::make_unique<IsolatedProcesses>(std::move(options));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~IsolatedWorld() {
    std::promise<void> closed;
    asio::post(io_, [&] {
      processes_.reset();
      closed.set_value();
    });
    closed.get_future().wait();
    work_.reset();
    thread_.join();
  }

  struct Started {
    std::shared_ptr<internal::ActorCell> cell;
    absl::Status status;
  };
  Started Start(const std::string& key, StartParameters parameters = {},
                ActorOptions options = {}) {
    const Name name = *Name::Parse("test/worker/" + key);
    StartArguments arguments{.name = name, .parameters = std::move(parameters)};
    arguments.caller.host = "http://starter";
    auto cell = std::make_shared<internal::ActorCell>(runtime_, name, options,
                                                      processes_->isolate()(arguments));
    std::promise<absl::Status> started;
    cell->Start(7, LeaseToken(lease_), Completion<absl::Status>([&](absl::Status status) {
                  started.set_value(std::move(status));
                }));
    return {.cell = cell, .status = started.get_future().get()};
  }

  // Sends `text`; the future has the answer.
  template <typename Resp>
  std::future<absl::StatusOr<Resp>> Send(internal::ActorCell& cell,
                                         const MessageType<std::string, Resp>& type,
                                         const std::string& text = "") {
    struct Sink final : OutcomeSink {
      void Complete(LetterOutcome outcome) override {
        if (!outcome.ok()) return answer.set_value(outcome.status());
        absl::StatusOr<Resp> value{Resp{}};
        const absl::Status decoded = Decode(outcome->view(), *value);
        if (!decoded.ok()) value = decoded;
        answer.set_value(std::move(value));
      }
      std::promise<absl::StatusOr<Resp>> answer;
    };
    auto sink = std::make_unique<Sink>();
    auto future = sink->answer.get_future();
    Letter letter{.message = Buffer::CopyOf(type.name()),
                  .type_bytes = static_cast<uint32_t>(type.name().size())};
    Buffer body = Buffer::Empty();
    if (!Encode(text, body).ok()) std::abort();
    letter.message.Append(body.view());
    letter.sender = std::make_shared<Sender>(
        Sender{.process = {.host = "http://sender"},
               .publication = Publication{.publisher = 1, .incarnation = 2, .sequence = 3}});
    letter.reply = ReplyToken(std::move(sink));
    cell.Put(std::move(letter));
    return future;
  }
  template <typename Resp>
  absl::StatusOr<Resp> Ask(internal::ActorCell& cell, const MessageType<std::string, Resp>& type,
                           const std::string& text = "") {
    return Send(cell, type, text).get();
  }
  std::future<absl::Status> Stopped(internal::ActorCell& cell) {
    auto stopped = std::make_shared<std::promise<absl::Status>>();
    cell.OnStopped([stopped](const absl::Status& why) { stopped->set_value(why); });
    return stopped->get_future();
  }

  LeaseToken::State& lease() { return *lease_; }
  IsolatedProcessesStats Stats() const { return processes_->Stats(); }
  testing::CaptureLog& log() { return *log_; }
  asio::io_context& io() { return io_; }

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  const std::shared_ptr<testing::CaptureLog> log_ =
      std::make_shared<testing::CaptureLog>(RealClock(), LogLevel::kDebug);
  const std::shared_ptr<internal::ActorRuntime> runtime_ =
      std::make_shared<internal::ActorRuntime>(io_, io_, RealClock(), log_);
  const std::shared_ptr<LeaseToken::State> lease_ =
      std::make_shared<LeaseToken::State>(RealClock(), RealClock()->Now() + std::chrono::hours(1));
  std::unique_ptr<IsolatedProcesses> processes_;
  std::thread thread_;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_ISOLATED_WORLD_H_
