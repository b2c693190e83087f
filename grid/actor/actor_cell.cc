// What any thread may call; actor_life.cc and actor_turns.cc have what happens on the strand.
#include "grid/actor/actor_cell.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal {

using std::chrono::milliseconds;

ActorCell::ActorCell(std::shared_ptr<ActorRuntime> runtime, Name name, ActorOptions options,
                     ActorFactory factory)
    : runtime_(std::move(runtime)),
      name_(std::move(name)),
      options_(std::move(options)),
      answers_(std::make_shared<CellAnswers>(runtime_, name_)),
      strand_(runtime_->threads.get_executor()),
      queue_(options_.mailbox),
      factory_(std::move(factory)) {}

ActorCell::~ActorCell() = default;

void ActorCell::Start(uint64_t epoch, LeaseToken lease, Completion<absl::Status> completion) {
  epoch_ = epoch;
  lease_ = std::move(lease);
  start_ = std::move(completion);
  asio::post(strand_, [self = shared_from_this()] { self->Begin(); });
}

void ActorCell::Put(Letter letter) {
  ReplyToken accepted;
  if (letter.acknowledge == Acknowledgement::kAccepted) accepted = std::move(letter.reply);
  const bool waits = options_.mailbox.overflow == Overflow::kWaitForCredit;
  const TimePoint now = waits ? runtime_->clock->Now() : TimePoint();
  const TimePoint deadline = letter.deadline;
  bool wake = false;
  MailboxQueue::PutResult put = [&] {
    std::lock_guard lock(mutex_);
    MailboxQueue::PutResult result = queue_.Put(letter, now,
                                                {held_letters_.load(std::memory_order_relaxed),
                                                 held_bytes_.load(std::memory_order_relaxed)});
    if (result.outcome == MailboxQueue::Outcome::kQueued) wake = !std::exchange(looking_, true);
    return result;
  }();
  if (wake) PostRun();
  // Only now: what its sender sends next comes behind it.
  if (accepted) accepted.Answer(Buffer());
  const bool waiting = put.outcome == MailboxQueue::Outcome::kWaiting;
  if (waiting && deadline != Letter::kNoDeadline) Alarm()->Ask(deadline);
  answers_->Settle(letter, put, options_.mailbox);
}

bool ActorCell::PutAtOnce(Letter& letter) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    const HeldLetters held{held_letters_.load(std::memory_order_relaxed),
                           held_bytes_.load(std::memory_order_relaxed)};
    if (!queue_.HasRoomFor(letter, held)) return false;
    queue_.Put(letter, TimePoint(), held);
    wake = !std::exchange(looking_, true);
  }
  if (wake) PostRun();
  return true;
}

void ActorCell::PostRun() {
  asio::post(strand_, [self = shared_from_this()] { self->Run(); });
}

void ActorCell::StopBecause(StopMode mode, const absl::Status& why) {
  const Stopping wanted = mode == StopMode::kAfterQueue     ? Stopping::kAfterQueue
                          : mode == StopMode::kAfterCurrent ? Stopping::kAfterCurrent
                                                            : Stopping::kKill;
  std::vector<Letter> refused;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (why_.ok()) why_ = why;
    if (wanted <= stopping()) return;
    stopping_.store(wanted, std::memory_order_release);
    if (wanted == Stopping::kAfterQueue) {
      queue_.Close();
      if (std::exchange(looking_, true)) return;
    } else {
      refused = queue_.CloseAndTakeAll();
    }
  }
  if (wanted == Stopping::kKill) answers_->Kill();
  // What waits for its turn is answered at once, also behind a coroutine that goes on.
  asio::post(strand_, [self = shared_from_this(), wanted] {
    wanted == Stopping::kAfterQueue ? self->Run() : self->Settle();
  });
  answers_->RefuseClosed(std::move(refused));
}

void ActorCell::OnStopped(StoppedFunction callback) {
  absl::Status why;
  {
    std::lock_guard lock(mutex_);
    if (!stopped_) return on_stopped_.push_back(std::move(callback));
    why = why_;
  }
  callback(why);
}

void ActorCell::LoseLease(const absl::Status& why) {
  if (options_.holding != Holding::kExclusive || stopping() == Stopping::kKill) return;
  Count(runtime_->counters.leases_lost);
  StopBecause(StopMode::kKill, absl::AbortedError(absl::StrCat(
                                   name_.text(), ": the lease was lost: ", why.message())));
}

bool ActorCell::Holds(TimePoint now) {
  if (options_.holding == Holding::kShared || lease_.valid(now)) return true;
  LoseLease(lease_.why());
  return false;
}

std::shared_ptr<ControlAlarm> ActorCell::Alarm() {
  std::lock_guard lock(mutex_);
  if (alarm_ == nullptr) {
    alarm_ = ControlAlarm::Make(runtime_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->OnAlarm();
    });
  }
  return alarm_;
}

// The control thread.
void ActorCell::OnAlarm() {
  std::vector<ReplyToken> delivered;
  std::vector<Letter> expired;
  TimePoint next = Letter::kNoDeadline;
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (queue_.waiting() > 0) expired = queue_.TakeExpired(runtime_->clock->Now(), delivered);
    next = queue_.NextExpiry();
    alarm_due_.store(true, std::memory_order_release);
    wake = !std::exchange(looking_, true);
  }
  if (wake) PostRun();
  if (next != Letter::kNoDeadline) Alarm()->Ask(next);
  for (ReplyToken& token : delivered) token.Answer(Buffer());
  for (Letter& letter : expired) answers_->RefuseExpired(letter);
}

absl::StatusOr<ActorTimer> ActorCell::AddTimer(milliseconds step, ActorTimers::Repeat repeat,
                                               ActorContext::TimerFunction function) {
  if (step < milliseconds(1) || step > milliseconds(UINT32_MAX)) {
    return absl::InvalidArgumentError("a timer's time must be 1 ms to 49 days");
  }
  if (timers_ == nullptr) timers_ = std::make_unique<ActorTimers>();
  if (timers_->size() >= options_.max_timers) {
    Count(runtime_->counters.timer_limit);
    return absl::ResourceExhaustedError(absl::StrCat(name_.text(), ": ", options_.max_timers,
                                                     " timers are set (ActorOptions::max_timers)"));
  }
  const ActorTimer timer = timers_->Add(runtime_->clock->Now(), step, repeat, std::move(function));
  AskAlarm();
  return timer;
}

bool ActorCell::CancelTimer(ActorTimer timer) {
  return timers_ != nullptr && timers_->Cancel(timer);
}

}  // namespace grid::internal
