// ActorSystem: the actors of one process, and the way to those of others. One for each Manager.
//
//   absl::StatusOr<std::unique_ptr<ActorSystem>> system =
//       ActorSystem::Make(manager, *directory, {.io = &io});
//   absl::StatusOr<ActorHandle> counter = co_await (*system)->Start(
//       *Name::Parse("shop/counter/1"), [] { return std::make_unique<Counter>(); });
//   absl::StatusOr<Answer<int64_t>> total =
//       co_await (*system)->To(Selector::Of({*name})).Call(kAdd, Add{.by = 3});
//
// It hosts actors and mailboxes, each registered in the directory while it lives, and serves the
// handlers of PROTOCOL-like fixed ids (actor_protocol.h) with the manager. A system of a client
// (ManagerOptions::client) hosts nothing and may call. Any thread. Make it before the manager is
// started; stop it, or destroy it, before the directory and the manager.
#ifndef GRID_GRID_ACTOR_ACTOR_SYSTEM_H_
#define GRID_GRID_ACTOR_ACTOR_SYSTEM_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/mailbox.h"
#include "grid/actor/recipients.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/directory/directory.h"
#include "grid/manager.h"

namespace grid {

// What is bounded; reaching a limit is kResourceExhausted, kRejected, which names it, and a counter
// of ActorStats.
struct ActorLimits {
  size_t max_actors = 1'000'000;    // and mailboxes, of this process
  size_t max_deliveries = 100'000;  // letters of other processes whose outcome is open
  size_t max_calls = 100'000;       // verbs under way
  size_t max_targets = 100'000;     // of one verb
  size_t max_fan_out = 64;          // members that one Gather has messages at, at a time
  size_t max_remembered = 100'000;  // outcomes kept for calls that come twice
  size_t max_remembered_bytes = size_t{64} << 20;
  size_t max_handles = 10'000;  // Recipients that watch the directory
};

struct ActorSystemOptions {
  // Timers run here, and what the directory says is heard here; one thread runs it, which may be
  // the Directory's. It must outlive the system. Required.
  boost::asio::io_context* io = nullptr;
  // Threads that actors run on; 0: they run on `io`, too. -1: as many as there are cores.
  int threads = -1;

  ActorLimits limits = {};
  // How long Stop waits for actors to finish what they do.
  std::chrono::milliseconds stop{30'000};

  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // null: DefaultLog
  uint64_t seed = 0;                       // of routing and pauses; 0: from the system
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_SYSTEM_H_
