#include "grid/actor/isolated_processes.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_protocol.h"
#include "grid/actor/process_runner.h"

namespace grid {
namespace {

using internal::IsolatedFrame;
using internal::IsolatedProcess;
using internal::ProcessRunner;

// How soon an actor that nobody sends anything to finds out that its process is gone.
constexpr std::chrono::milliseconds kLookPeriod{100};

// The host's part of an actor in a process of its own: hands letters on, one lane each.
class IsolatedActor final : public Actor {
 public:
  IsolatedActor(const std::shared_ptr<ProcessRunner>& runner, StartArguments arguments)
      : arguments_(std::move(arguments)),
        process_(std::make_shared<IsolatedProcess>(runner, arguments_.name.text())) {
    OnOther(CoroutineBehaviour(
        [this](Letter& letter, ActorContext& context) { return HandOn(letter, context); }));
  }
  ~IsolatedActor() override {
    if (stopped_) return;
    asio::post(process_->io(), [process = process_] { process->Kill(); });
  }

  asio::awaitable<absl::Status> OnStart(ActorContext& context) override {
    IsolatedFrame start{
        .what = IsolatedFrame::kStart,
        .start = internal::ToMessage(arguments_.name, arguments_.parameters, arguments_.resources),
        .epoch = context.epoch()};
    internal::SetCaller(arguments_.caller, start);
    absl::Status started =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(absl::Status)>(
            [](auto handler, std::shared_ptr<IsolatedProcess> process, IsolatedFrame frame,
               LeaseToken lease) {
              // It is cancelled by being killed, as any actor that starts: Start then completes.
              auto slot = asio::get_associated_cancellation_slot(handler);
              if (slot.is_connected()) {
                slot.assign([process](asio::cancellation_type) {
                  asio::post(process->io(), [process] { process->Kill(); });
                });
              }
              asio::io_context& io = process->io();
              asio::post(io, [process = std::move(process), frame = std::move(frame),
                              lease = std::move(lease),
                              completion = Completion<absl::Status>(std::move(handler))]() mutable {
                process->Start(std::move(frame), std::move(lease), std::move(completion));
              });
            },
            asio::use_awaitable, process_, std::move(start), context.lease());
    if (!started.ok()) co_return started;
    co_return context
        .Every(kLookPeriod, [process = process_](ActorContext&) { ThrowIfDead(*process); })
        .status();
  }

  void OnStop(const absl::Status& why) override {
    asio::post(process_->io(), [process = process_, lost = absl::IsAborted(why)] {
      lost ? process->Kill() : process->Stop();
    });
    // Stopping goes on without us, and ends within its limit.
    stopped_ = true;
  }

 private:
  // The actor's end or restart, as its Kind says.
  static void ThrowIfDead(const IsolatedProcess& process) {
    const absl::Status death = process.death();
    if (!death.ok()) throw std::runtime_error(std::string(death.message()));
  }

  asio::awaitable<void> HandOn(Letter& letter, ActorContext& context) {
    IsolatedFrame frame{.time = internal::ToWire(letter.deadline),
                        .type_bytes = letter.type_bytes,
                        .nil = letter.nil_body};
    internal::SetCaller(letter.sender->process, frame);
    if (letter.sender->actor.has_value()) frame.actor = letter.sender->actor->text();
    frame.published = internal::WirePublication(letter.sender->publication);
    const uint64_t id = ++last_id_;
    context.OnCancel([process = process_, id] {
      asio::post(process->io(), [process, id] { process->Cancel(id); });
    });
    LetterOutcome outcome =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(LetterOutcome)>(
            [](auto handler, std::shared_ptr<IsolatedProcess> process, uint64_t number,
               IsolatedFrame header, Buffer message) {
              auto slot = asio::get_associated_cancellation_slot(handler);
              if (slot.is_connected()) {
                slot.assign([process, number](asio::cancellation_type) {
                  asio::post(process->io(), [process, number] { process->Cancel(number); });
                });
              }
              asio::io_context& io = process->io();
              asio::post(
                  io, [process = std::move(process), number, header = std::move(header),
                       message = std::move(message),
                       completion = Completion<LetterOutcome>(std::move(handler))]() mutable {
                    process->Deliver(number, std::move(header), message, std::move(completion));
                  });
            },
            asio::use_awaitable, process_, id, std::move(frame),
            // The letter may be gone before the other thread has come to it.
            Buffer::CopyOf(letter.message.view()));
    letter.reply.Answer(std::move(outcome));
    ThrowIfDead(*process_);
  }

  const StartArguments arguments_;
  const std::shared_ptr<IsolatedProcess> process_;
  uint64_t last_id_ = 0;
  bool stopped_ = false;
};

}  // namespace

IsolatedProcesses::IsolatedProcesses(IsolatedProcessesOptions options)
    : runner_(std::make_shared<ProcessRunner>(std::move(options))) {}

IsolatedProcesses::~IsolatedProcesses() { runner_->Close(); }

std::function<ActorFactory(const StartArguments&)> IsolatedProcesses::isolate() {
  return [runner = runner_](const StartArguments& arguments) -> ActorFactory {
    return [runner, arguments]() -> absl::StatusOr<std::unique_ptr<Actor>> {
      return std::unique_ptr<Actor>(std::make_unique<IsolatedActor>(runner, arguments));
    };
  };
}

IsolatedProcessesStats IsolatedProcesses::Stats() const {
  const internal::ProcessCounters& counters = runner_->counters();
  return {.running = counters.running.load(),
          .started = counters.started.load(),
          .start_failures = counters.start_failures.load(),
          .start_timeouts = counters.start_timeouts.load(),
          .died = counters.died.load(),
          .killed = counters.killed.load(),
          .letters = counters.letters.load(),
          .process_limit = counters.process_limit.load(),
          .frame_limit = counters.frame_limit.load()};
}

}  // namespace grid
