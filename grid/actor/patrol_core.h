// PatrolCore: what a Patrol is made of: contending for the name, and while it is ours, a term: the
// watch of what runs, and the starts and stops that are under way.
//
// Internal to grid/actor. On the thread of PatrolOptions::io, but for what says otherwise.
#ifndef GRID_GRID_ACTOR_PATROL_CORE_H_
#define GRID_GRID_ACTOR_PATROL_CORE_H_

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/patrol.h"
#include "grid/directory/directory.h"
#include "grid/transport/loop_timer.h"
#include "handlers/completion.h"

namespace grid::internal {

class PatrolCore final : public std::enable_shared_from_this<PatrolCore> {
 public:
  PatrolCore(Directory& directory, Membership& members, KindStarter& starter, PatrolOptions options,
             Name name)
      : directory_(directory),
        members_(members),
        starter_(starter),
        options_(std::move(options)),
        name_(std::move(name)),
        random_(options_.seed != 0 ? options_.seed : std::random_device()()),
        count_(options_.count),
        timer_(*options_.io, *options_.clock, [this] { OnTimer(); }) {}

  asio::io_context& io() { return *options_.io; }
  void Start();
  void SetCount(Activation::CountFunction count);
  void Stop(Completion<absl::Status> completion);
  void Close();

  // --- Any thread ---

  bool acting() const {
    std::lock_guard lock(mutex_);
    return token_.valid();
  }
  PatrolStats Stats() const {
    return {.acting = acting() ? 1u : 0u,
            .desired = desired_.load(),
            .running = running_.load(),
            .started = started_.load(),
            .stopped = stopped_.load(),
            .killed = killed_.load(),
            .start_failures = start_failures_.load(),
            .stop_failures = stop_failures_.load(),
            .count_errors = count_errors_.load(),
            .terms = terms_.load(),
            .lost = lost_.load()};
  }

 private:
  // What is under way for one name, or has failed for it.
  struct Work {
    bool under_way = false;
    uint32_t failures = 0;  // in a row
    TimePoint next = TimePoint::min();
  };
  // What a watch has told.
  using Entries = std::map<std::pair<Name, uint64_t>, Entry>;

  // A completion handler for `function(PatrolCore&, Result)`, of this term only.
  template <typename Result, typename Function>
  Completion<Result> Then(Function function) {
    return Completion<Result>(asio::bind_executor(
        io().get_executor(), [weak = weak_from_this(), term = term_, function](Result result) {
          const auto self = weak.lock();
          if (self != nullptr && self->term_ == term && !self->closed_) {
            function(*self, std::move(result));
          }
        }));
  }
  static void Apply(const WatchEvent& event, Entries& entries);
  void Log(LogLevel level, const std::string& what) const {
    options_.log->Log(level, absl::StrCat("patrol of ", options_.path.text(), ": ", what));
  }

  // Waiting.
  void WatchName();
  void NextNameEvent();
  void OnNameEvent(absl::StatusOr<WatchEvent> event);
  void TellWhoActs();
  void Contend();
  void OnRegistered(absl::StatusOr<Registration> registered);

  // Acting.
  void BeginTerm();
  void EndTerm();
  void WatchPath();
  void OnPathEvent(absl::StatusOr<WatchEvent> event);
  void OnTimer();
  // Starts and stops what is to be.
  void Act();
  bool UpdateDesired();
  void StartOne(const Name& name, const std::map<std::string, size_t>& running);
  void StopOne(const Entry& entry);
  // True: this name may be worked on now, and is.
  bool Take(const Name& name);
  void Finish(const Name& name, bool failed);

  Directory& directory_;
  Membership& members_;
  KindStarter& starter_;
  const PatrolOptions options_;
  const Name name_;  // of the patrol
  std::mt19937_64 random_;

  Activation::CountFunction count_;
  bool counted_ = false;  // desired_ has been said
  bool closed_ = false;
  LoopTimer timer_;  // the period
  // One more with each beginning and end of a term: what an earlier one left comes to nothing.
  uint64_t term_ = 0;

  // Who patrols.
  std::optional<Watcher> name_watcher_;  // nothing: to be begun again
  Entries patrols_;
  bool patrols_known_ = false;
  std::string patroller_;  // the member that was told of last
  bool contending_ = false;
  Registration registration_;
  mutable std::mutex mutex_;
  LeaseToken token_ ABSL_GUARDED_BY(mutex_);  // of registration_

  // While we act.
  bool in_term_ = false;
  std::optional<Watcher> path_watcher_;  // the same
  Entries held_;
  bool held_known_ = false;
  std::map<Name, Work> work_;
  size_t under_way_ = 0;

  std::atomic<uint64_t> desired_{0}, running_{0}, started_{0}, stopped_{0}, killed_{0};
  std::atomic<uint64_t> start_failures_{0}, stop_failures_{0}, count_errors_{0}, terms_{0};
  std::atomic<uint64_t> lost_{0};
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_PATROL_CORE_H_
