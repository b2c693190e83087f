// What can be set about one actor or mailbox, with its default.
#ifndef GRID_GRID_ACTOR_ACTOR_OPTIONS_H_
#define GRID_GRID_ACTOR_ACTOR_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grid/directory/entry.h"

namespace grid {

// What happens to a letter that finds the mailbox full.
enum class Overflow {
  kReject,         // kResourceExhausted, kRejected
  kDropOldest,     // the oldest one in the mailbox gets that instead
  kWaitForCredit,  // it waits for room, and so does its sender; see MailboxOptions::max_waiting
};

struct MailboxOptions {
  size_t capacity = 1024;  // letters that wait; 1 to 1,000,000
  // Bytes of the letters that wait; an empty mailbox takes one of any size. At least 1.
  size_t max_bytes = size_t{64} << 20;
  Overflow overflow = Overflow::kReject;
  // Letters that wait for room, 0 to 1,000,000, and as many bytes as max_bytes; beyond it they are
  // rejected. Each waits until the deadline of its call.
  size_t max_waiting = 1024;

  // kInvalidArgument names the field and its range.
  absl::Status Check() const;
};

// What happens to an actor when it lets an exception out. In any case it is logged and counted, and
// the sender gets an error, kInternal and kExecuted.
enum class OnException {
  // The old one is destroyed, without OnStop, once what it had under way has ended; a new one is
  // made, which goes on with the mailbox.
  kRestart,
  kStop,
};

struct ActorOptions {
  MailboxOptions mailbox = {};
  // Letters that are under way at the same time; 1: strictly one after the other, in order, and
  // never beside a timer. 1 to 10,000. More than one only counts for coroutines: while one waits,
  // others go on. Never two on two threads at once, so the actor needs no locks, but what it finds
  // after a co_await may have changed.
  int concurrency = 1;
  OnException on_exception = OnException::kRestart;
  // Restarts within `restart_window`; one more stops the actor. 0 to 1,000,000.
  int max_restarts = 10;
  std::chrono::milliseconds restart_window{60'000};  // 1 ms to 49 days
  // Timers at a time; beyond it kResourceExhausted.
  size_t max_timers = 10'000;

  // How it stands in the directory.
  Holding holding = Holding::kExclusive;
  Attributes attributes = {};
  // Who may send to it: names of members and clients, as connections state them, or subjects of
  // TLS certificates; others get kPermissionDenied, kRejected. Our own process always may. Empty:
  // everybody. Stands in the directory as the attribute kTrustedCallers.
  std::vector<std::string> trusted_callers = {};

  absl::Status Check() const;
};

// Attributes that have a meaning here.
inline constexpr char kTrustedCallers[] = "trusted-callers";  // separated by commas
inline constexpr char kDraining[] = "draining";               // "true": resolvers skip it

// How an actor ends.
enum class StopMode {
  kAfterCurrent,  // what is handled is finished; what waits is answered "closed, not executed"
  kAfterQueue,    // what waits is handled as well; what comes later is answered "closed, ..."
  // Coroutines are cancelled; a plain function runs to its end. Whatever they answer from then on,
  // their senders get kAborted, kMaybeExecuted.
  kKill,
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_OPTIONS_H_
