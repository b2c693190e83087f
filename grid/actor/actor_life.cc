// How an actor starts, restarts and ends, on its strand.
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_cell.h"

namespace grid::internal {
namespace {

absl::Status StoppedBeforeError() {
  return absl::CancelledError("the actor was stopped before it had started");
}

}  // namespace

std::string ActorCell::What(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

// ---- Starting

void ActorCell::Begin() {
  if (finished_) return start_.Complete(&runtime_->threads, StoppedBeforeError());
  launching_ = true;
  if (!Holds(runtime_->clock->Now()) || stopping() != Stopping::kNo)
    return OnLaunched(StoppedBeforeError());
  Launch();
}

void ActorCell::Launch() {
  launching_ = true;
  launched_ = false;
  absl::Status status = MakeActor();
  if (status.ok()) {
    std::unique_ptr<ActorContext> context(new ActorContext(*this, nullptr));
    try {
      asio::awaitable<absl::Status> start = actor_->OnStart(*context);
      if (start.valid()) {
        Spawn(RunStart(std::move(context), std::move(start)), &ActorCell::OnLaneEnd);
        return;
      }
    } catch (...) {
      OnException("OnStart", What(std::current_exception()));
      status = std::exchange(failure_, absl::OkStatus());
    }
  }
  OnLaunched(std::move(status));
}

absl::Status ActorCell::MakeActor() {
  try {
    absl::StatusOr<std::unique_ptr<Actor>> made = factory_();
    if (!made.ok()) return made.status();
    if (*made == nullptr) return absl::InternalError("the actor's factory made none");
    actor_ = *std::move(made);
    return absl::OkStatus();
  } catch (...) {
    OnException("the factory", What(std::current_exception()));
    return std::exchange(failure_, absl::OkStatus());
  }
}

asio::awaitable<void> ActorCell::RunStart(std::unique_ptr<ActorContext> context,
                                          asio::awaitable<absl::Status> start) {
  try {
    launch_status_ = co_await std::move(start);
  } catch (...) {
    launch_status_ = absl::InternalError(What(std::current_exception()));
    if (stopping() == Stopping::kKill) {
      launch_status_ = StoppedBeforeError();
    } else {
      OnException("OnStart", What(std::current_exception()));
      failure_ = absl::OkStatus();
    }
  }
  context.reset();
}

void ActorCell::OnLaunched(absl::Status status) {
  launching_ = false;
  launched_ = status.ok();
  const bool first = static_cast<bool>(start_);
  if (!status.ok() && first) {
    StopBecause(StopMode::kAfterCurrent, status);
  } else if (!status.ok()) {
    answers_->Log(LogLevel::kError, absl::StrCat("could not be restarted: ", status.ToString()));
    failure_ = status;
  }
  if (first) start_.Complete(&runtime_->threads, std::move(status));
  PostRun();
}

// ---- Ending

// No further letter is begun: what is under way is waited for, then it restarts or ends.
void ActorCell::Settle() {
  if (finished_) return;
  const Stopping stop = stopping();
  if (stop >= Stopping::kAfterCurrent) {
    while (!batch_.empty()) {
      Letter letter = batch_.PopFront();
      answers_->RefuseClosed(letter);
    }
    Held(0, 0);
  }
  if (stop == Stopping::kKill) CancelLanes();
  if (launching_ || !lanes_.empty()) return;
  if (body_ != nullptr) {
    absl::Status why = failure_;
    if (why.ok()) {
      std::lock_guard lock(mutex_);
      why = why_;
    }
    // It hears of it where it waits for letters, and ends by itself; a broken one is not waited
    // for.
    actor_->OnMailboxEnd(why);
    if (!failure_.ok() && body_ != nullptr) CancelLanes();
    return;
  }
  if (stop < Stopping::kAfterCurrent && !failure_.ok()) return Restart();
  Finish();
}

void ActorCell::Restart() {
  const absl::Status failure = std::exchange(failure_, absl::OkStatus());
  const TimePoint now = runtime_->clock->Now();
  while (!restarts_.empty() && now - restarts_.front() >= options_.restart_window) {
    restarts_.PopFront();
  }
  const bool often = restarts_.size() >= static_cast<size_t>(options_.max_restarts);
  if (often || options_.on_exception == OnException::kStop) {
    if (options_.on_exception == OnException::kRestart) {
      Count(runtime_->counters.restart_limit);
      answers_->Log(LogLevel::kError,
                    absl::StrCat("is stopped: ", options_.max_restarts, " restarts within ",
                                 options_.restart_window.count(), " ms"));
    }
    return StopBecause(StopMode::kAfterCurrent, failure);
  }
  if (!Holds(runtime_->clock->Now())) return;  // which ends it
  Count(runtime_->counters.restarts);
  restarts_.PushBack(now);
  timers_.reset();
  actor_.reset();
  Launch();
}

void ActorCell::Finish() {
  finished_ = true;
  FlushCounts();
  absl::Status why;
  {
    std::lock_guard lock(mutex_);
    why = why_;
  }
  if (launched_) {
    try {
      actor_->OnStop(why);
    } catch (...) {
      OnException("OnStop", What(std::current_exception()));
    }
  }
  timers_.reset();
  actor_.reset();
  factory_ = nullptr;
  std::vector<StoppedFunction> callbacks;
  std::shared_ptr<ControlAlarm> alarm;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    why = why_;
    callbacks.swap(on_stopped_);
    alarm.swap(alarm_);
  }
  for (StoppedFunction& callback : callbacks) callback(why);
}

}  // namespace grid::internal
