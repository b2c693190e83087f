// CallPolicy: what happens when a call fails: how long and how often it is tried, which failures
// are tried again, whether the callee drops what came twice, and what counts as done.
//
//   CallPolicy policy;                                    // the defaults below
//   policy = *CallPolicy::Parse("deadline=5s attempts=1");
//   policy.ToString();  // "deadline=5s attempts=1 backoff=50ms*2..1s jitter=20% retry=not-sent,
//                       //  rejected dedup=off ack=processed handover=10s wait=off", in one line
//
// A pure value; ToString and Parse are exact inverses, except that Parse takes the defaults for
// what is left out. Any thread.
#ifndef GRID_GRID_DIRECTORY_CALL_POLICY_H_
#define GRID_GRID_DIRECTORY_CALL_POLICY_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/delivery.h"

namespace grid {

enum class Acknowledgement {
  kAccepted,   // the callee's member has it
  kDelivered,  // it is in the callee's mailbox
  kProcessed,  // the callee has finished with it
};
// "accepted", "delivered", "processed".
std::string_view AcknowledgementName(Acknowledgement level);

// The pause before an attempt: first, then `factor` times as long each time, `most` at the most; of
// that a random part of up to `jitter_percent` is taken off.
struct BackOff {
  std::chrono::milliseconds first{50};   // 0 to 49 days
  uint32_t factor = 2;                   // 1 to 100
  std::chrono::milliseconds most{1000};  // first to 49 days
  uint32_t jitter_percent = 20;          // 0 to 100

  // Before attempt `attempt`, of which the first is 1 and has no pause. `random` is 0 to 1.
  std::chrono::milliseconds Pause(uint32_t attempt, double random) const;

  friend bool operator==(const BackOff&, const BackOff&) = default;
};

struct CallPolicy {
  // For all attempts together; 1 ms to 49 days.
  std::chrono::milliseconds deadline{60'000};
  // At most; 1 to 1000. Attempts end with the deadline, whatever is left of them.
  uint32_t attempts = 3;
  BackOff back_off;
  // Which delivery classes are tried again. The last two only where the call is idempotent, or
  // `deduplicate` is set: nothing else keeps an application error to happening once.
  bool retry_not_sent = true;
  bool retry_rejected = true;
  bool retry_maybe_executed = false;
  bool retry_executed = false;
  // The callee remembers the call for that long, and answers a repetition from memory; 0: off, to
  // 49 days.
  std::chrono::milliseconds deduplicate{0};
  Acknowledgement acknowledge = Acknowledgement::kProcessed;
  // A message for one that finds nobody waits for whoever comes next, as long as somebody was there
  // within this time, as far as its sender knows: so it lives through a hand-over, and fails at
  // once for what is gone for good or never was. 0: it never waits, to 49 days.
  std::chrono::milliseconds hand_over{10'000};
  // It waits until its deadline, whether or not anybody was ever there.
  bool wait_for_holder = false;

  bool Retries(Delivery delivery) const;

  // kInvalidArgument names the field and its range.
  absl::Status Check() const;
  std::string ToString() const;
  // kInvalidArgument says at which byte, counted from 0, and includes what Check finds.
  static absl::StatusOr<CallPolicy> Parse(std::string_view text);

  friend bool operator==(const CallPolicy&, const CallPolicy&) = default;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_CALL_POLICY_H_
