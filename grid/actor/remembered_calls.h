// RememberedCalls: the outcomes of calls that must not run twice (CallPolicy::deduplicate). The
// first of several deliveries of one call runs; the others wait for its outcome, or get it from
// memory.
//
// What the callee refused before anything ran is forgotten at once: the next delivery may run. What
// is remembered stays for its window, also when the actor is restarted, and is never forgotten
// earlier: when there is no room the call is refused.
//
// The time is an argument. Any thread.
#ifndef GRID_GRID_ACTOR_REMEMBERED_CALLS_H_
#define GRID_GRID_ACTOR_REMEMBERED_CALLS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/actor/letter.h"
#include "grid/base/clock.h"
#include "serialization/control_payloads.h"

namespace grid::internal {

struct CallKey {
  InstanceId caller{};    // the process; all zero for our own
  std::string host = {};  // of it: an instance is the process's own word
  uint64_t call = 0;
  std::string name = {};  // of the target

  // clang-tidy 14 takes what <=> is compared with for a pointer.
  // NOLINTNEXTLINE(modernize-use-nullptr)
  friend auto operator<=>(const CallKey&, const CallKey&) = default;
};

class RememberedCalls : public std::enable_shared_from_this<RememberedCalls> {
 public:
  // Outcomes at a time, and bytes of their answers.
  RememberedCalls(std::shared_ptr<Clock> clock, size_t max_calls, size_t max_bytes)
      : clock_(std::move(clock)), max_calls_(max_calls), max_bytes_(max_bytes) {}

  // Whether the letter is to be delivered: then its ReplyToken remembers the outcome for `window`
  // as it passes it on. Otherwise the letter's sender has its outcome, or will have it with the
  // first one's; or kResourceExhausted, kRejected, when there is no room.
  bool Admit(CallKey key, Duration window, Letter& letter);

  size_t size() const;
  // Since the beginning.
  uint64_t repeated() const;  // answered from memory, or with the first one's answer
  uint64_t refused() const;   // there was no room

 private:
  class Recorder;
  struct Call {
    Duration window{0};
    std::optional<LetterOutcome> outcome = std::nullopt;  // none: it runs
    std::vector<ReplyToken> waiting = {};
    size_t bytes = 0;
  };

  void Record(const CallKey& key, const LetterOutcome& outcome);
  void Forget(TimePoint now);

  const std::shared_ptr<Clock> clock_;
  const size_t max_calls_;
  const size_t max_bytes_;
  mutable std::mutex mutex_;
  std::map<CallKey, Call> calls_ ABSL_GUARDED_BY(mutex_);
  // When an outcome's window ends.
  std::multimap<TimePoint, CallKey> ends_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t repeated_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_REMEMBERED_CALLS_H_
