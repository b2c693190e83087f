// What happens on an actor's strand; actor_cell.cc has what any thread may call.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_cell.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

// Letters and timers of one actor that are handled before it is others' turn.
constexpr size_t kTurn = 64;

std::string What(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

absl::Status StoppedBeforeError() {
  return absl::CancelledError("the actor was stopped before it had started");
}

}  // namespace

// ---- Starting

void ActorCell::Begin() {
  if (finished_) return start_.Complete(&runtime_->threads, StoppedBeforeError());
  launching_ = true;
  if (stopping() != Stopping::kNo) return OnLaunched(StoppedBeforeError());
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

// ---- Turns

void ActorCell::Run() {
  if (launching_ || finished_) return;
  size_t budget = kTurn;
  while (lanes_.size() < static_cast<size_t>(options_.concurrency)) {
    NextLetter next = Advance(budget);
    switch (next.next) {
      case Next::kCoroutine:
        Spawn(RunLane(*std::move(next.letter), next.behaviour), &ActorCell::OnLaneEnd);
        break;
      case Next::kIdle:
        return;
      case Next::kYield:
        return PostRun();
      case Next::kSettle:
        return Settle();
    }
  }
}

// Handles plain letters and timers until something else is to be done.
ActorCell::NextLetter ActorCell::Advance(size_t& budget) {
  for (;;) {
    if (stopping() >= Stopping::kAfterCurrent || !failure_.ok()) return {Next::kSettle};
    if (budget == 0) return {Next::kYield};
    --budget;
    if (alarm_due_.load(std::memory_order_acquire)) {
      if (RunDueTimer()) continue;
      // In this order: an alarm that fires now is asked for again.
      alarm_due_.store(false, std::memory_order_release);
      AskAlarm();
    }
    std::optional<Letter> letter;
    const Next next = Take(letter);
    if (next != Next::kCoroutine) return {next};
    if (!letter.has_value()) continue;
    const Actor::Behaviour* const behaviour = Examine(*letter);
    if (behaviour == nullptr) continue;
    if (const auto* coroutine = std::get_if<Actor::CoroutineBehaviour>(behaviour)) {
      return {Next::kCoroutine, std::move(letter), coroutine};
    }
    RunPlain(*letter, std::get<Actor::PlainBehaviour>(*behaviour));
  }
}

// kCoroutine stands for a letter of any kind, or for another look if there is none.
ActorCell::Next ActorCell::Take(std::optional<Letter>& letter) {
  if (batch_.empty()) {
    FlushCounts();
    std::vector<ReplyToken> delivered;
    {
      std::lock_guard lock(mutex_);
      if (options_.mailbox.overflow == Overflow::kReject) {
        const HeldLetters held = queue_.TakeAll(batch_);
        Held(held.letters, held.bytes);
      } else {
        // One by one: what waits and what is the oldest depends on it.
        letter = queue_.Take(delivered);
      }
      if (batch_.empty() && !letter.has_value()) {
        if (queue_.closed()) return Next::kSettle;
        if (alarm_due_.load(std::memory_order_relaxed)) return Next::kCoroutine;
        queue_.Reuse(batch_);
        looking_ = false;
        return Next::kIdle;
      }
    }
    for (ReplyToken& token : delivered) token.Answer(Buffer());
  }
  if (!batch_.empty()) {
    letter = batch_.PopFront();
    Held(batch_.size(), held_bytes_.load(std::memory_order_relaxed) - letter->message.size());
  }
  return Next::kCoroutine;
}

void ActorCell::Held(size_t letters, size_t bytes) {
  held_letters_.store(letters, std::memory_order_relaxed);
  held_bytes_.store(bytes, std::memory_order_relaxed);
}

// How to handle it; null when it was answered, as it is not to be begun.
const Actor::Behaviour* ActorCell::Examine(Letter& letter) {
  if (options_.holding == Holding::kExclusive && !lease_.valid()) {
    LoseLease(lease_.why());
    answers_->RefuseClosed(letter);
    return nullptr;
  }
  if (answers_->RefuseLate(letter)) return nullptr;
  const std::string_view type = letter.type();
  const Actor::Behaviour* const behaviour = actor_->Find(type);
  if (behaviour == nullptr) {
    Count(runtime_->counters.unknown_type);
    letter.reply.Refuse(
        absl::UnimplementedError(absl::StrCat(name_.text(), ": does not know messages of type \"",
                                              absl::string_view(type.data(), type.size()), "\"")));
    return nullptr;
  }
  letter.reply.Observe(answers_);
  return behaviour;
}

void ActorCell::RunPlain(Letter& letter, const Actor::PlainBehaviour& behaviour) {
  ActorContext context(*this, &letter);
  try {
    behaviour(letter, context);
  } catch (...) {
    OnException(letter.type(), What(std::current_exception()));
    if (letter.reply) letter.reply.Fail(failure_);
  }
  ++handled_;
}

bool ActorCell::RunDueTimer() {
  if (timers_ == nullptr) return false;
  std::optional<ActorTimers::Due> due = timers_->Take(runtime_->clock->Now());
  if (!due.has_value()) return false;
  Count(runtime_->counters.timers_run);
  ActorContext context(*this, nullptr);
  try {
    due->function(context);
  } catch (...) {
    OnException("a timer", What(std::current_exception()));
  }
  timers_->Done(*std::move(due), runtime_->clock->Now());
  return true;
}

void ActorCell::AskAlarm() {
  if (timers_ == nullptr) return;
  if (const auto next = timers_->NextDue()) Alarm()->Ask(*next);
}

void ActorCell::OnException(std::string_view where, const std::string& what) {
  Count(runtime_->counters.exceptions);
  const std::string text =
      absl::StrCat(absl::string_view(where.data(), where.size()), " let out an exception: ", what);
  answers_->Log(LogLevel::kError, text);
  failure_ = absl::InternalError(absl::StrCat(name_.text(), ": ", text));
}

// ---- Coroutines

asio::awaitable<void> ActorCell::RunLane(Letter letter,
                                         const Actor::CoroutineBehaviour* behaviour) {
  std::optional<Letter> current(std::move(letter));
  for (size_t budget = kTurn;;) {
    std::exception_ptr exception;
    {
      ActorContext context(*this, &*current);
      try {
        co_await (*behaviour)(*current, context);
      } catch (...) {
        exception = std::current_exception();
      }
    }
    ++handled_;
    // What a kill ends so is no failure.
    if (exception != nullptr && stopping() != Stopping::kKill) {
      OnException(current->type(), What(exception));
      if (current->reply) current->reply.Fail(failure_);
    }
    current.reset();
    NextLetter next = Advance(budget);
    while (next.next == Next::kYield) {
      co_await asio::post(strand_, asio::use_awaitable);
      budget = kTurn;
      next = Advance(budget);
    }
    if (next.next != Next::kCoroutine) break;
    current = std::move(next.letter);
    behaviour = next.behaviour;
  }
}

std::shared_ptr<ActorCell::Lane> ActorCell::Spawn(
    asio::awaitable<void> work, void (ActorCell::*ended)(const std::shared_ptr<Lane>&)) {
  auto lane = std::make_shared<Lane>();
  if (ended == &ActorCell::OnLaneEnd) lanes_.insert(lane);
  auto done = [self = shared_from_this(), lane, ended](const std::exception_ptr& exception) {
    if (exception != nullptr) self->OnException("a coroutine", What(exception));
    ((*self).*ended)(lane);
  };
  asio::co_spawn(strand_, std::move(work),
                 asio::bind_cancellation_slot(lane->cancel.slot(), std::move(done)));
  return lane;
}

void ActorCell::OnLaneEnd(const std::shared_ptr<Lane>& lane) {
  lanes_.erase(lane);
  if (launching_) return OnLaunched(std::exchange(launch_status_, absl::OkStatus()));
  Run();
}

void ActorCell::RunBody(asio::awaitable<absl::Status> body) {
  body_ = Spawn(Body(std::move(body)), &ActorCell::OnBodyEnd);
}

asio::awaitable<void> ActorCell::Body(asio::awaitable<absl::Status> body) {
  absl::Status status;
  try {
    status = co_await std::move(body);
  } catch (...) {
    if (stopping() != Stopping::kKill && failure_.ok()) {
      OnException("its coroutine", What(std::current_exception()));
    }
    co_return;
  }
  if (status.ok() || stopping() != Stopping::kNo) {
    StopBecause(StopMode::kAfterCurrent, absl::OkStatus());
  } else {
    answers_->Log(LogLevel::kError, absl::StrCat("its coroutine has failed: ", status.ToString()));
    failure_ = status;
  }
}

void ActorCell::OnBodyEnd(const std::shared_ptr<Lane>&) {
  body_ = nullptr;
  if (launching_) return;
  // Where letters are under way their lanes come to the same.
  if (lanes_.empty()) Run();
}

void ActorCell::CancelLanes() {
  // Whatever ends at once changes lanes_.
  std::vector<std::shared_ptr<Lane>> lanes(lanes_.begin(), lanes_.end());
  if (body_ != nullptr) lanes.push_back(body_);
  for (const auto& lane : lanes) lane->cancel.emit(asio::cancellation_type::terminal);
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

void ActorCell::FlushCounts() {
  if (handled_ > 0) Count(runtime_->counters.handled, std::exchange(handled_, 0));
}

}  // namespace grid::internal
