// An actor's turns: letters, timers and coroutines, on its strand.
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

}  // namespace

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
    // Not where it lies in the batch: its answer may resume another lane of ours, which looks for
    // its next letter right there.
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
  const TimePoint now = runtime_->clock->Now();
  if (!Holds(now)) {
    answers_->RefuseClosed(letter);
    return nullptr;
  }
  if (answers_->RefuseLate(letter, now)) return nullptr;
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
  if (!Holds(runtime_->clock->Now())) return true;
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

void ActorCell::FlushCounts() {
  if (handled_ > 0) Count(runtime_->counters.handled, std::exchange(handled_, 0));
}

}  // namespace grid::internal
