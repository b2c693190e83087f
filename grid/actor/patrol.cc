#include "grid/actor/patrol.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/patrol_plan.h"
#include "grid/transport/loop_timer.h"

namespace grid {

class Patrol::Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(Directory& directory, Membership& members, KindStarter& starter, PatrolOptions options,
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
    if (options_.client) return client_acts_.load();
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

  // A completion handler for `function(Core&, Result)`, of this term only.
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
  bool contending_ = false;
  Registration registration_;
  mutable std::mutex mutex_;
  LeaseToken token_ ABSL_GUARDED_BY(mutex_);  // of registration_
  std::atomic<bool> client_acts_{false};

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

void Patrol::Core::Start() {
  if (closed_) return;
  timer_.Set(options_.clock->Now() + options_.period);
  WatchName();
}

void Patrol::Core::Apply(const WatchEvent& event, Entries& entries) {
  switch (event.kind) {
    case WatchEvent::Kind::kSnapshot:
    case WatchEvent::Kind::kResynchronised:
      entries.clear();
      [[fallthrough]];
    case WatchEvent::Kind::kAdded:
    case WatchEvent::Kind::kChanged:
      for (const Entry& entry : event.entries) {
        entries.insert_or_assign({entry.name, entry.epoch}, entry);
      }
      break;
    case WatchEvent::Kind::kRemoved:
      for (const Entry& entry : event.entries) entries.erase({entry.name, entry.epoch});
      break;
  }
}

// --- Waiting ---

void Patrol::Core::WatchName() {
  absl::StatusOr<Watcher> watcher = directory_.Watch(Selector::Of({name_}));
  if (!watcher.ok()) return OnNameEvent(watcher.status());
  name_watcher_ = *std::move(watcher);
  NextNameEvent();
}

// Not bound to a term: who patrols is watched throughout.
void Patrol::Core::NextNameEvent() {
  name_watcher_->Next(asio::bind_executor(
      io().get_executor(), [weak = weak_from_this()](absl::StatusOr<WatchEvent> next) {
        const auto self = weak.lock();
        if (self != nullptr && !self->closed_) self->OnNameEvent(std::move(next));
      }));
}

void Patrol::Core::OnNameEvent(absl::StatusOr<WatchEvent> event) {
  if (!event.ok()) {
    // The period's timer watches again, unless the directory has been stopped.
    patrols_known_ = false;
    name_watcher_.reset();
    if (!absl::IsCancelled(event.status())) {
      Log(LogLevel::kWarning, absl::StrCat("can't watch who patrols: ", event.status().message()));
    }
    return;
  }
  patrols_known_ = true;
  Apply(*event, patrols_);
  NextNameEvent();
  Contend();
}

void Patrol::Core::Contend() {
  if (closed_ || !patrols_known_) return;
  if (options_.client) {
    client_acts_ = patrols_.empty();
    if (client_acts_ && !in_term_) BeginTerm();
    if (!client_acts_ && in_term_) EndTerm();
    return;
  }
  if (contending_ || registration_ || !patrols_.empty()) return;
  contending_ = true;
  directory_.StartRegister(
      name_, Holding::kExclusive, {}, std::chrono::milliseconds(0),
      Then<absl::StatusOr<Registration>>([](Core& self, absl::StatusOr<Registration> registered) {
        self.OnRegistered(std::move(registered));
      }));
}

void Patrol::Core::OnRegistered(absl::StatusOr<Registration> registered) {
  contending_ = false;
  if (!registered.ok()) {
    // Somebody was faster; the watch says when they are gone. Anything else passes, or not: the
    // period's timer tries again.
    if (!HolderOf(registered.status()).has_value()) {
      Log(LogLevel::kWarning, absl::StrCat("can't take it over: ", registered.status().message()));
    }
    return;
  }
  registration_ = *std::move(registered);
  {
    std::lock_guard lock(mutex_);
    token_ = registration_.token();
  }
  // On the directory's thread, or at once.
  registration_.token().OnLost(
      [weak = weak_from_this(), &io = io(), epoch = registration_.epoch()] {
        asio::post(io, [weak, epoch] {
          const auto self = weak.lock();
          if (self == nullptr || !self->registration_ || self->registration_.epoch() != epoch) {
            return;
          }
          ++self->lost_;
          self->Log(LogLevel::kWarning, "lost, with the lease");
          self->registration_ = Registration();
          self->EndTerm();
        });
      });
  BeginTerm();
}

// --- Acting ---

void Patrol::Core::BeginTerm() {
  ++term_;
  ++terms_;
  in_term_ = true;
  Log(LogLevel::kInfo, "it is us who act");
  WatchPath();
}

void Patrol::Core::EndTerm() {
  ++term_;
  in_term_ = false;
  contending_ = false;
  path_watcher_.reset();
  held_.clear();
  held_known_ = false;
  work_.clear();
  under_way_ = 0;
  running_ = 0;
}

void Patrol::Core::WatchPath() {
  absl::StatusOr<Watcher> watcher = directory_.Watch(Selector::Under(options_.path));
  if (!watcher.ok()) return OnPathEvent(watcher.status());
  path_watcher_ = *std::move(watcher);
  path_watcher_->Next(Then<absl::StatusOr<WatchEvent>>(
      [](Core& self, absl::StatusOr<WatchEvent> event) { self.OnPathEvent(std::move(event)); }));
}

void Patrol::Core::OnPathEvent(absl::StatusOr<WatchEvent> event) {
  if (!event.ok()) {
    held_known_ = false;
    path_watcher_.reset();
    if (!absl::IsCancelled(event.status())) {
      Log(LogLevel::kWarning, absl::StrCat("can't watch what runs: ", event.status().message()));
    }
    return;
  }
  held_known_ = true;
  Apply(*event, held_);
  path_watcher_->Next(Then<absl::StatusOr<WatchEvent>>(
      [](Core& self, absl::StatusOr<WatchEvent> next) { self.OnPathEvent(std::move(next)); }));
  Act();
}

void Patrol::Core::OnTimer() {
  if (closed_) return;
  timer_.Set(options_.clock->Now() + options_.period);
  // Watches that have ended begin again.
  if (!name_watcher_.has_value()) WatchName();
  if (in_term_ && !path_watcher_.has_value()) WatchPath();
  Contend();
  Act();
}

bool Patrol::Core::UpdateDesired() {
  std::string error;
  try {
    const size_t count = count_(*members_.View());
    if (count <= options_.max_count) {
      desired_ = count;
      counted_ = true;
      return true;
    }
    error = absl::StrCat(count, ", more than max_count, ", options_.max_count);
  } catch (const std::exception& exception) {
    error = exception.what();
  } catch (...) {
    error = "an exception";
  }
  ++count_errors_;
  Log(LogLevel::kError, absl::StrCat("the count stays as it was: ", error));
  return counted_;
}

bool Patrol::Core::Take(const Name& name) {
  if (under_way_ >= options_.max_under_way) return false;
  Work& work = work_[name];
  if (work.under_way || options_.clock->Now() < work.next) return false;
  work.under_way = true;
  ++under_way_;
  return true;
}

void Patrol::Core::Finish(const Name& name, bool failed) {
  --under_way_;
  Work& work = work_[name];
  work.under_way = false;
  if (!failed) {
    work_.erase(name);
  } else {
    const double random = std::uniform_real_distribution<double>(0, 1)(random_);
    ++work.failures;
    work.next = options_.clock->Now() + options_.back_off.Pause(work.failures + 1, random);
  }
  // There is room for another one. What was just done is perhaps not to be seen yet, and done again
  // to no effect, so this waits for the next change or period unless others wait.
  if (under_way_ + 1 == options_.max_under_way) Act();
}

void Patrol::Core::Act() {
  // By the clock: also where nobody has told us of the end of the lease.
  if (!in_term_ || !held_known_ || !acting()) return;
  if (!UpdateDesired()) return;
  std::vector<Entry> held;
  std::map<std::string, size_t> running;
  held.reserve(held_.size());
  for (const auto& [key, entry] : held_) {
    held.push_back(entry);
    ++running[entry.member];
  }
  running_ = held.size();
  const PatrolPlan plan = PlanPatrol(options_.path, desired_, held);
  for (const Name& name : plan.start) {
    if (under_way_ >= options_.max_under_way) return;
    if (Take(name)) StartOne(name, running);
  }
  for (const Entry& entry : plan.stop) {
    if (under_way_ >= options_.max_under_way) return;
    if (Take(entry.name)) StopOne(entry);
  }
}

void Patrol::Core::StartOne(const Name& name, const std::map<std::string, size_t>& running) {
  StartRequest request{.name = name,
                       .placement = options_.placement,
                       .parameters = options_.parameters,
                       .policy = options_.start,
                       .running = running};
  starter_.Start(
      std::move(request),
      Then<absl::StatusOr<StartResult>>(
          [name](Core& self, const absl::StatusOr<StartResult>& started) {
            if (started.ok()) {
              if (!started->already_running) ++self.started_;
            } else {
              ++self.start_failures_;
              self.Log(LogLevel::kWarning,
                       absl::StrCat(name.text(), " did not start: ", started.status().message()));
            }
            self.Finish(name, !started.ok());
          }));
}

void Patrol::Core::StopOne(const Entry& entry) {
  StopRequest request{.name = entry.name,
                      .member = entry.member,
                      .epoch = entry.epoch,
                      .mode = StopMode::kAfterQueue,
                      .limit = options_.drain,
                      .timeout = options_.drain + options_.stop_timeout};
  starter_.Stop(
      std::move(request),
      Then<absl::StatusOr<StopResult>>(
          [name = entry.name](Core& self, const absl::StatusOr<StopResult>& stopped) {
            if (stopped.ok()) {
              ++self.stopped_;
              if (stopped->killed) ++self.killed_;
            } else {
              ++self.stop_failures_;
              self.Log(LogLevel::kWarning,
                       absl::StrCat(name.text(), " did not stop: ", stopped.status().message()));
            }
            self.Finish(name, !stopped.ok());
          }));
}

void Patrol::Core::SetCount(Activation::CountFunction count) {
  count_ = std::move(count);
  Act();
}

void Patrol::Core::Close() {
  closed_ = true;
  timer_.Clear();
  name_watcher_.reset();
  EndTerm();
  client_acts_ = false;
  {
    std::lock_guard lock(mutex_);
    token_ = LeaseToken();
  }
  registration_ = Registration();
}

void Patrol::Core::Stop(Completion<absl::Status> completion) {
  Registration registration = std::move(registration_);
  Close();
  if (!registration) return completion.Complete(&io(), absl::OkStatus());
  registration.Release(std::move(completion));
}

absl::StatusOr<std::unique_ptr<Patrol>> Patrol::Make(Directory& directory, Membership& members,
                                                     KindStarter& starter, PatrolOptions options) {
  const auto refused = [](const char* field, const char* range) {
    return absl::InvalidArgumentError(absl::StrCat("PatrolOptions::", field, " must be ", range));
  };
  const auto day = std::chrono::hours(24);
  if (options.io == nullptr) return refused("io", "set");
  if (options.count == nullptr) return refused("count", "set");
  if (options.period < std::chrono::milliseconds(1) || options.period > day) {
    return refused("period", "1 ms to a day");
  }
  if (options.drain < std::chrono::milliseconds(0) || options.drain > day) {
    return refused("drain", "0 to a day");
  }
  if (options.stop_timeout < std::chrono::milliseconds(1) || options.stop_timeout > day) {
    return refused("stop_timeout", "1 ms to a day");
  }
  if (options.max_under_way < 1) return refused("max_under_way", "at least 1");
  absl::Status status = options.start.Check();
  status.Update(CheckStartParameters(options.parameters));
  if (options.placement.has_value()) status.Update(options.placement->Check());
  absl::StatusOr<Name> name = PatrolName(options.path);
  status.Update(name.status());
  // The longest of the names that it may ever start.
  status.Update(PatrolledName(options.path, options.max_count).status());
  if (!status.ok()) return status;
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  auto core =
      std::make_shared<Core>(directory, members, starter, std::move(options), *std::move(name));
  asio::post(core->io(), [core] { core->Start(); });
  return std::unique_ptr<Patrol>(new Patrol(std::move(core)));
}

Patrol::~Patrol() { core_->Close(); }

void Patrol::SetCount(Activation::CountFunction count) {
  asio::post(core_->io(), [core = core_, count = std::move(count)]() mutable {
    core->SetCount(std::move(count));
  });
}

bool Patrol::acting() const { return core_->acting(); }
PatrolStats Patrol::Stats() const { return core_->Stats(); }

void Patrol::StartStop(Completion<absl::Status> completion) {
  asio::post(core_->io(), [core = core_, completion = std::move(completion)]() mutable {
    core->Stop(std::move(completion));
  });
}

}  // namespace grid
