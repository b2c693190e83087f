#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/e2e/idle.h"
#include "grid/base/log.h"
#include "grid/manager.h"

namespace grid::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{60};
// For what follows the handshakes.
constexpr std::chrono::milliseconds kSettle{300};

ManagerOptions OptionsOf(const std::string& name, boost::asio::io_context& io) {
  ManagerOptions options;
  options.local = name;
  options.log = NullLog();
  options.io_contexts = {&io};
  options.worker_executor = io.get_executor();  // no threads
  return options;
}

// Names that dial `hub`.
std::vector<std::string> NamesThatDial(const std::string& hub, size_t count) {
  std::vector<std::string> names;
  for (int port = 1; names.size() < count; ++port) {
    std::string name = absl::StrCat("http://127.0.0.2:", port);
    if (ShouldDial(name, hub)) names.push_back(std::move(name));
  }
  return names;
}

void RaiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The dialling ends: a manager for each connection, in a process of their own so that each end's
// memory can be told from the other's. The first one connects at once, the others when told to,
// and all of them end when told again. Never returns.
[[noreturn]] void RunDiallers(const std::string& hub, const std::vector<std::string>& names,
                              int go) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  boost::asio::io_context io(1);
  auto work = boost::asio::make_work_guard(io);
  std::vector<std::unique_ptr<Manager>> managers;
  const auto start = [&](const std::string& name) {
    managers.push_back(std::make_unique<Manager>(OptionsOf(name, io)));
    if (!managers.back()->AddPeer(hub).ok() || !managers.back()->Start().ok()) _exit(1);
  };
  start(names[0]);
  boost::asio::readable_pipe pipe(io, go);
  char byte = 0;
  pipe.async_read_some(boost::asio::buffer(&byte, 1), [&](boost::system::error_code, size_t) {
    for (size_t i = 1; i < names.size(); ++i) start(names[i]);
    pipe.async_read_some(boost::asio::buffer(&byte, 1), [&](boost::system::error_code, size_t) {
      for (const auto& manager : managers) manager->StopAsync([] {});
    });
  });
  io.run();
  _exit(0);
}

// The accepting ends: one manager.
class Hub {
 public:
  Hub(const std::string& name, size_t connections) {
    ManagerOptions options = OptionsOf(name, io_);
    options.limits.max_pre_handshake = static_cast<int>(connections);
    manager_ = std::make_unique<Manager>(std::move(options));
  }
  ~Hub() {
    bool running = true;
    manager_->StopAsync([&running] { running = false; });
    while (running) io_.run_one();
  }

  absl::Status Start(const std::string& address) {
    absl::Status status = manager_->Start();
    return status.ok() ? manager_->Listen(address).status() : status;
  }
  absl::Status Expect(const std::vector<std::string>& names, size_t from, size_t to) {
    absl::Status status;
    for (size_t i = from; i < to; ++i) status.Update(manager_->AddPeer(names[i]));
    return status;
  }
  absl::Status RunUntilConnected(const std::vector<std::string>& names, size_t count) {
    const Clock::time_point end = Clock::now() + kPatience;
    for (size_t i = 0; i < count; ++i) {
      const Connection peer = manager_->Connection(names[i]);
      while (peer.state() != ConnectionState::kConnected) {
        if (Clock::now() >= end) return absl::DeadlineExceededError("not all have connected");
        io_.run_one_for(std::chrono::milliseconds(10));
      }
    }
    io_.run_for(kSettle);
    return absl::OkStatus();
  }
  void Forget(const std::vector<std::string>& names) {
    for (const std::string& name : names) static_cast<void>(manager_->RemovePeer(name));
    io_.run_for(kSettle);
  }

 private:
  boost::asio::io_context io_{1};
  std::unique_ptr<Manager> manager_;
};

absl::StatusOr<std::string> Measure(Hub& hub, pid_t diallers, int go, const std::string& address,
                                    const std::vector<std::string>& names) {
  // Whatever is made once, and kept, is not a connection's: so the first is not measured.
  absl::Status status = hub.Start(address);
  status.Update(hub.Expect(names, 0, 1));
  if (status.ok()) status = hub.RunUntilConnected(names, 1);
  if (!status.ok()) return status;
  const int64_t hub_before = ResidentBytes();
  const int64_t diallers_before = ResidentBytes(diallers);
  status = hub.Expect(names, 1, names.size());
  if (write(go, "+", 1) != 1) status.Update(absl::InternalError("the diallers are gone"));
  if (status.ok()) status = hub.RunUntilConnected(names, names.size());
  if (!status.ok()) return status;
  const int64_t hub_open = ResidentBytes();
  const int64_t diallers_open = ResidentBytes(diallers);
  if (write(go, "-", 1) != 1) return absl::InternalError("the diallers are gone");
  hub.Forget(names);
  const int64_t hub_closed = ResidentBytes();
  malloc_trim(0);
  const int64_t hub_trimmed = ResidentBytes();

  const auto each = static_cast<int64_t>(names.size()) - 1;
  const int64_t accepting = (hub_open - hub_before) / each;
  const int64_t dialling = (diallers_open - diallers_before) / each;
  return absl::StrCat("{\"system\":\"idle\",\"connections\":", each,
                      ",\"bytes_per_connection\":", accepting + dialling,
                      ",\"bytes_per_accepting_end\":", accepting,
                      ",\"bytes_per_dialling_end_and_manager\":", dialling,
                      ",\"bytes_per_accepting_end_closed\":", (hub_closed - hub_before) / each,
                      ",\"bytes_per_accepting_end_trimmed\":", (hub_trimmed - hub_before) / each,
                      "}\n");
}

}  // namespace

absl::StatusOr<std::string> MeasureConnections(size_t count, uint16_t port) {
  RaiseFileLimit();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  const std::string name = "http://" + address;
  const std::vector<std::string> names = NamesThatDial(name, count + 1);
  int go[2];
  if (pipe(go) != 0) return absl::InternalError("pipe");
  const pid_t diallers = fork();
  if (diallers < 0) return absl::InternalError("fork");
  if (diallers == 0) RunDiallers(name, names, go[0]);
  Hub hub(name, count + 1);
  auto result = Measure(hub, diallers, go[1], address, names);
  kill(diallers, SIGKILL);
  waitpid(diallers, nullptr, 0);
  return result;
}

}  // namespace grid::bench
