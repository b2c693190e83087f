// ActorSystem: the actors of one process, and the way to those of others. One for each Manager.
//
//   absl::StatusOr<std::unique_ptr<ActorSystem>> system =
//       ActorSystem::Make(manager, *directory, {.io = &io});           // before manager.Start()
//   absl::StatusOr<ActorHandle> counter = co_await (*system)->Start(
//       *Name::Parse("shop/counter/1"), [] { return std::make_unique<Counter>(); });
//   Recipients to = (*system)->To(Selector::Under(*Path::Parse("shop/counter")));
//   absl::StatusOr<Answer<int64_t>> total = co_await to.Call(kAdd, add);
//
// It hosts actors and mailboxes, each registered in the directory while it lives, and serves the
// handlers through which other systems reach them (ids 231 and 234). The system of a client
// (ManagerOptions::client) hosts nothing and may call. Any thread. Stop it, or destroy it, before
// the directory and the manager.
#ifndef GRID_GRID_ACTOR_ACTOR_SYSTEM_H_
#define GRID_GRID_ACTOR_ACTOR_SYSTEM_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor.h"
#include "grid/actor/actor_handle.h"
#include "grid/actor/actor_limits.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/actor_stats.h"
#include "grid/actor/mailbox.h"
#include "grid/actor/recipients.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/directory/directory.h"
#include "grid/manager.h"

namespace grid {

namespace internal {
class ActorHost;
class SystemCore;
}  // namespace internal

struct ActorSystemOptions {
  // Timers run here, and what the directory says is heard here; one thread runs it, which may be
  // the Directory's. It must outlive the system, and the manager until that has stopped, whose
  // threads post here; and run until Stop has completed. Required.
  boost::asio::io_context* io = nullptr;
  // Threads that actors run on, 1 to 1024; 0: they run on `io`, too; -1: as many as there are
  // cores.
  int threads = -1;

  ActorLimits limits = {};
  // How long Stop lets actors finish what waits in their mailboxes, before it kills them.
  std::chrono::milliseconds drain{30'000};
  // Who sends where To names nobody: for a process that is one actor's.
  std::optional<Name> from = std::nullopt;

  // Null: the manager's real clock, DefaultLog. The clock must be the manager's.
  std::shared_ptr<Clock> clock = nullptr;
  std::shared_ptr<LogSink> log = nullptr;
  uint64_t seed = 0;  // of routing, pauses and call ids; 0: from the system

  // kInvalidArgument names the field and its range.
  absl::Status Check() const;
};

class ActorSystem {
 public:
  // Registers the handlers with `manager`, which must not have another system. `directory` is its
  // member's. Both must outlive the system. kInvalidArgument names the option, kAlreadyExists.
  static absl::StatusOr<std::unique_ptr<ActorSystem>> Make(Manager& manager, Directory& directory,
                                                           ActorSystemOptions options);
  // Ends everything without waiting for actors to finish: what Stop does after `drain`. Where there
  // are threads of its own it waits for the handlers that run, so not on one of them.
  ~ActorSystem();
  ActorSystem(const ActorSystem&) = delete;
  ActorSystem& operator=(const ActorSystem&) = delete;

  const std::string& self() const;  // our member

  // Registers `name` and starts the actor that `factory` makes (for one that is a coroutine:
  // CoroutineActor). Completes once it runs; with kAlreadyExists when the name is held, HolderOf
  // says by whom ("already running at"), and whoever holds it, ourselves included, is left alone;
  // with the error of the factory or of OnStart, and the name is given back; with those of
  // Directory::Register; kFailedPrecondition for a client; kResourceExhausted names the limit.
  template <typename Token = asio::use_awaitable_t<>>
  auto Start(Name name, ActorFactory factory, ActorOptions options = {}, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<ActorHandle>)>(
        [](auto handler, std::shared_ptr<internal::SystemCore> core, Name what, ActorFactory make,
           ActorOptions how) {
          BeginStart(std::move(core), std::move(what), std::move(make), std::move(how),
                     Completion<absl::StatusOr<ActorHandle>>(std::move(handler)));
        },
        token, core_, std::move(name), std::move(factory), std::move(options));
  }

  // Registers `name` and opens a mailbox, without an actor. Of `options` the mailbox and how it
  // stands in the directory count. Errors as Start's.
  template <typename Token = asio::use_awaitable_t<>>
  auto OpenMailbox(Name name, ActorOptions options = {}, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<Mailbox>)>(
        [](auto handler, std::shared_ptr<internal::SystemCore> core, Name what, ActorOptions how) {
          BeginOpen(std::move(core), std::move(what), std::move(how),
                    Completion<absl::StatusOr<Mailbox>>(std::move(handler)));
        },
        token, core_, std::move(name), std::move(options));
  }

  // Whom to call. What does not fit (Selector::Check, Routing::Check, CallPolicy::Check) is the
  // error of every verb. `from`: the actor that sends, for the receiver's Sender; none:
  // ActorSystemOptions::from.
  Recipients To(Selector selector, Routing routing = {}, CallPolicy policy = {},
                std::optional<Name> from = std::nullopt) const;

  // What runs here: actors and mailboxes, by name, then epoch.
  std::vector<Entry> Residents() const;

  // Marks all that runs here kDraining, as Stop does first, and ends nothing: resolvers skip it.
  // How many that were; what is started later is not marked.
  size_t MarkDraining();

  // Ends everything, in this order: no start is accepted; actors are marked kDraining, so resolvers
  // skip them, and finish what waits in their mailboxes (StopMode::kAfterQueue), while new letters
  // are answered "closed, not executed"; a Mailbox closes at once; after `drain` those that have
  // not finished are killed; names are given back; verbs that are under way end with kCancelled.
  // Completes with OK, or with kDeadlineExceeded that names who had to be killed, once all have
  // ended. Idempotent.
  template <typename Token = asio::use_awaitable_t<>>
  auto Stop(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<internal::SystemCore> core) {
          BeginStop(std::move(core), Completion<absl::Status>(std::move(handler)));
        },
        token, core_);
  }

  ActorStats Stats() const;

  // For KindHost and the like; lives as long as the system.
  internal::ActorHost& host() const;

 private:
  explicit ActorSystem(std::shared_ptr<internal::SystemCore> core) : core_(std::move(core)) {}

  static void BeginStart(std::shared_ptr<internal::SystemCore> core, Name name,
                         ActorFactory factory, ActorOptions options,
                         Completion<absl::StatusOr<ActorHandle>> completion);
  static void BeginOpen(std::shared_ptr<internal::SystemCore> core, Name name, ActorOptions options,
                        Completion<absl::StatusOr<Mailbox>> completion);
  static void BeginStop(std::shared_ptr<internal::SystemCore> core,
                        Completion<absl::Status> completion);

  std::shared_ptr<internal::SystemCore> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_SYSTEM_H_
