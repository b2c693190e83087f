// RetryLoop: one operation of a Directory, attempted until it succeeds, is refused for good, or its
// deadline has passed.
//
//   auto loop = std::make_shared<RetryLoop>(settings, deadline, attempt, finished);
//   loop->Run();
//
// Kept alive by who started it until it is over. One thread: that of settings.io.
#ifndef GRID_GRID_DIRECTORY_RETRY_LOOP_H_
#define GRID_GRID_DIRECTORY_RETRY_LOOP_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grid/base/clock.h"
#include "grid/directory/call_policy.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

// True for a failure to reach the directory, or to find our session there: what may be otherwise
// the next time.
bool MayPass(const absl::Status& status);

struct RetrySettings {
  boost::asio::io_context& io;
  std::shared_ptr<Clock> clock;
  BackOff back_off;
  Duration attempt;                // for one attempt
  std::mt19937_64& random;         // of the same thread
  std::atomic<uint64_t>& retries;  // counter
};

class RetryLoop final : public std::enable_shared_from_this<RetryLoop> {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  // One attempt, to be over after `limit`; may call `done` at once.
  using Attempt = absl::AnyInvocable<void(Duration limit, Done done)>;

  // No deadline: TimePoint::max(). `finished` is called once, with OK or with what the last attempt
  // came to; kDeadlineExceeded names that.
  RetryLoop(RetrySettings settings, TimePoint deadline, Attempt attempt, Done finished);

  void Run();
  // Ends a pause early: the reason for the last failure may be gone.
  void Wake();
  // Gives up: `finished` is called from inside with `why`, unless it was before. What an attempt
  // that is under way comes to is not looked at.
  void End(absl::Status why);
  bool over() const { return finished_ == nullptr; }

 private:
  void OnAttempted(uint64_t number, absl::Status status);
  void OnTimer();

  const RetrySettings settings_;
  const TimePoint deadline_;
  Attempt attempt_;
  Done finished_;  // null once called
  std::optional<LoopTimer> timer_;
  uint64_t number_ = 0;  // of the attempt; what an older one comes to is ignored
  bool pausing_ = false;
  absl::Status last_;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_RETRY_LOOP_H_
