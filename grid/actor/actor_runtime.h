// ActorRuntime: what actors and mailboxes need of the system that they are in.
//
// Shared by them and by every answer that is still open; the io_contexts outlive them all. Any
// thread.
#ifndef GRID_GRID_ACTOR_ACTOR_RUNTIME_H_
#define GRID_GRID_ACTOR_ACTOR_RUNTIME_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <utility>

#include "grid/base/clock.h"
#include "grid/base/log.h"

namespace grid {

class ActorSystem;

namespace internal {

// Since the system was made, of all its actors and mailboxes.
struct ActorCounters {
  std::atomic<uint64_t> handled{0};      // letters whose handlers have ended; counted in batches
  std::atomic<uint64_t> failed{0};       // answers that were errors of the actors'
  std::atomic<uint64_t> unheard{0};      // of them, those that nobody waited for: logged
  std::atomic<uint64_t> unread{0};       // letters that were refused, mostly not decodable
  std::atomic<uint64_t> unencodable{0};  // answers that could not be encoded: logged
  std::atomic<uint64_t> no_reply{0};     // letters that were let go while somebody waited
  std::atomic<uint64_t> exceptions{0};   // let out by handlers, timers and starts
  std::atomic<uint64_t> restarts{0};
  std::atomic<uint64_t> restart_limit{0};  // actors that were stopped by max_restarts

  std::atomic<uint64_t> rejected_full{0};     // the mailbox was full
  std::atomic<uint64_t> dropped_oldest{0};    // made room for a newer one
  std::atomic<uint64_t> waited{0};            // waited for room
  std::atomic<uint64_t> waiting_rejected{0};  // so did max_waiting others
  std::atomic<uint64_t> closed{0};            // "closed, not executed"
  std::atomic<uint64_t> expired{0};           // the deadline passed before its turn came
  std::atomic<uint64_t> cancelled{0};         // the sender gave up before its turn came
  std::atomic<uint64_t> unknown_type{0};

  std::atomic<uint64_t> leases_lost{0};
  std::atomic<uint64_t> timers_run{0};
  std::atomic<uint64_t> timer_limit{0};  // refused by max_timers
};

inline void Count(std::atomic<uint64_t>& counter, uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

struct ActorRuntime {
  ActorRuntime(boost::asio::io_context& control_io, boost::asio::io_context& threads_io,
               std::shared_ptr<Clock> its_clock, std::shared_ptr<LogSink> its_log,
               ActorSystem* its_system = nullptr)
      : control(control_io),
        threads(threads_io),
        clock(std::move(its_clock)),
        log(std::move(its_log)),
        system(its_system) {}

  boost::asio::io_context& control;  // one thread runs it: timers
  boost::asio::io_context& threads;  // actors run there; may be the same
  const std::shared_ptr<Clock> clock;
  const std::shared_ptr<LogSink> log;
  ActorSystem* const system;  // handed through
  ActorCounters counters;
};

}  // namespace internal
}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_RUNTIME_H_
