// DirectoryCore: what a DirectoryClient is made of: the session and its lease, the operations that
// are under way, and the cache. Registrations are in hold.h, watches in directory_watch.h.
//
// The session: every `renew` it asks the backend to renew the lease, which then runs for `lease`
// from when it asked; the tokens end `margin` earlier.
//
//              granted                     renewed
//   starting ----------> up, until = asked + lease - margin <--+
//      ^                  |   |                                |
//      |                  |   +--------------------------------+
//      +-- new incarnation, tokens lost <-- until has passed, or the backend says it is gone
//
// A backend that has never heard of the session (LeaseGrant::fresh) though it granted it before was
// restarted: every registration is claimed, and its token goes on only then.
//
// Internal to grid/directory. Functions that begin with Start, and Post, may be called from any
// thread, everything else on the directory's.
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_CORE_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_CORE_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_backend.h"
#include "grid/directory/directory_options.h"
#include "grid/directory/io_gate.h"
#include "grid/directory/retry_loop.h"
#include "grid/transport/loop_timer.h"

namespace grid::internal {

class DirectoryWatch;
class Hold;

// DirectoryStats while it is counted.
struct DirectoryCounters {
  std::atomic<uint64_t> ready{0}, registrations{0}, watches{0}, operations{0};
  std::atomic<uint64_t> renewals{0}, renewals_failed{0}, lapsed{0}, lost{0}, claimed{0};
  std::atomic<uint64_t> retries{0}, stale{0}, coalesced{0}, resubscribed{0};
  std::atomic<uint64_t> registration_limit{0}, watch_limit{0}, operation_limit{0}, cache_limit{0};
};

class DirectoryCore final : public std::enable_shared_from_this<DirectoryCore> {
 public:
  // `options` have been checked.
  DirectoryCore(DirectoryOptions options, std::unique_ptr<DirectoryBackend> backend);
  ~DirectoryCore();

  void Start();
  // Ends everything without telling the directory. Only what `io` runs uses it afterwards.
  void StartClose();

  void StartRegister(Name name, Holding holding, Attributes attributes,
                     std::chrono::milliseconds timeout,
                     Completion<absl::StatusOr<Registration>> completion);
  void StartResolve(Selector selector, std::chrono::milliseconds timeout,
                    Completion<absl::StatusOr<Resolution>> completion);
  absl::StatusOr<Watcher> StartWatch(Selector selector);
  void StartWaitReady(std::chrono::milliseconds timeout, Completion<absl::Status> completion);
  void StartFlush(std::chrono::milliseconds timeout,
                  Completion<absl::StatusOr<uint64_t>> completion);
  void StartRenounce(uint64_t incarnation, std::string why);
  void StartStop(Completion<absl::Status> completion);
  DirectoryStats Stats() const;

  // Runs `function` on the directory's thread, which is this one perhaps, but not at once. False,
  // and it does not run, once closed.
  template <typename Function>
  bool Post(Function&& function) {
    return gate_.Post(std::forward<Function>(function));
  }

  // --- For holds and watches ---

  asio::io_context& io() { return io_; }
  const DirectoryOptions& options() const { return options_; }
  DirectoryBackend& backend() { return *backend_; }
  TimePoint Now() const { return options_.clock->Now(); }
  // When what is given `timeout` from now ends; 0: the default.
  TimePoint Deadline(std::chrono::milliseconds timeout) const;
  Duration PauseAfter(uint32_t failures);
  void Log(LogLevel level, std::string_view what) const;

  // Starts an operation; null when there are too many, and `finished` was called.
  std::shared_ptr<RetryLoop> Run(TimePoint deadline, RetryLoop::Attempt attempt,
                                 RetryLoop::Done finished);
  // The same for what must be done whatever it takes: no limit, no deadline.
  void RunUnlimited(RetryLoop::Attempt attempt, RetryLoop::Done finished);
  // Connects a completion's cancellation slot with the end of an operation that begins later. On
  // the caller's thread.
  class Canceller;
  std::shared_ptr<Canceller> CancelBy(asio::cancellation_slot slot);
  // Posts `function(completion, canceller)`; refuses the completion when closed.
  template <typename Result, typename Function>
  void PostOperation(Completion<Result> completion, Function function) {
    auto canceller = CancelBy(completion.cancellation_slot());
    // Shared, so that it is there still when nothing is posted.
    auto shared = std::make_shared<Completion<Result>>(std::move(completion));
    const bool posted = Post([function = std::move(function), canceller = std::move(canceller),
                              shared]() mutable { function(std::move(*shared), canceller); });
    if (!posted) shared->Post(Result(StoppedError()));
  }
  static absl::Status StoppedError() { return absl::CancelledError("the directory was stopped"); }

  uint64_t incarnation() const { return incarnation_; }
  bool stopped() const { return stopped_; }
  // The session's lease runs.
  bool up() const { return up_; }
  TimePoint until() const { return until_; }
  // Why it does not: what an operation that needs it comes to for now.
  absl::Status WhyDown() const;
  // The backend said that our session is not there.
  void OnNoSession();
  void SawEpoch(uint64_t epoch) { seen_epoch_ = std::max(seen_epoch_, epoch); }
  void Forget(Hold* hold);
  void Forget(DirectoryWatch* watch);
  // Any thread: its Watcher goes once we are closed. It is not to end before our thread has ended
  // it.
  void Adopt(std::shared_ptr<DirectoryWatch> watch);
  // A hold has been claimed, or lost.
  void OnClaimed();
  // Removes what a Register that nobody waits for may have left.
  void Undo(const Name& name, uint64_t epoch, uint64_t request);

  DirectoryCounters& stats() { return stats_; }

 private:
  struct RegisterOperation;

  void Register(const std::shared_ptr<RegisterOperation>& operation, TimePoint deadline,
                const std::shared_ptr<Canceller>& canceller);
  void AttemptRegister(const std::shared_ptr<RegisterOperation>& operation, Duration limit,
                       RetryLoop::Done done);
  void FinishRegister(RegisterOperation& operation, absl::Status status);
  void Resolve(Selector selector, TimePoint deadline, const std::shared_ptr<Canceller>& canceller,
               Completion<absl::StatusOr<Resolution>> completion);
  std::optional<std::vector<Entry>> LastSeen(const Selector& selector, const std::string& text);
  void Remember(const std::string& text, const std::vector<Entry>& entries);
  void WaitReady(TimePoint deadline, const std::shared_ptr<Canceller>& canceller,
                 Completion<absl::Status> completion);
  void Flush(TimePoint deadline, const std::shared_ptr<Canceller>& canceller,
             Completion<absl::StatusOr<uint64_t>> completion);
  void Stop(absl::Status why);
  void FinishStop(Completion<absl::Status> completion);
  // Nothing of ours belongs to the thread afterwards, whatever handles remain.
  void LetGo();

  void Renew();
  void OnRenewed(uint64_t incarnation, TimePoint asked, absl::StatusOr<LeaseGrant> grant);
  void OnGranted(TimePoint until, bool fresh);
  void ClaimMissing();
  // The session is over, here at least, and another incarnation begins.
  void EndSession(const absl::Status& why);
  // The same, and reaches for the directory.
  void Lapse(const absl::Status& why);
  void LoseAll(const absl::Status& why);
  void SetLapseTimer();
  void OnLapseTimer();
  void NewIncarnation();
  void WakeAll();
  bool Settled() const;
  RetrySettings Settings();

  const DirectoryOptions options_;
  asio::io_context& io_;
  std::mt19937_64 random_;

  IoGate gate_;
  DirectoryCounters stats_;

  // The directory's thread.
  bool stopped_ = false;
  std::vector<Completion<absl::Status>> stopping_;  // who waits for Stop
  uint64_t incarnation_ = 0;
  uint64_t last_request_ = 0;
  uint64_t seen_epoch_ = 0;
  bool up_ = false;
  bool renewing_ = false;
  bool renew_again_ = false;  // once the answer is there
  TimePoint until_;           // while up_
  uint32_t failures_ = 0;     // renewals, in a row
  absl::Status why_down_;
  std::set<std::shared_ptr<Hold>> holds_;
  std::set<std::shared_ptr<RetryLoop>> loops_;
  // Weak: a Watcher that goes once we are closed can't tell us any more.
  std::map<DirectoryWatch*, std::weak_ptr<DirectoryWatch>> watches_;
  std::map<std::string, std::vector<Entry>> cache_;  // by selector
  std::list<std::string> cached_;                    // the oldest first
  std::optional<LoopTimer> renew_timer_, lapse_timer_;
  // Changed, and looked at by other threads, under the lock.
  mutable std::mutex backend_mutex_;
  std::optional<DirectoryStats> final_stats_ ABSL_GUARDED_BY(backend_mutex_);
  std::vector<std::shared_ptr<DirectoryWatch>> adopted_ ABSL_GUARDED_BY(backend_mutex_);
  // Null: let go of. Last: what its callbacks touch is above.
  std::unique_ptr<DirectoryBackend> backend_;
};

// Ends an operation when its completion's slot says so, however early that comes.
class DirectoryCore::Canceller {
 public:
  // On the directory's thread.
  void Attach(const std::shared_ptr<RetryLoop>& loop);
  void Cancel();

 private:
  std::weak_ptr<RetryLoop> loop_;
  bool cancelled_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_CORE_H_
