// RecipientsEnv: what all Recipients of one ActorSystem share: the Post, the Directory, the control
// thread, limits and counters.
//
//   auto env = std::make_shared<RecipientsEnv>(RecipientsEnvOptions{...});
//   Recipients workers(RecipientsCore::Make(env, selector, routing, policy, std::nullopt));
//   env->Close();      // the system stops: what is under way ends, later verbs are refused
//
// Handles share it and may outlive the system. Any thread.
#ifndef GRID_GRID_ACTOR_RECIPIENTS_ENV_H_
#define GRID_GRID_ACTOR_RECIPIENTS_ENV_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "grid/actor/actor_limits.h"
#include "grid/actor/alarms.h"
#include "grid/actor/local_letters.h"
#include "grid/actor/post.h"
#include "grid/base/clock.h"
#include "grid/directory/directory.h"
#include "handlers/completion.h"

namespace grid::internal {

class RecipientsCore;
class TargetCache;

// Totals; gauges say so.
struct RecipientsCounters {
  std::atomic<uint64_t> calls{0}, sends{0}, gathers{0};
  std::atomic<uint64_t> under_way{0};       // gauge: verbs
  std::atomic<uint64_t> watches{0};         // gauge: handles that watch the directory
  std::atomic<uint64_t> retries{0};         // messages to one target, tried again by the policy
  std::atomic<uint64_t> refreshed{0};       // "no such target": the directory was asked anew
  std::atomic<uint64_t> resolved{0};        // times the directory was asked
  std::atomic<uint64_t> stale{0};           // of them, answered from what was seen before
  std::atomic<uint64_t> targets_failed{0};  // left the rotation
  std::atomic<uint64_t> expired{0};         // verbs that their deadline ended
  std::atomic<uint64_t> cancelled{0};       // verbs that their caller ended
  std::atomic<uint64_t> waiting{0};         // gauge: messages that wait for somebody
  // Limits of ActorLimits that were reached.
  std::atomic<uint64_t> call_limit{0};     // max_calls: verbs refused
  std::atomic<uint64_t> target_limit{0};   // max_targets: verbs refused
  std::atomic<uint64_t> fan_out_limit{0};  // max_fan_out: members that waited for their turn
  std::atomic<uint64_t> handle_limit{0};   // max_handles: verbs that asked the directory for it
  std::atomic<uint64_t> waiting_limit{0};  // max_waiting_calls: verbs refused
};

struct RecipientsEnvOptions {
  std::shared_ptr<Post> post;              // let go by Close
  Directory* directory;                    // not used after Close
  boost::asio::io_context* io;             // the control thread's; must outlive Close
  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  ActorLimits limits = {};
  uint64_t seed = 0;  // of routing, pauses and call ids; 0: from the system
};

class RecipientsEnv final : public std::enable_shared_from_this<RecipientsEnv> {
 public:
  explicit RecipientsEnv(RecipientsEnvOptions options);
  ~RecipientsEnv();

  // Ends what is under way with kCancelled, and lets go of the Post and the Directory: afterwards
  // neither they nor `io` are used any more. Idempotent.
  void Close();

  Clock& clock() const { return *clock_; }
  const LocalLetters& letters() const { return *letters_; }
  const ActorLimits& limits() const { return limits_; }
  RecipientsCounters& counters() { return counters_; }
  const RecipientsCounters& counters() const { return counters_; }
  Alarms& alarms() { return *alarms_; }
  const std::string& self() const { return letters_->self(); }

  // Any 64 bits; the same sequence for the same seed.
  uint64_t Random();
  // For Message::call: not 0, and another one each time.
  uint64_t NextCall();

  // False, and it does not run, once closed. The directory never calls back from inside.
  bool WithDirectory(absl::FunctionRef<void(Directory&)> function);
  // Takes `function` and runs it on the control thread. False once closed: then it was left as it
  // is.
  template <typename Function>
  bool TakeToControl(Function& function) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    boost::asio::post(io_, std::move(function));
    return true;
  }
  // Runs `function` on the control thread, unless closed.
  template <typename Function>
  void OnControl(Function function) {
    TakeToControl(function);
  }

  // The Post, for as long as the core is open; null once closed.
  std::shared_ptr<Post> Add(RecipientsCore& core);
  void Remove(RecipientsCore& core);

  // Once there is a connection to `member`, or at once if there is: TargetCache::Reached.
  void TellWhenConnected(const std::string& member, std::weak_ptr<TargetCache> cache);

 private:
  using Caches = std::set<std::weak_ptr<TargetCache>, std::owner_less<>>;

  void OnConnected(const std::string& member, const absl::Status& connected);

  boost::asio::io_context& io_;
  const std::shared_ptr<Clock> clock_;
  const ActorLimits limits_;
  const std::shared_ptr<const LocalLetters> letters_;
  const std::shared_ptr<Alarms> alarms_;
  std::atomic<uint64_t> random_;
  std::atomic<uint64_t> calls_;
  RecipientsCounters counters_;

  std::mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Post> post_ ABSL_GUARDED_BY(mutex_);
  Directory* directory_ ABSL_GUARDED_BY(mutex_);
  std::set<RecipientsCore*> cores_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Caches> disconnected_
      ABSL_GUARDED_BY(mutex_);  // by member; each waits once
};

// While a verb is started on this thread. A verb that is over before it returns completes inside;
// when that starts the next verb, and so on, the stack would have no end: from kMost on completions
// take the way over the control thread.
class StartingVerb {
 public:
  static constexpr int kMost = 32;

  StartingVerb() { ++depth_; }
  ~StartingVerb() { --depth_; }
  StartingVerb(const StartingVerb&) = delete;
  StartingVerb& operator=(const StartingVerb&) = delete;

  template <typename Result>
  static void Complete(RecipientsEnv& env, Completion<Result> completion, Result result) {
    if (depth_ < kMost) return completion(std::move(result));
    ReadyCompletion ready = completion.With(std::move(result));
    auto later = [ready = std::move(ready)]() mutable { ready.Run(nullptr); };
    if (!env.TakeToControl(later)) later();
  }

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_RECIPIENTS_ENV_H_
