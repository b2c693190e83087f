// An actor that is a coroutine: it reads its own mailbox, instead of having handlers.
//
//   asio::awaitable<absl::Status> Count(Mailbox& mailbox, ActorContext& context) {
//     for (int64_t total = 0;;) {
//       absl::StatusOr<Letter> letter = co_await mailbox.Receive();
//       if (!letter.ok()) co_return absl::OkStatus();          // it was stopped
//       absl::StatusOr<Add> add = letter->Read(kAdd);
//       if (!add.ok()) letter->reply.Refuse(add.status());
//       else letter->Answer(kAdd, total += add->by);
//     }
//   }
//   system.Start(name, CoroutineActor(Count));
//
// A letter counts as handled once the next Receive begins: until then the next one stays in the
// actor's mailbox (with ActorOptions::concurrency, that many are let through), timers wait, and
// stopping waits. When it is stopped Receive fails, and the coroutine should end; StopMode::kKill
// cancels it as well. Its end stops the actor. An error that it returns, and an exception that it
// lets out, restart or stop the actor, as ActorOptions::on_exception says. The Mailbox and the
// context are the coroutine's until it ends, on the actor's executor.
#ifndef GRID_GRID_ACTOR_COROUTINE_ACTOR_H_
#define GRID_GRID_ACTOR_COROUTINE_ACTOR_H_

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "absl/status/status.h"
#include "grid/actor/actor.h"
#include "grid/actor/actor_context.h"
#include "grid/actor/mailbox.h"

namespace grid {

using ActorBody =
    std::function<asio::awaitable<absl::Status>(Mailbox& mailbox, ActorContext& context)>;

// What starts it, each time.
ActorFactory CoroutineActor(ActorBody body);

}  // namespace grid

#endif  // GRID_GRID_ACTOR_COROUTINE_ACTOR_H_
