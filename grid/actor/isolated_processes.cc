#include "grid/actor/isolated_processes.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "grid/actor/actor_cell.h"
#include "grid/actor/actor_protocol.h"
#include "grid/actor/process_runner.h"
#include "handlers/delivery.h"

namespace grid {
namespace internal {
namespace {

// Completes once, for whoever comes first.
template <typename Result>
class FirstOutcome {
 public:
  explicit FirstOutcome(Completion<Result> completion) : completion_(std::move(completion)) {}

  // Null when it was taken.
  Completion<Result> Take() {
    std::lock_guard lock(mutex_);
    return std::move(completion_);
  }

 private:
  std::mutex mutex_;
  Completion<Result> completion_;
};

// Waits for what `begin` starts on the process's thread. Cancelled, it ends without that thread,
// which may be the one that waits for the actor's end: with kCancelled, after `cancel`. The
// functions have names where it is called: g++ 12 destroys temporaries of a co_await twice.
template <typename Result, typename Begin, typename Cancel>
auto WaitFor(std::shared_ptr<IsolatedProcess> process, Begin begin, Cancel cancel) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Result)>(
      [](auto handler, std::shared_ptr<IsolatedProcess> its, Begin first, Cancel otherwise) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        const auto executor = asio::get_associated_executor(handler);
        auto outcome =
            std::make_shared<FirstOutcome<Result>>(Completion<Result>(std::move(handler)));
        if (slot.is_connected()) {
          slot.assign([weak = std::weak_ptr(outcome), executor,
                       otherwise](asio::cancellation_type) {
            const auto still = weak.lock();
            Completion<Result> waiting = still != nullptr ? still->Take() : Completion<Result>();
            if (!waiting) return;
            otherwise();
            // Not from inside the signal, which the coroutine takes with it when it ends.
            asio::post(executor, [waiting = std::move(waiting)]() mutable {
              waiting(WithDelivery(absl::CancelledError("the actor was killed"),
                                   Delivery::kMaybeExecuted));
            });
          });
        }
        asio::io_context& io = its->io();
        asio::post(io, [its = std::move(its), first = std::move(first), outcome]() mutable {
          auto done = [&io = its->io(), outcome](Result result) {
            if (Completion<Result> waiting = outcome->Take()) {
              waiting.Complete(&io, std::move(result));
            }
          };
          first(*its, Completion<Result>(std::move(done)));
        });
      },
      asio::use_awaitable, std::move(process), std::move(begin), std::move(cancel));
}

}  // namespace

// The host's part of an actor in a process of its own: hands letters on, one lane each. Its
// coroutine waits for the end of the process, and the actor for its coroutine: so the name is not
// given back before.
class IsolatedActor final : public Actor {
 public:
  IsolatedActor(const std::shared_ptr<ProcessRunner>& runner, StartArguments arguments)
      : arguments_(std::move(arguments)),
        process_(std::make_shared<IsolatedProcess>(runner, arguments_.name.text())) {
    OnOther(CoroutineBehaviour(
        [this](Letter& letter, ActorContext& context) { return HandOn(letter, context); }));
  }
  ~IsolatedActor() override {
    process_->Kill();
    // It goes on its own thread, where its timers are.
    asio::io_context& io = process_->io();
    asio::post(io, [process = std::move(process_)] {});
  }

  asio::awaitable<absl::Status> OnStart(ActorContext& context) override {
    IsolatedFrame start{
        .what = IsolatedFrame::kStart,
        .start = ToMessage(arguments_.name, arguments_.parameters, arguments_.resources),
        .epoch = context.epoch()};
    SetCaller(arguments_.caller, start);
    auto begin = [start = std::move(start), lease = context.lease()](
                     IsolatedProcess& process, Completion<absl::Status> completion) mutable {
      process.Start(std::move(start), std::move(lease), std::move(completion));
    };
    auto kill = [process = process_] { process->Kill(); };
    absl::Status started = co_await WaitFor<absl::Status>(process_, std::move(begin), kill);
    if (started.ok()) context.cell_.RunBody(WaitEnd());
    co_return started;
  }

 private:
  asio::awaitable<absl::Status> WaitEnd() {
    auto begin = [](IsolatedProcess& process, Completion<absl::Status> completion) {
      process.WaitEnd(std::move(completion));
    };
    auto kill = [process = process_] { process->Kill(); };
    const absl::Status death = co_await WaitFor<absl::Status>(process_, begin, kill);
    // The actor's end or restart, as its Kind says.
    if (!death.ok()) throw std::runtime_error(std::string(death.message()));
    co_return absl::OkStatus();
  }
  // No letter is under way any more.
  void OnMailboxEnd(const absl::Status&) override {
    asio::post(process_->io(), [process = process_] { process->Stop(); });
  }

  asio::awaitable<void> HandOn(Letter& letter, ActorContext& context) {
    IsolatedFrame frame{
        .time = ToWire(letter.deadline), .type_bytes = letter.type_bytes, .nil = letter.nil_body};
    SetCaller(letter.sender->process, frame);
    if (letter.sender->actor.has_value()) frame.actor = letter.sender->actor->text();
    frame.published = WirePublication(letter.sender->publication);
    const uint64_t id = ++last_id_;
    const auto cancel = [process = process_, id] {
      asio::post(process->io(), [process, id] { process->Cancel(id); });
    };
    context.OnCancel(cancel);
    // The letter may be gone before the other thread has come to it.
    auto begin = [id, frame = std::move(frame), message = Buffer::CopyOf(letter.message.view())](
                     IsolatedProcess& process, Completion<LetterOutcome> completion) mutable {
      process.Deliver(id, std::move(frame), message, std::move(completion));
    };
    LetterOutcome outcome = co_await WaitFor<LetterOutcome>(process_, std::move(begin), cancel);
    letter.reply.Answer(std::move(outcome));
  }

  const StartArguments arguments_;
  std::shared_ptr<IsolatedProcess> process_;  // until the end of this
  uint64_t last_id_ = 0;
};

}  // namespace internal

IsolatedProcesses::IsolatedProcesses(IsolatedProcessesOptions options)
    : runner_(std::make_shared<internal::ProcessRunner>(std::move(options))) {}

IsolatedProcesses::~IsolatedProcesses() { runner_->Close(); }

std::function<ActorFactory(const StartArguments&)> IsolatedProcesses::isolate() {
  return [runner = runner_](const StartArguments& arguments) -> ActorFactory {
    return [runner, arguments]() -> absl::StatusOr<std::unique_ptr<Actor>> {
      return std::unique_ptr<Actor>(std::make_unique<internal::IsolatedActor>(runner, arguments));
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
