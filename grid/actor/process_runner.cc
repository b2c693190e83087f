#include "grid/actor/process_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/isolated_main.h"
#include "handlers/delivery.h"

extern char** environ;

namespace grid::internal {
namespace {

using std::chrono::milliseconds;

// How often the lease is looked at: far more often than the margin of any lease.
constexpr milliseconds kLeasePeriod{200};
// A process whose pipe has ended is about to end itself.
constexpr milliseconds kReapPeriod{5};
constexpr int kReapsBeforeKill = 100;

absl::Status SystemError(const char* what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(error)));
}

std::string EndText(int status) {
  return WIFEXITED(status) ? absl::StrCat("has exited with status ", WEXITSTATUS(status))
                           : absl::StrCat("was killed by signal ", WTERMSIG(status));
}

IsolatedProcessesOptions WithDefaults(IsolatedProcessesOptions options) {
  if (options.log == nullptr) options.log = DefaultLog();
  return options;
}

}  // namespace

// --- ProcessRunner ---

// The clock is that of the machine: the processes have no other.
ProcessRunner::ProcessRunner(IsolatedProcessesOptions options)
    : options_(WithDefaults(std::move(options))), clock_(RealClock()) {}

absl::Status ProcessRunner::Enter(const std::shared_ptr<IsolatedProcess>& process) {
  if (closed_) return absl::CancelledError("no processes are started any more");
  if (processes_.size() >= options_.max_processes) {
    ++counters_.process_limit;
    return absl::ResourceExhaustedError(absl::StrCat(
        "more than max_processes, ", options_.max_processes, ", processes of isolated actors"));
  }
  processes_.insert(process);
  counters_.running = processes_.size();
  return absl::OkStatus();
}

void ProcessRunner::Leave(const std::shared_ptr<IsolatedProcess>& process) {
  processes_.erase(process);
  counters_.running = processes_.size();
}

void ProcessRunner::Close() {
  closed_ = true;
  for (const auto& process : std::set(processes_)) process->End();
}

// --- IsolatedProcess ---

IsolatedProcess::IsolatedProcess(std::shared_ptr<ProcessRunner> runner, std::string name)
    : runner_(std::move(runner)),
      name_(std::move(name)),
      start_timer_(io(), runner_->clock(), [this] { OnStartTimeout(); }),
      stop_timer_(io(), runner_->clock(), [this] { OnStopTimeout(); }),
      lease_timer_(io(), runner_->clock(), [this] { TellLease(); }),
      reap_timer_(io(), runner_->clock(), [this] { Reap(/*wait=*/false); }) {}

void IsolatedProcess::Start(IsolatedFrame start, LeaseToken lease,
                            Completion<absl::Status> completion) {
  start_ = std::move(completion);
  lease_ = std::move(lease);
  if (stopping_) return FinishStart(absl::CancelledError("the actor was stopped before"));
  if (absl::Status entered = runner_->Enter(shared_from_this()); !entered.ok()) {
    return FinishStart(std::move(entered));
  }
  int fd = -1;
  if (absl::Status spawned = Spawn(fd); !spawned.ok()) {
    runner_->Leave(shared_from_this());
    return FinishStart(std::move(spawned));
  }
  pipe_ = std::make_shared<IsolatedPipe>(io(), fd, runner_->options().max_frame_bytes);
  pipe_->Start(
      [self = shared_from_this()](IsolatedFrame frame, Buffer payload) {
        self->OnFrame(std::move(frame), std::move(payload));
      },
      [self = shared_from_this()] { self->OnPipeEnd(); });
  ReadErrors();
  start_timer_.Set(runner_->clock().Now() + runner_->options().start);
  lease_told_ = lease_.until();
  start.time = ToWire(lease_told_);
  start.settings = runner_->options().settings;
  start.max_frame_bytes = runner_->options().max_frame_bytes;
  lease_timer_.Set(runner_->clock().Now() + kLeasePeriod);
  if (absl::Status sent = pipe_->Send(start); !sent.ok()) {
    FinishStart(std::move(sent));
    Kill();
  }
}

absl::Status IsolatedProcess::Spawn(int& fd) {
  int pair[2], errors[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return SystemError("socketpair", errno);
  }
  if (pipe2(errors, O_CLOEXEC) != 0) {
    const int error = errno;
    close(pair[0]);
    close(pair[1]);
    return SystemError("pipe", error);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, errors[1], 2);
  posix_spawn_file_actions_adddup2(&actions, pair[1], kIsolatedFd);
  // It gets nothing else that the host has open.
  posix_spawn_file_actions_addclosefrom_np(&actions, kIsolatedFd + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string program = runner_->options().program;
  std::string flag = kIsolatedFlag;
  std::string parent = std::to_string(getpid());
  // The last one is for who looks at the list of processes.
  std::string name = name_;
  char* const argv[] = {program.data(), flag.data(), parent.data(), name.data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(pair[1]);
  close(errors[1]);
  if (error != 0) {
    close(pair[0]);
    close(errors[0]);
    return SystemError(program.c_str(), error);
  }
  {
    std::lock_guard lock(mutex_);
    pid_ = pid;
    if (stopping_) kill(pid_, SIGKILL);
  }
  fd = pair[0];
  errors_ = std::make_unique<asio::posix::stream_descriptor>(io(), errors[0]);
  return absl::OkStatus();
}

void IsolatedProcess::ReadErrors() {
  errors_->async_read_some(
      asio::buffer(error_bytes_),
      [self = shared_from_this()](boost::system::error_code error, size_t bytes) {
        self->error_text_.append(self->error_bytes_.data(), bytes);
        self->LogErrors(/*all=*/static_cast<bool>(error));
        if (!error) self->ReadErrors();
      });
}

void IsolatedProcess::LogErrors(bool all) {
  const size_t max = runner_->options().max_line_bytes;
  for (;;) {
    size_t end = error_text_.find('\n');
    const bool whole = end != std::string::npos && end <= max;
    if (!whole && error_text_.size() <= max && !all) return;
    if (error_text_.empty()) return;
    if (!whole) end = std::min(error_text_.size(), max);
    runner_->Log(LogLevel::kWarning, absl::StrCat("actor ", name_, ", process ", pid_, ": ",
                                                  error_text_.substr(0, end)));
    error_text_.erase(0, end + (whole ? 1 : 0));
  }
}

void IsolatedProcess::FinishStart(absl::Status status) {
  start_timer_.Clear();
  if (!start_) return;
  ++(status.ok() ? runner_->counters().started : runner_->counters().start_failures);
  auto start = std::move(start_);
  start.Complete(&io(), std::move(status));
}

void IsolatedProcess::OnStartTimeout() {
  ++runner_->counters().start_timeouts;
  failed_ = absl::DeadlineExceededError(absl::StrCat("the process of ", name_,
                                                     " has not started its actor within ",
                                                     runner_->options().start.count(), " ms"));
  Kill();
}

void IsolatedProcess::OnStopTimeout() {
  ++runner_->counters().killed;
  runner_->Log(LogLevel::kWarning, absl::StrCat("actor ", name_, ", process ", pid_,
                                                ": has not stopped in time, and is killed"));
  Kill();
}

void IsolatedProcess::TellLease() {
  if (pipe_ == nullptr) return;
  const TimePoint until = lease_.until();
  if (until != lease_told_) {
    lease_told_ = until;
    (void)pipe_->Send({.what = IsolatedFrame::kLease, .time = ToWire(until)});
  }
  lease_timer_.Set(runner_->clock().Now() + kLeasePeriod);
}

void IsolatedProcess::Deliver(uint64_t id, IsolatedFrame letter, const Buffer& message,
                              Completion<LetterOutcome> completion) {
  const auto refuse = [&](absl::Status why) {
    completion.Complete(&io(), WithDelivery(std::move(why), Delivery::kRejected));
  };
  if (pid_ == 0 || stopping_ || pipe_ == nullptr) {
    return refuse(absl::UnavailableError(absl::StrCat("the process of ", name_, " has ended")));
  }
  letter.what = IsolatedFrame::kLetter;
  letter.id = id;
  if (absl::Status sent = pipe_->Send(letter, message.view()); !sent.ok()) {
    ++runner_->counters().frame_limit;
    return refuse(std::move(sent));
  }
  ++runner_->counters().letters;
  open_.emplace(id, std::move(completion));
}

void IsolatedProcess::Cancel(uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  auto completion = std::move(found->second);
  open_.erase(found);
  if (pipe_ != nullptr) (void)pipe_->Send({.what = IsolatedFrame::kCancel, .id = id});
  completion.Complete(&io(),
                      WithDelivery(absl::CancelledError("cancelled"), Delivery::kMaybeExecuted));
}

void IsolatedProcess::Stop() {
  if (stopping_.exchange(true) || pid_ == 0) return;
  stop_timer_.Set(runner_->clock().Now() + runner_->options().stop);
  if (pipe_ != nullptr) (void)pipe_->Send({.what = IsolatedFrame::kStop});
}

void IsolatedProcess::Kill() {
  stopping_ = true;
  std::lock_guard lock(mutex_);
  if (pid_ > 0) kill(pid_, SIGKILL);
}

void IsolatedProcess::End() {
  Kill();
  pipe_.reset();
  lease_timer_.Clear();
  Reap(/*wait=*/true);
}

void IsolatedProcess::WaitEnd(Completion<absl::Status> completion) {
  wait_end_ = std::move(completion);
  if (end_.has_value()) wait_end_.Complete(&io(), *end_);
}

void IsolatedProcess::OnFrame(IsolatedFrame frame, Buffer payload) {
  if (frame.what == IsolatedFrame::kStarted) {
    const absl::Status status = StatusOf(frame);
    if (!status.ok()) stopping_ = true;  // it ends by itself, and that is all there is to say
    return FinishStart(status);
  }
  if (frame.what == IsolatedFrame::kStopped) {
    // It ends now; by itself, unless we have told it to.
    if (!stopping_ && failed_.ok()) {
      failed_ = absl::UnavailableError(
          absl::StrCat("the actor ", name_, " has stopped in its process: ", frame.text));
    }
    return;
  }
  if (frame.what != IsolatedFrame::kAnswer) return;
  const auto found = open_.find(frame.id);
  if (found == open_.end()) return;  // cancelled
  auto completion = std::move(found->second);
  open_.erase(found);
  if (absl::Status status = StatusOf(frame); !status.ok()) {
    return completion.Complete(&io(), std::move(status));
  }
  completion.Complete(&io(), frame.nil ? Buffer() : std::move(payload));
}

void IsolatedProcess::OnPipeEnd() {
  pipe_.reset();
  lease_timer_.Clear();
  Reap(/*wait=*/false);
}

void IsolatedProcess::Reap(bool wait) {
  if (pid_ == 0) return;
  int status = 0;
  bool reaped = false;
  {
    std::lock_guard lock(mutex_);
    pid_t gone = 0;
    do {
      gone = waitpid(pid_, &status, wait ? 0 : WNOHANG);
    } while (gone < 0 && errno == EINTR);
    reaped = gone != 0;
    if (reaped && gone != pid_) status = 0;
    if (reaped) pid_ = 0;
    // It has closed its end and goes on.
    if (!reaped && ++reaps_ == kReapsBeforeKill) kill(pid_, SIGKILL);
  }
  if (reaped) return OnReaped(status);
  reap_timer_.Set(runner_->clock().Now() + kReapPeriod);
}

void IsolatedProcess::OnReaped(int status) {
  const auto self = shared_from_this();
  const std::string text = absl::StrCat("the process of ", name_, " ", EndText(status));
  stop_timer_.Clear();
  start_timer_.Clear();
  const absl::Status why = failed_.ok() ? absl::UnavailableError(text) : failed_;
  end_.emplace();
  if (!stopping_) {
    ++runner_->counters().died;
    runner_->Log(LogLevel::kError, absl::StrCat("actor ", name_, ": ", why.message()));
    *end_ = why;
  }
  runner_->Leave(self);
  FinishStart(why);
  // Before the letters: the actor begins none for a process that is gone.
  if (wait_end_) wait_end_.Complete(&io(), *end_);
  for (auto& [id, completion] : std::exchange(open_, {})) {
    completion.Complete(&io(), WithDelivery(why, Delivery::kMaybeExecuted));
  }
}

}  // namespace grid::internal
