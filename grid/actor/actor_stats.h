// ActorStats: totals of an ActorSystem since it was made; gauges say so.
#ifndef GRID_GRID_ACTOR_ACTOR_STATS_H_
#define GRID_GRID_ACTOR_ACTOR_STATS_H_

#include <cstdint>

namespace grid {

struct ActorStats {
  // Actors and mailboxes.
  uint64_t residents = 0;  // gauge
  uint64_t started = 0, start_failed = 0;
  uint64_t handled = 0;      // letters whose handlers have ended
  uint64_t failed = 0;       // answers that were errors of the actors'
  uint64_t unheard = 0;      // of them, those that nobody waited for: logged
  uint64_t unread = 0;       // letters that were refused: mostly, they could not be decoded
  uint64_t unencodable = 0;  // answers that could not be encoded: logged
  uint64_t no_reply = 0;     // letters that were let go while somebody waited
  uint64_t exceptions = 0;   // let out by handlers, timers and starts
  uint64_t restarts = 0;
  uint64_t restart_limit = 0;     // actors that were stopped by max_restarts
  uint64_t rejected_full = 0;     // the mailbox was full
  uint64_t dropped_oldest = 0;    // made room for a newer one
  uint64_t waited = 0;            // waited for room
  uint64_t waiting_rejected = 0;  // so did max_waiting others
  uint64_t closed = 0;            // "closed, not executed"
  uint64_t expired = 0;           // the deadline passed before its turn came
  uint64_t cancelled = 0;         // the sender gave up before its turn came
  uint64_t unknown_type = 0;
  uint64_t leases_lost = 0;
  uint64_t reclaimed = 0;  // shared names that were registered again after that
  uint64_t timers_run = 0;
  uint64_t timer_limit = 0;  // refused by max_timers
  uint64_t actor_limit = 0;  // refused by max_actors

  // Letters of other processes.
  uint64_t deliveries = 0;      // gauge: whose outcome is open
  uint64_t delivery_limit = 0;  // refused by max_deliveries
  uint64_t malformed = 0;
  uint64_t missing = 0;           // for a target that is not here, our own senders' included
  uint64_t untrusted = 0;         // refused by trusted callers
  uint64_t remembered = 0;        // gauge: outcomes kept for calls that come twice
  uint64_t repeated = 0;          // calls that came twice, and ran once
  uint64_t remembered_limit = 0;  // refused because there was no room to remember them

  // Verbs.
  uint64_t calls = 0, sends = 0, gathers = 0;
  uint64_t under_way = 0;        // gauge
  uint64_t watches = 0;          // gauge: handles that watch the directory
  uint64_t retries = 0;          // attempts after the first, as the policy says
  uint64_t refreshed = 0;        // "no such target": the directory was asked anew
  uint64_t resolved = 0;         // times the directory was asked
  uint64_t stale = 0;            // of them, answered from what was seen before
  uint64_t targets_failed = 0;   // left the rotation
  uint64_t verbs_expired = 0;    // that their deadline ended
  uint64_t verbs_cancelled = 0;  // that their caller ended
  uint64_t waiting_calls = 0;    // gauge: that wait for somebody to go to
  uint64_t call_limit = 0;       // refused by max_calls
  uint64_t waiting_limit = 0;    // refused by max_waiting_calls
  uint64_t target_limit = 0;     // refused by max_targets
  uint64_t fan_out_limit = 0;    // members that waited for their turn
  uint64_t handle_limit = 0;     // verbs that asked the directory because of max_handles
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_STATS_H_
