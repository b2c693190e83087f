#include "grid/directory/directory_core.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "grid/directory/directory_watch.h"
#include "grid/directory/hold.h"

namespace grid::internal {
namespace {

// Zeroes mean shares of the lease.
DirectoryOptions WithDefaults(DirectoryOptions options) {
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  if (options.margin.count() == 0) options.margin = options.lease / 3;
  if (options.renew.count() == 0) options.renew = options.lease / 5;
  if (options.seed == 0) {
    std::random_device device;
    options.seed = uint64_t{device()} << 32 | device();
  }
  return options;
}

absl::Status OverdueError() {
  return absl::DeadlineExceededError(
      "the lease has run out: the directory was not reached in time");
}

}  // namespace

DirectoryCore::DirectoryCore(DirectoryOptions options, std::unique_ptr<DirectoryBackend> backend)
    : options_(WithDefaults(std::move(options))),
      io_(*options_.io),
      random_(options_.seed),
      gate_(io_),
      why_down_(absl::UnavailableError("the directory was not reached yet")),
      backend_(std::move(backend)) {}

DirectoryCore::~DirectoryCore() = default;

void DirectoryCore::Start() {
  Post([self = shared_from_this()] {
    const auto guarded = [weak = self->weak_from_this()](void (DirectoryCore::*function)()) {
      return [weak, function] {
        if (const auto core = weak.lock()) (core.get()->*function)();
      };
    };
    self->renew_timer_.emplace(self->io_, *self->options_.clock, guarded(&DirectoryCore::Renew));
    self->lapse_timer_.emplace(self->io_, *self->options_.clock,
                               guarded(&DirectoryCore::OnLapseTimer));
    self->NewIncarnation();
    self->Renew();
  });
}

void DirectoryCore::StartClose() {
  Post([self = shared_from_this()] {
    self->Stop(StoppedError());
    self->LetGo();
  });
  gate_.Close();
  std::lock_guard lock(backend_mutex_);
  if (backend_ != nullptr) backend_->Close();
}

TimePoint DirectoryCore::Deadline(std::chrono::milliseconds timeout) const {
  constexpr std::chrono::milliseconds kLongest{UINT32_MAX};
  return Now() + (timeout.count() == 0 ? options_.timeout : std::min(timeout, kLongest));
}

Duration DirectoryCore::PauseAfter(uint32_t failures) {
  const double random = std::uniform_real_distribution<double>(0, 1)(random_);
  // A pause of nothing would go round without time passing.
  return std::max(options_.back_off.Pause(failures + 1, random), std::chrono::milliseconds(1));
}

void DirectoryCore::Log(LogLevel level, std::string_view what) const {
  options_.log->Log(level, absl::StrCat("directory, ", options_.member, ": ", std::string(what)));
}

absl::Status DirectoryCore::WhyDown() const { return why_down_; }

// --- The session ---

void DirectoryCore::NewIncarnation() {
  // The time of the start, in milliseconds, and 20 random bits: of two starts of one member the
  // later has the greater, and no two are the same.
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      options_.clock->WallNow().time_since_epoch());
  const uint64_t fresh = static_cast<uint64_t>(now.count()) << 20 | (random_() & 0xfffff);
  incarnation_ = std::max(incarnation_ + 1, fresh);
}

bool DirectoryCore::Settled() const {
  return std::all_of(holds_.begin(), holds_.end(),
                     [](const auto& hold) { return hold->attached(); });
}

void DirectoryCore::Renew() {
  if (stopped_ || options_.client) return;
  if (renewing_) {
    renew_again_ = true;
    return;
  }
  // In a process that was suspended this timer comes before that of the lease. The old session
  // would only keep from others what we have lost already.
  if (up_ && Now() >= until_) EndSession(OverdueError());
  renewing_ = true;
  renew_again_ = false;
  renew_timer_->Clear();
  const LeaseCall call{.member = options_.member,
                       .incarnation = incarnation_,
                       .seen_epoch = seen_epoch_,
                       .holds = holds_.size()};
  backend_->Renew(call, std::min(options_.attempt, options_.renew),
                  [self = shared_from_this(), incarnation = incarnation_,
                   asked = Now()](absl::StatusOr<LeaseGrant> grant) {
                    self->OnRenewed(incarnation, asked, std::move(grant));
                  });
}

void DirectoryCore::OnRenewed(uint64_t incarnation, TimePoint asked,
                              absl::StatusOr<LeaseGrant> grant) {
  renewing_ = false;
  if (stopped_) return;
  if (incarnation != incarnation_) return Renew();
  const TimePoint until = asked + options_.lease - options_.margin;
  if (grant.ok() && Now() >= until) {
    grant = absl::DeadlineExceededError("the directory's answer came when the lease had run out");
  }
  if (grant.ok()) {
    ++stats_.renewals;
    failures_ = 0;
    renew_timer_->Set(asked + options_.renew);
    OnGranted(until, grant->fresh);
    if (renew_again_) Renew();
    return;
  }
  ++stats_.renewals_failed;
  ++failures_;
  const absl::Status why = grant.status();
  if (failures_ == 1) {
    Log(LogLevel::kWarning, absl::StrCat("the lease was not renewed: ", why.ToString()));
  }
  if (!up_) why_down_ = why;
  renew_timer_->Set(Now() + PauseAfter(failures_));
  if (absl::IsAborted(why)) {
    Lapse(why);
  } else if (absl::IsFailedPrecondition(why)) {
    // Somebody of our name has come after us. A new incarnation of ours would end that one's, and
    // so on without end: we wait until it has gone.
    why_down_ = absl::UnavailableError(why.message());
    up_ = false;
    stats_.ready = 0;
    LoseAll(why);
  } else if (!MayPass(why)) {
    // Who waits for us to be ready is told.
    WakeAll();
  }
}

void DirectoryCore::OnGranted(TimePoint until, bool fresh) {
  // What has run out meanwhile was not seen by the timer yet.
  if (up_ && Now() >= until_) return Lapse(absl::DeadlineExceededError("the lease has run out"));
  if (fresh) {
    if (!holds_.empty()) Log(LogLevel::kInfo, "the directory was restarted; names are claimed");
    for (const auto& hold : holds_) hold->Detach();
  }
  up_ = true;
  stats_.ready = 1;
  until_ = until;
  for (const auto& hold : holds_) {
    if (hold->attached() && !hold->Extend(until)) {
      return Lapse(absl::DeadlineExceededError("the lease has run out"));
    }
  }
  ClaimMissing();
  SetLapseTimer();
  WakeAll();
}

void DirectoryCore::ClaimMissing() {
  const std::vector<std::shared_ptr<Hold>> holds(holds_.begin(), holds_.end());
  for (const auto& hold : holds) hold->Claim();
}

void DirectoryCore::OnClaimed() {
  // So that the others need not wait any longer for what we may have held.
  if (Settled()) Renew();
}

void DirectoryCore::OnNoSession() {
  if (!stopped_) Renew();
}

void DirectoryCore::SetLapseTimer() {
  TimePoint next = up_ ? until_ : TimePoint::max();
  for (const auto& hold : holds_) {
    if (!hold->attached()) next = std::min(next, hold->until());
  }
  if (next == TimePoint::max()) return lapse_timer_->Clear();
  lapse_timer_->Set(next);
}

void DirectoryCore::OnLapseTimer() {
  const absl::Status why = OverdueError();
  if (up_ && Now() >= until_) return Lapse(why);
  const std::vector<std::shared_ptr<Hold>> holds(holds_.begin(), holds_.end());
  for (const auto& hold : holds) {
    if (!hold->attached() && Now() >= hold->until()) {
      ++stats_.lost;
      hold->Lose(why);
    }
  }
  SetLapseTimer();
}

void DirectoryCore::EndSession(const absl::Status& why) {
  ++stats_.lapsed;
  Log(LogLevel::kWarning, absl::StrCat("the session has ended, with ", holds_.size(),
                                       " registrations: ", why.message()));
  up_ = false;
  stats_.ready = 0;
  why_down_ = absl::UnavailableError(why.message());
  NewIncarnation();
  LoseAll(why);
}

void DirectoryCore::Lapse(const absl::Status& why) {
  EndSession(why);
  // At once, but for a directory that says so again and again, or is not there: then the timer.
  if (failures_ <= 1) Renew();
}

void DirectoryCore::StartRenounce(uint64_t incarnation, std::string why) {
  Post([self = shared_from_this(), incarnation, why = std::move(why)] {
    if (self->stopped_ || self->options_.client || self->incarnation_ != incarnation) return;
    self->Lapse(absl::AbortedError(why));
  });
}

void DirectoryCore::LoseAll(const absl::Status& why) {
  const std::vector<std::shared_ptr<Hold>> holds(holds_.begin(), holds_.end());
  stats_.lost += holds.size();
  for (const auto& hold : holds) hold->Lose(why);
}

void DirectoryCore::Forget(Hold* hold) {
  if (holds_.erase(hold->shared_from_this()) > 0) --stats_.registrations;
}

void DirectoryCore::Forget(DirectoryWatch* watch) {
  if (watches_.erase(watch) == 0) return;
  --stats_.watches;
  stats_.coalesced += watch->view().coalesced();
}

void DirectoryCore::Adopt(std::shared_ptr<DirectoryWatch> watch) {
  std::lock_guard lock(backend_mutex_);
  // Otherwise it has ended, and goes here.
  if (backend_ != nullptr) adopted_.push_back(std::move(watch));
}

// --- The end ---

void DirectoryCore::Stop(absl::Status why) {
  if (stopped_) return;
  stopped_ = true;
  up_ = false;
  stats_.ready = 0;
  renew_timer_.reset();
  lapse_timer_.reset();
  LoseAll(why);
  const std::set<std::shared_ptr<RetryLoop>> loops = std::exchange(loops_, {});
  for (const auto& loop : loops) loop->End(why);
  const auto watches = watches_;
  for (const auto& [address, weak] : watches) {
    if (const auto watch = weak.lock()) watch->End(why);
  }
}

void DirectoryCore::FinishStop(Completion<absl::Status> completion) {
  stopping_.push_back(std::move(completion));
  if (stopping_.size() > 1) return;
  Stop(StoppedError());
  if (options_.client || backend_ == nullptr) return LetGo();
  // The backend is not to go from inside of what it calls.
  backend_->End(
      {.member = options_.member, .incarnation = incarnation_}, options_.stop,
      [this](const absl::Status&) { Post([self = shared_from_this()] { self->LetGo(); }); });
}

void DirectoryCore::LetGo() {
  std::unique_ptr<DirectoryBackend> backend;
  std::vector<std::shared_ptr<DirectoryWatch>> adopted;
  if (backend_ != nullptr) {
    DirectoryStats stats = Stats();
    std::lock_guard lock(backend_mutex_);
    final_stats_ = stats;
    backend = std::move(backend_);
    adopted.swap(adopted_);
  }
  // What is under way there refers to us.
  backend.reset();
  for (auto& completion : std::exchange(stopping_, {})) {
    completion.Complete(&io_, absl::OkStatus());
  }
}

}  // namespace grid::internal
