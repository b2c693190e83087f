// ProcessRunner: starts and ends the processes of isolated actors; and IsolatedProcess, one of
// them, as the host sees it.
//
//   starting --kStarted--> running --Stop--> stopping --end of pipe--> reaped
//       |                     |                  | too late: killed      ^
//       +--- too late: killed, or the process ends by itself ------------+
//
// Internal to grid/actor. On the thread of `io`, but for what says otherwise.
#ifndef GRID_GRID_ACTOR_PROCESS_RUNNER_H_
#define GRID_GRID_ACTOR_PROCESS_RUNNER_H_

#include <sys/types.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/isolated_pipe.h"
#include "grid/actor/isolated_processes.h"
#include "grid/actor/letter.h"
#include "grid/directory/lease_token.h"
#include "grid/transport/loop_timer.h"
#include "handlers/completion.h"

namespace grid::internal {

class IsolatedProcess;

struct ProcessCounters {
  std::atomic<uint64_t> running{0}, started{0}, start_failures{0}, start_timeouts{0}, died{0};
  std::atomic<uint64_t> killed{0}, letters{0}, process_limit{0}, frame_limit{0};
};

class ProcessRunner final : public std::enable_shared_from_this<ProcessRunner> {
 public:
  explicit ProcessRunner(IsolatedProcessesOptions options);

  asio::io_context& io() { return *options_.io; }
  const IsolatedProcessesOptions& options() const { return options_; }
  Clock& clock() { return *clock_; }
  ProcessCounters& counters() { return counters_; }
  void Log(LogLevel level, const std::string& line) const { options_.log->Log(level, line); }

  // kResourceExhausted beyond max_processes; kCancelled once closed.
  absl::Status Enter(const std::shared_ptr<IsolatedProcess>& process);
  void Leave(const std::shared_ptr<IsolatedProcess>& process);
  // Kills them all, and waits for their ends.
  void Close();

 private:
  const IsolatedProcessesOptions options_;
  const std::shared_ptr<Clock> clock_;
  ProcessCounters counters_;
  std::set<std::shared_ptr<IsolatedProcess>> processes_;
  bool closed_ = false;
};

class IsolatedProcess final : public std::enable_shared_from_this<IsolatedProcess> {
 public:
  IsolatedProcess(std::shared_ptr<ProcessRunner> runner, std::string name);

  asio::io_context& io() { return runner_->io(); }

  // `start`: a kStart frame. Completes once the actor there has started, or with why not.
  void Start(IsolatedFrame start, LeaseToken lease, Completion<absl::Status> completion);
  // `letter`: a kLetter frame without its id.
  void Deliver(uint64_t id, IsolatedFrame letter, const Buffer& message,
               Completion<LetterOutcome> completion);
  // Nobody waits for it any more: completes with kCancelled if it is still open.
  void Cancel(uint64_t id);
  // The actor there stops, and with it the process; it is killed when that takes too long.
  void Stop();
  // Any thread; also before Start, which then fails with kCancelled.
  void Kill();
  // Kills it, and waits for that: `io` may not run any more.
  void End();
  // Once, after Start has completed with OK. Completes when the process is gone: with why, or with
  // OK when it was told to end.
  void WaitEnd(Completion<absl::Status> completion);

 private:
  absl::Status Spawn(int& fd);
  void ReadErrors();
  void LogErrors(bool all);
  void OnFrame(IsolatedFrame frame, Buffer payload);
  void OnPipeEnd();
  void OnStartTimeout();
  void OnStopTimeout();
  void TellLease();
  // Looks whether the process has ended; with `wait`, until it has.
  void Reap(bool wait);
  void OnReaped(int status);
  void FinishStart(absl::Status status);

  const std::shared_ptr<ProcessRunner> runner_;
  const std::string name_;
  std::mutex mutex_;  // of changes of pid_, and who kills: what was reaped may be another's by now
  pid_t pid_ = 0;     // 0: none, or reaped
  std::shared_ptr<IsolatedPipe> pipe_;
  std::unique_ptr<asio::posix::stream_descriptor> errors_;
  std::string error_text_;
  std::array<char, 4096> error_bytes_{};
  Completion<absl::Status> start_;  // until it has started
  Completion<absl::Status> wait_end_;
  std::optional<absl::Status> end_;  // what that completes with
  absl::Status failed_;              // why we have ended it; OK: we haven't
  std::map<uint64_t, Completion<LetterOutcome>> open_;
  LeaseToken lease_;
  TimePoint lease_told_{};
  LoopTimer start_timer_, stop_timer_, lease_timer_, reap_timer_;
  int reaps_ = 0;
  std::atomic<bool> stopping_{false};  // told to end
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_PROCESS_RUNNER_H_
