// ActorCell: runs one actor: its mailbox, its turns, its timers, its restarts and its end.
//
//   Start ---> launching ---> running <---> restarting      (factory, OnStart)
//                 | failed       |              | too often
//                 v              v Stop         v
//               stopped <--- stopping: what is under way ends, OnStop
//
// Everything of the actor's happens on its strand. Whoever brings a letter posts a run there,
// unless one is on its way (`looking_`): the strand looks for letters until it finds none, some 64
// in one go. Plain handlers run right there; coroutines in lanes, as many as
// ActorOptions::concurrency. A lane goes on with the next letter, so that a burst of them costs one
// coroutine.
#ifndef GRID_GRID_ACTOR_ACTOR_CELL_H_
#define GRID_GRID_ACTOR_ACTOR_CELL_H_

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/actor_runtime.h"
#include "grid/actor/actor_timers.h"
#include "grid/actor/cell_answers.h"
#include "grid/actor/control_alarm.h"
#include "grid/actor/mailbox_queue.h"
#include "grid/actor/post.h"
#include "grid/base/ring.h"
#include "grid/directory/lease_token.h"
#include "grid/directory/name.h"
#include "handlers/completion.h"

namespace grid::internal {

class ActorCell final : public LetterBox, public std::enable_shared_from_this<ActorCell> {
 public:
  using StoppedFunction = absl::AnyInvocable<void(const absl::Status& why)>;

  // `options` were checked.
  ActorCell(std::shared_ptr<ActorRuntime> runtime, Name name, ActorOptions options,
            ActorFactory factory);
  ~ActorCell() override;

  // Any thread.

  // Once. Makes the actor and runs OnStart; letters wait until then. Completes with the error of
  // the factory or of OnStart (kInternal for an exception), and with kCancelled when it was stopped
  // before; the cell has then stopped.
  void Start(uint64_t epoch, LeaseToken lease, Completion<absl::Status> completion);
  void Put(Letter letter) override;
  bool PutAtOnce(Letter& letter) override;
  // The strictest mode that was asked for holds.
  void Stop(StopMode mode) { StopBecause(mode, absl::OkStatus()); }
  // `callback` runs once it has stopped, OnStop is over and the actor is gone; at once when that is
  // so. On the actor's threads. `why` as for Actor::OnStop, or the error of the start.
  void OnStopped(StoppedFunction callback);
  // The name is not ours any more. An exclusive holder is killed, with kAborted.
  void LoseLease(const absl::Status& why);

  const Name& name() const { return name_; }
  const ActorOptions& options() const { return options_; }
  const std::shared_ptr<ActorRuntime>& runtime() const { return runtime_; }
  const boost::asio::strand<boost::asio::io_context::executor_type>& executor() const {
    return strand_;
  }

  // For ActorContext and CoroutineActor, on the strand.

  uint64_t epoch() const { return epoch_; }
  const LeaseToken& lease() const { return lease_; }
  absl::StatusOr<ActorTimer> AddTimer(std::chrono::milliseconds step, ActorTimers::Repeat repeat,
                                      ActorContext::TimerFunction function);
  bool CancelTimer(ActorTimer timer);
  // Runs beside the handlers until the actor ends, which waits for it. Its end stops the actor, an
  // error of its is like an exception of a handler's. One at a time.
  void RunBody(asio::awaitable<absl::Status> body);

 private:
  // How strictly it stops; grows only.
  enum class Stopping : int { kNo, kAfterQueue, kAfterCurrent, kKill };
  // What there is to do next.
  enum class Next {
    kCoroutine,  // this letter, in a lane
    kIdle,       // nothing: whoever brings something posts a run
    kYield,      // others' turn
    kSettle,     // no further letter: the actor stops or restarts
  };
  // A coroutine that is under way.
  struct Lane {
    asio::cancellation_signal cancel;
  };
  struct NextLetter {
    Next next;
    std::optional<Letter> letter = {};
    const Actor::CoroutineBehaviour* behaviour = nullptr;
  };

  static std::string What(const std::exception_ptr& exception);
  Stopping stopping() const { return stopping_.load(std::memory_order_acquire); }
  void StopBecause(StopMode mode, const absl::Status& why);
  // Looks at an exclusive holder's lease: in a process that was suspended it may have ended with
  // nobody telling us. False: the name is lost, and nothing more may be begun.
  bool Holds(TimePoint now);
  void PostRun();
  std::shared_ptr<ControlAlarm> Alarm();
  void OnAlarm();

  // The strand: how it starts, restarts and ends (actor_life.cc).
  void Begin();
  void Launch();
  absl::Status MakeActor();
  asio::awaitable<void> RunStart(std::unique_ptr<ActorContext> context,
                                 asio::awaitable<absl::Status> start);
  void OnLaunched(absl::Status status);
  void Settle();
  void Restart();
  void Finish();
  // The strand: turns (actor_turns.cc).
  void Run();
  NextLetter Advance(size_t& budget);
  bool RunDueTimer();
  void AskAlarm();
  Next Take(std::optional<Letter>& letter);
  void Held(size_t letters, size_t bytes);
  const Actor::Behaviour* Examine(Letter& letter);
  void RunPlain(Letter& letter, const Actor::PlainBehaviour& behaviour);
  asio::awaitable<void> RunLane(Letter letter, const Actor::CoroutineBehaviour* behaviour);
  asio::awaitable<void> Body(asio::awaitable<absl::Status> body);
  std::shared_ptr<Lane> Spawn(asio::awaitable<void> work,
                              void (ActorCell::*ended)(const std::shared_ptr<Lane>&));
  void OnLaneEnd(const std::shared_ptr<Lane>& lane);
  void OnBodyEnd(const std::shared_ptr<Lane>& lane);
  void CancelLanes();
  void OnException(std::string_view where, const std::string& what);
  void FlushCounts();

  const std::shared_ptr<ActorRuntime> runtime_;
  const Name name_;
  const ActorOptions options_;
  const std::shared_ptr<CellAnswers> answers_;
  const boost::asio::strand<boost::asio::io_context::executor_type> strand_;

  // Any thread.
  std::atomic<Stopping> stopping_{Stopping::kNo};  // changed with the lock
  std::atomic<bool> alarm_due_{false};             // set with the lock
  std::atomic<size_t> held_letters_{0};            // of batch_
  std::atomic<size_t> held_bytes_{0};
  std::mutex mutex_;
  MailboxQueue queue_ ABSL_GUARDED_BY(mutex_);
  // The strand looks for letters, or will: nobody needs to post a run.
  bool looking_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
  std::vector<StoppedFunction> on_stopped_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ControlAlarm> alarm_ ABSL_GUARDED_BY(mutex_);

  // The strand.
  ActorFactory factory_;
  uint64_t epoch_ = 0;
  LeaseToken lease_;
  Completion<absl::Status> start_;  // until it has started
  absl::Status launch_status_;
  std::unique_ptr<Actor> actor_;
  std::unique_ptr<ActorTimers> timers_;
  Ring<Letter> batch_;  // taken out of queue_ with one lock
  absl::flat_hash_set<std::shared_ptr<Lane>> lanes_;
  std::shared_ptr<Lane> body_;
  absl::Status failure_;  // of the actor, which is therefore to be restarted or stopped
  Ring<TimePoint> restarts_;
  uint64_t handled_ = 0;  // not counted yet
  bool launching_ = false;
  bool launched_ = false;
  bool finished_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ACTOR_CELL_H_
