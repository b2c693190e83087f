// DirectoryOptions: everything that can be set about a Directory, with its default.
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_OPTIONS_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_OPTIONS_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/directory/call_policy.h"

namespace grid {

// What is bounded; reaching a limit is kResourceExhausted, which names it, and a counter of
// DirectoryStats.
struct DirectoryLimits {
  size_t max_registrations = 100'000;  // held, wanted, or on their way back
  size_t max_watches = 1'000;
  size_t max_watch_events = 1'000;  // that wait for one reader; then it gets all there is, anew
  size_t max_operations = 10'000;   // under way
  // Selectors whose last resolution is kept for when the directory can't be reached; beyond it the
  // oldest is forgotten, which nobody is told.
  size_t max_cached = 1'000;
};

struct DirectoryOptions {
  // The directory's thread: one thread runs it. It must outlive the Directory, and run until Stop
  // has completed, or what the destructor posts has run. Once both are so nobody uses it, also
  // where a Manager goes on, or handles remain. Required.
  boost::asio::io_context* io = nullptr;
  // Our name in the mesh; required, but where the directory takes it from elsewhere (hosted: the
  // Manager's). One Directory for each member: a newer one ends the session of the one before.
  std::string member;
  // We hold nothing: Register fails with kFailedPrecondition, and there is no session.
  bool client = false;

  // How long the directory keeps our registrations without hearing from us; 1 s to a day.
  std::chrono::milliseconds lease{15'000};
  // How much earlier tokens stop being valid. 0: a third of the lease.
  std::chrono::milliseconds margin{0};
  // From one renewal to the next. 0: a fifth of the lease. Renewals must fit into what the margin
  // leaves.
  std::chrono::milliseconds renew{0};

  // For an operation where it gives no time-out: all attempts together.
  std::chrono::milliseconds timeout{60'000};
  // For one attempt; of a renewal at most `renew`.
  std::chrono::milliseconds attempt{2'000};
  // How long Stop waits for the directory.
  std::chrono::milliseconds stop{1'000};
  BackOff back_off;  // between attempts, renewals that failed, and subscriptions

  DirectoryLimits limits;

  // Null: the real clock, DefaultLog.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<LogSink> log;
  // Of pauses and incarnations; 0: from the system.
  uint64_t seed = 0;

  // kInvalidArgument names the field and its range.
  absl::Status Check() const;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_OPTIONS_H_
