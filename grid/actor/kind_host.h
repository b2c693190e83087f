// KindHost: starts and stops the actors of the Kinds that this process hosts, for itself and for
// others.
//
//   KindHost host(std::move(kinds), *system, {.io = &io});
//   absl::Status status = host.Serve(manager);             // before manager.Start()
//   members->Change({{Member::kKinds, host.kinds().Paths()}}, ...);
//
// A start goes: Kind by the name, admission, the ActorSystem with the factory bound to its
// arguments. Any thread; the ActorSystem must outlive it. Handlers that are served after it is gone
// fail with kUnavailable, rejected.
#ifndef GRID_GRID_ACTOR_KIND_HOST_H_
#define GRID_GRID_ACTOR_KIND_HOST_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_host.h"
#include "grid/actor/kind.h"
#include "grid/actor/start_protocol.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "handlers/completion.h"
#include "handlers/registrar.h"

namespace grid {

class ActorSystem;

// Totals; gauges say so.
struct KindHostStats {
  uint64_t started = 0, already_running = 0;
  uint64_t refused = 0;  // by an admission filter
  uint64_t no_kind = 0;  // no Kind here for the name
  uint64_t failed = 0;   // the factory, actor or directory did, or Refuse or a limit refused
  uint64_t stopped = 0;
  uint64_t killed = 0;     // those that had not stopped in time
  uint64_t under_way = 0;  // gauge: starts and stops
  uint64_t limit = 0;      // refused because of max_under_way
};

struct KindHostOptions {
  // Timers run here, by one thread. It must outlive the KindHost. Required.
  boost::asio::io_context* io = nullptr;
  size_t max_under_way = 10'000;  // starts and stops; beyond it kResourceExhausted, rejected

  // Makes the factory of actors in processes of their own (isolated_processes.h), for Kinds that
  // are placed so. Null: their starts are refused, kUnimplemented.
  std::function<ActorFactory(const StartArguments& arguments)> isolate = nullptr;

  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // null: DefaultLog
};

class KindHost {
 public:
  KindHost(KindTable kinds, ActorSystem& actors, KindHostOptions options);
  // For tests: of other actors than those of an ActorSystem.
  KindHost(KindTable kinds, internal::ActorHost& actors, KindHostOptions options);
  ~KindHost();
  KindHost(const KindHost&) = delete;
  KindHost& operator=(const KindHost&) = delete;

  const KindTable& kinds() const;
  const std::string& self() const;
  KindHostStats Stats() const;

  // Registers handlers 232 and 233. Errors: those of Registrar::RegisterSingle.
  absl::Status Serve(Registrar& registrar);
  // From now on every start is refused with `why`, kUnavailable or whatever it is, rejected: the
  // first step of stopping. Stops are still served.
  void Refuse(absl::Status why);

  // What the handlers do, for calls from inside. The filter and the factory of the Kind run on this
  // thread, or on those of the ActorSystem.
  void Start(StartArguments arguments, Completion<internal::StartAnswer> completion);
  void Stop(const internal::StopMessage& message, Completion<internal::StopAnswer> completion);

 private:
  class Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_KIND_HOST_H_
