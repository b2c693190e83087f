#include "grid/actor/patrol_core.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <vector>

#include "grid/actor/patrol_plan.h"

namespace grid::internal {

void PatrolCore::Start() {
  if (closed_) return;
  timer_.Set(options_.clock->Now() + options_.period);
  WatchName();
}

void PatrolCore::Apply(const WatchEvent& event, Entries& entries) {
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

void PatrolCore::WatchName() {
  absl::StatusOr<Watcher> watcher = directory_.Watch(Selector::Of({name_}));
  if (!watcher.ok()) return OnNameEvent(watcher.status());
  name_watcher_ = *std::move(watcher);
  NextNameEvent();
}

// Not bound to a term: who patrols is watched throughout.
void PatrolCore::NextNameEvent() {
  name_watcher_->Next(asio::bind_executor(
      io().get_executor(), [weak = weak_from_this()](absl::StatusOr<WatchEvent> next) {
        const auto self = weak.lock();
        if (self != nullptr && !self->closed_) self->OnNameEvent(std::move(next));
      }));
}

void PatrolCore::OnNameEvent(absl::StatusOr<WatchEvent> event) {
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
  TellWhoActs();
  NextNameEvent();
  Contend();
}

void PatrolCore::TellWhoActs() {
  std::string patroller = patrols_.empty() ? "" : patrols_.begin()->second.member;
  if (patroller == patroller_) return;
  patroller_ = std::move(patroller);
  if (patroller_.empty() || patroller_ == members_.self()) return;
  Log(LogLevel::kInfo, absl::StrCat("it is ", patroller_, " who acts; we wait"));
}

void PatrolCore::Contend() {
  if (closed_ || !patrols_known_) return;
  if (contending_ || registration_ || !patrols_.empty()) return;
  contending_ = true;
  directory_.StartRegister(name_, Holding::kExclusive, {}, std::chrono::milliseconds(0),
                           Then<absl::StatusOr<Registration>>(
                               [](PatrolCore& self, absl::StatusOr<Registration> registered) {
                                 self.OnRegistered(std::move(registered));
                               }));
}

void PatrolCore::OnRegistered(absl::StatusOr<Registration> registered) {
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

void PatrolCore::BeginTerm() {
  ++term_;
  ++terms_;
  in_term_ = true;
  Log(LogLevel::kInfo, "it is us who act");
  WatchPath();
}

void PatrolCore::EndTerm() {
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

void PatrolCore::WatchPath() {
  absl::StatusOr<Watcher> watcher = directory_.Watch(Selector::Under(options_.path));
  if (!watcher.ok()) return OnPathEvent(watcher.status());
  path_watcher_ = *std::move(watcher);
  path_watcher_->Next(
      Then<absl::StatusOr<WatchEvent>>([](PatrolCore& self, absl::StatusOr<WatchEvent> event) {
        self.OnPathEvent(std::move(event));
      }));
}

void PatrolCore::OnPathEvent(absl::StatusOr<WatchEvent> event) {
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
  path_watcher_->Next(
      Then<absl::StatusOr<WatchEvent>>([](PatrolCore& self, absl::StatusOr<WatchEvent> next) {
        self.OnPathEvent(std::move(next));
      }));
  Act();
}

void PatrolCore::OnTimer() {
  if (closed_) return;
  timer_.Set(options_.clock->Now() + options_.period);
  // Watches that have ended begin again.
  if (!name_watcher_.has_value()) WatchName();
  if (in_term_ && !path_watcher_.has_value()) WatchPath();
  Contend();
  Act();
}

bool PatrolCore::UpdateDesired() {
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

bool PatrolCore::Take(const Name& name) {
  if (under_way_ >= options_.max_under_way) return false;
  Work& work = work_[name];
  if (work.under_way || options_.clock->Now() < work.next) return false;
  work.under_way = true;
  ++under_way_;
  return true;
}

void PatrolCore::Finish(const Name& name, bool failed) {
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

void PatrolCore::Act() {
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

void PatrolCore::StartOne(const Name& name, const std::map<std::string, size_t>& running) {
  StartRequest request{.name = name,
                       .placement = options_.placement,
                       .parameters = options_.parameters,
                       .policy = options_.start,
                       .running = running};
  starter_.Start(
      std::move(request),
      Then<absl::StatusOr<StartResult>>(
          [name](PatrolCore& self, const absl::StatusOr<StartResult>& started) {
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

void PatrolCore::StopOne(const Entry& entry) {
  StopRequest request{.name = entry.name,
                      .member = entry.member,
                      .epoch = entry.epoch,
                      .mode = StopMode::kAfterQueue,
                      .limit = options_.drain,
                      .timeout = options_.drain + options_.stop_timeout};
  starter_.Stop(
      std::move(request),
      Then<absl::StatusOr<StopResult>>(
          [name = entry.name](PatrolCore& self, const absl::StatusOr<StopResult>& stopped) {
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

void PatrolCore::SetCount(Activation::CountFunction count) {
  count_ = std::move(count);
  Act();
}

void PatrolCore::Close() {
  closed_ = true;
  timer_.Clear();
  name_watcher_.reset();
  EndTerm();
  {
    std::lock_guard lock(mutex_);
    token_ = LeaseToken();
  }
  registration_ = Registration();
}

void PatrolCore::Stop(Completion<absl::Status> completion) {
  Registration registration = std::move(registration_);
  Close();
  if (!registration) return completion.Complete(&io(), absl::OkStatus());
  registration.Release(std::move(completion));
}

}  // namespace grid::internal
