// TargetCache: who a Selector means, as far as one handle knows: what the directory said when it
// was asked, and from the second time on what a watch says. Those that are known make up a
// Rotation.
//
//   if (!cache->Current()) cache->Refresh([weak](absl::Status asked) { ... });
//   CandidatePtr target = cache->Pick({});
//
// One use does not pay for a watch, two do, and so does a message that waits until there is
// somebody. Beyond ActorLimits::max_handles, or where the directory takes no watch, each use asks
// the directory. Any thread; what is called back is called on the directory's, under no lock.
#ifndef GRID_GRID_ACTOR_TARGET_CACHE_H_
#define GRID_GRID_ACTOR_TARGET_CACHE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grid/actor/recipients_env.h"
#include "grid/actor/rotation.h"
#include "grid/directory/directory.h"

namespace grid::internal {

class TargetCache final : public std::enable_shared_from_this<TargetCache> {
 public:
  using Asked = absl::AnyInvocable<void(absl::Status)>;

  // `timeout`: for one question to the directory.
  TargetCache(std::shared_ptr<RecipientsEnv> env, const Selector& selector, const Routing& routing,
              std::chrono::milliseconds timeout);
  ~TargetCache();

  // Whether what it knows is kept up to date. Once for each use.
  bool Current();
  // The same, but not counted as a use.
  bool IsCurrent() const { return current_.load(std::memory_order_acquire); }
  // Asks the directory, in a question that begins after this; those that come meanwhile share the
  // next one. `asked` gets OK, also for an answer that is stale, or why there is none. Dropped once
  // closed.
  void Refresh(Asked asked);

  // As of Rotation.
  CandidatePtr Pick(std::span<const CandidatePtr> tried);
  // The same for a first attempt; `box`: what KeepBox was told of it, as long as that is there.
  CandidatePtr Pick(std::shared_ptr<LetterBox>& box);
  void KeepBox(Candidate& candidate, std::weak_ptr<LetterBox> box);
  std::vector<CandidatePtr> Select();
  CandidatePtr Another(std::span<const CandidatePtr> tried);
  CandidatePtr Find(const Name& name, uint64_t epoch);
  std::vector<CandidatePtr> Holders(const Name& name);

  // Since when there is nobody though there was; nothing: there is, or there never was.
  std::optional<TimePoint> nobody_since();
  // A message waits until there is somebody: then `resume` runs, also when it was in vain, as what
  // was to tell of it has ended. The number of its place; 0, and `resume` is dropped, when there is
  // somebody; kResourceExhausted, not sent, beyond ActorLimits::max_waiting_calls.
  absl::StatusOr<uint64_t> Wait(absl::AnyInvocable<void()> resume);
  // It does not any more. Without effect when it has been resumed.
  void StopWaiting(uint64_t place);
  // Whether a watch tells of who comes; otherwise the directory must be asked.
  bool watching();

  // What became of a message to it: those below, as `outcome` says.
  void Ended(Candidate& candidate, const absl::Status& outcome);
  // It could not be reached; `disconnected`: it is back when there
  // is a connection to its member.
  void Failed(Candidate& candidate, bool disconnected);
  // It has answered, if only with an error.
  void Answered(Candidate& candidate) {
    if (candidate.left.load(std::memory_order_relaxed)) Rejoin(candidate);
  }
  // It is not where the directory has said.
  void Gone(const Candidate& candidate);
  // It takes nothing any more.
  void Shut(Candidate& candidate);
  // There is a connection to `member`.
  void Reached(const std::string& member);

  // Ends the watch, and drops who waits.
  void Close();

 private:
  using Resumes = std::map<uint64_t, absl::AnyInvocable<void()>>;

  void Rejoin(Candidate& candidate);
  // The rotation has changed. Who is to be resumed.
  Resumes Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Resumes TakeWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ask();
  void OnResolved(absl::StatusOr<Resolution> resolution);
  void Take(Resolution resolution) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartWatch();
  void StartNext(const std::shared_ptr<Watcher>& watcher);
  void OnEvent(const std::shared_ptr<Watcher>& watcher, absl::StatusOr<WatchEvent> event);
  void Unwatch(const std::shared_ptr<Watcher>& watcher);

  const std::shared_ptr<RecipientsEnv> env_;
  const Selector selector_;
  const std::chrono::milliseconds timeout_;
  std::atomic<bool> current_{false};  // the watch has told all there is
  std::atomic<uint64_t> uses_{0};     // while it was not

  std::mutex mutex_;
  Rotation rotation_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Watcher> watcher_ ABSL_GUARDED_BY(mutex_);  // null: none
  bool starting_watch_ ABSL_GUARDED_BY(mutex_) = false;
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;  // the last watch, by the directory
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Asked> asked_ ABSL_GUARDED_BY(mutex_);  // wait for the question under way
  std::vector<Asked> next_ ABSL_GUARDED_BY(mutex_);   // for the one after it
  // What the watch has said since the question began, which the answer may not know yet.
  bool told_all_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::pair<Name, uint64_t>> removed_ ABSL_GUARDED_BY(mutex_);
  bool anybody_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<TimePoint> nobody_since_ ABSL_GUARDED_BY(mutex_);
  Resumes waiting_ ABSL_GUARDED_BY(mutex_);  // in their order
  uint64_t last_place_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_TARGET_CACHE_H_
