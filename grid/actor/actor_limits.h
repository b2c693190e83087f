// ActorLimits: what is bounded in an ActorSystem. Reaching one is kResourceExhausted, kRejected or
// not sent, which names it, and a counter of ActorStats; but for max_fan_out and max_handles, which
// only make slower. The limits of the Directory hold as well, and some are smaller by default.
#ifndef GRID_GRID_ACTOR_ACTOR_LIMITS_H_
#define GRID_GRID_ACTOR_ACTOR_LIMITS_H_

#include <cstddef>

namespace grid {

struct ActorLimits {
  size_t max_actors = 100'000;        // and mailboxes, of this process
  size_t max_deliveries = 100'000;    // letters of other processes whose outcome is open
  size_t max_calls = 100'000;         // verbs under way
  size_t max_waiting_calls = 10'000;  // of them, those that wait for somebody to go to
  size_t max_targets = 100'000;       // of one verb
  size_t max_fan_out = 64;            // members that one verb has messages at, at a time
  size_t max_handles = 1'000;  // Recipients that watch the directory; the others ask each time
  // Outcomes kept for calls that come twice (CallPolicy::deduplicate), and bytes of them.
  size_t max_remembered = 100'000;
  size_t max_remembered_bytes = size_t{64} << 20;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_LIMITS_H_
