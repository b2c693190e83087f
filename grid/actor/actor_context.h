// ActorContext: what an actor knows while it handles something: itself, the message's sender and
// deadline, its timers.
//
// Valid until the handler has finished; for a coroutine, until it has returned. On the actor's
// thread, but for what says otherwise.
#ifndef GRID_GRID_ACTOR_ACTOR_CONTEXT_H_
#define GRID_GRID_ACTOR_ACTOR_CONTEXT_H_

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/letter.h"
#include "grid/base/clock.h"
#include "grid/directory/lease_token.h"
#include "grid/directory/name.h"

namespace grid {

class ActorSystem;

namespace internal {
class ActorCell;
class CoroutineActor;
class IsolatedActor;
}  // namespace internal

// One of an actor's timers.
struct ActorTimer {
  uint64_t id = 0;
};

class ActorContext {
 public:
  ActorContext(const ActorContext&) = delete;
  ActorContext& operator=(const ActorContext&) = delete;
  ~ActorContext();

  // What runs when a timer has come due: as one more letter would, in its turn.
  using TimerFunction = std::function<void(ActorContext&)>;

  // The actor. Epoch and lease of a shared name are those that it was started with, also after the
  // lease was lost and the name registered again.
  const Name& name() const;
  uint64_t epoch() const;
  // Whether the name is still ours: to be asked before every step that needs it.
  const LeaseToken& lease() const;
  // In a process of its own there is one where the program says how (isolated_client.h).
  ActorSystem& system() const;
  // Where its coroutines run: for what they start themselves. Such work may run beside handlers
  // that wait, and must end with the actor (OnStop).
  boost::asio::any_io_executor executor() const;

  // The message. In OnStart and in timers there is none: our own process, no deadline, and nobody
  // cancels. Nobody cancels one with CallPolicy::deduplicate either: others may wait for it.
  const Sender& sender() const;
  TimePoint deadline() const;  // on the system's clock; Letter::kNoDeadline
  bool cancelled() const;      // nobody waits for the answer any more
  // `callback` runs on the thread that cancels; see Cancellation::OnCancel. Dropped when the
  // handler has finished.
  void OnCancel(absl::AnyInvocable<void()> callback);

  // Timers. `function` runs on the actor, once after `delay`; every `period`, counted from when it
  // was due, a turn that is missed being left out; or `pause` after the end of the last time, which
  // for a first time is now. They end with the actor, and at a restart. 1 ms to 49 days
  // (kInvalidArgument). kResourceExhausted beyond ActorOptions::max_timers.
  absl::StatusOr<ActorTimer> Once(std::chrono::milliseconds delay, TimerFunction function);
  absl::StatusOr<ActorTimer> Every(std::chrono::milliseconds period, TimerFunction function);
  absl::StatusOr<ActorTimer> AfterEach(std::chrono::milliseconds pause, TimerFunction function);
  // Never runs again, also when it was already due. False: it has ended.
  bool CancelTimer(ActorTimer timer);

  // Ends this actor, once this handler has finished.
  void Stop(StopMode mode = StopMode::kAfterCurrent);

 private:
  friend class internal::ActorCell;
  friend class internal::CoroutineActor;
  friend class internal::IsolatedActor;
  ActorContext(internal::ActorCell& cell, const Letter* letter) : cell_(cell), letter_(letter) {}

  internal::ActorCell& cell_;
  const Letter* letter_;  // null: no message
  bool watches_ = false;  // has callbacks with the letter's Cancellation
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_CONTEXT_H_
