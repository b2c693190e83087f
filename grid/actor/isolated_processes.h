// IsolatedProcesses: actors in processes of their own: Kinds that are placed isolated(...). The
// host program runs itself once more for each, through a hook at the top of its main:
//
//   int main(int argc, char** argv) {
//     grid::KindTable kinds = MakeKinds();
//     if (auto code = grid::RunIsolatedActor(argc, argv, kinds)) return *code;
//     ...
//     IsolatedProcesses processes({.io = &io});
//     KindHost host(std::move(kinds), actors, {.io = &io, .isolate = processes.isolate()});
//
// Name, mailbox and lease stay with the host: an ordinary actor there hands letters on, as many at
// a time as the Kind's concurrency, and brings the answers back. A process dies with its actor and
// with the host. Its death fails what it had under way (kUnavailable, maybe executed), and is to
// the host's actor like an exception: the Kind's ActorOptions::on_exception restarts it, in a new
// process, or stops it. Nothing else is taken down. A handler that hangs ends with its sender's
// deadline, as far as the sender goes, and with the process when the actor is stopped. What it
// writes to standard error is the host's log.
//
// In the process the actor has a lease that ends when the host's does, by the same clock, and a
// context without a system, unless RunIsolatedActor is told how it reaches others
// (isolated_client.h). When it is stopped its name is given back once the process has ended: after
// OnStop, or `stop` later, when it is killed. With StopMode::kKill, and with a lost lease, it is
// killed at once, without OnStop.
//
// POSIX. Any thread, but for the destructor: on that of `io`, or when it does not run; processes
// that are still there are killed, and waited for.
#ifndef GRID_GRID_ACTOR_ISOLATED_PROCESSES_H_
#define GRID_GRID_ACTOR_ISOLATED_PROCESSES_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "grid/actor/isolated_client.h"
#include "grid/actor/kind.h"
#include "grid/base/log.h"

namespace grid {

namespace internal {
class ProcessRunner;
}

struct IsolatedProcessesOptions {
  // Where processes are started and heard; one thread runs it, and as long as there are processes:
  // the kernel ends them with that thread. It must outlive what is made here. Required.
  boost::asio::io_context* io = nullptr;
  // The program: with the hook, and the same kinds.
  std::string program = "/proc/self/exe";
  // What it is to know besides its environment, which is the host's. No list of processes shows it.
  IsolatedSettings settings = {};
  // From the start of the process until its actor has started; then it is killed, and the start
  // fails with kDeadlineExceeded.
  std::chrono::milliseconds start{10'000};
  // From the stop until it is killed: OnStop, and the end of its system.
  std::chrono::milliseconds stop{5'000};

  size_t max_processes = 100;                  // beyond it starts fail, kResourceExhausted
  size_t max_frame_bytes = size_t{128} << 20;  // of one letter or answer, with its header
  size_t max_line_bytes = 4096;                // of standard error; longer ones are cut
  std::shared_ptr<LogSink> log = nullptr;      // null: DefaultLog
};

// Totals; gauges say so.
struct IsolatedProcessesStats {
  uint64_t running = 0;  // gauge
  uint64_t started = 0;  // processes whose actor has started
  uint64_t start_failures = 0;
  uint64_t start_timeouts = 0;  // of them, those that took too long
  uint64_t died = 0;            // ended without having been told to
  uint64_t killed = 0;          // had not ended in time
  uint64_t letters = 0;
  uint64_t process_limit = 0;  // refused because of max_processes
  uint64_t frame_limit = 0;    // letters refused because of max_frame_bytes
};

class IsolatedProcesses {
 public:
  explicit IsolatedProcesses(IsolatedProcessesOptions options);
  ~IsolatedProcesses();

  // For KindHostOptions::isolate.
  std::function<ActorFactory(const StartArguments& arguments)> isolate();
  IsolatedProcessesStats Stats() const;

 private:
  const std::shared_ptr<internal::ProcessRunner> runner_;
};

// Nothing where this is the host program itself. Otherwise it has run the actor, and the value is
// the status to exit with. To be called before threads are started or files opened. `client`: how
// the actor reaches others; null: it does not.
std::optional<int> RunIsolatedActor(int argc, char** argv, const KindTable& kinds,
                                    const IsolatedClientFunction& client = nullptr);

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ISOLATED_PROCESSES_H_
