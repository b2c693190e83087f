// FaultWorld: the processes of the fault test, and the store that they write to.
//
// All on the thread that made it, which serves the store while it is in LoopUntil, and with which
// the kernel ends the processes.
#ifndef GRID_TESTS_LIVE_FAULT_WORLD_H_
#define GRID_TESTS_LIVE_FAULT_WORLD_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/live/fault_protocol.h"
#include "tests/live/fault_store.h"
#include "tests/live/own_address.h"
#include "tests/live/process.h"

namespace grid::live {

struct FaultWorldOptions {
  int hosts = 5;  // that contend
  uint32_t names = 200;
  std::chrono::milliseconds lease{3000};
  std::chrono::milliseconds pause{50};  // between two writes of a name
  // "hosted", by one host more, number 0, that contends for nothing; or an etcd's URL.
  std::string directory = "hosted";
};

class FaultWorld {
 public:
  // Longer than anything takes that has no limit of its own.
  static constexpr std::chrono::seconds kLimit{60};

  explicit FaultWorld(FaultWorldOptions options)
      : options_(std::move(options)), store_(options_.names), hosts_(options_.hosts + 1) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_.File("store").c_str());
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    for (size_t i = 0; i < hosts_.size(); ++i) names_.push_back(OwnHost(i));
    for (int i = 0; i <= options_.hosts; ++i) Spawn(i);
  }
  ~FaultWorld() {
    hosts_.clear();
    for (const int fd : fds_) close(fd);
    close(listener_);
  }
  FaultWorld(const FaultWorld&) = delete;
  FaultWorld& operator=(const FaultWorld&) = delete;

  const FencedStore& store() const { return store_; }
  bool down(int host) const { return hosts_[host].down; }
  // From a start, or from going on, to the first write.
  const std::vector<Duration>& after_starts() const { return after_starts_; }
  const std::vector<Duration>& after_resumes() const { return after_resumes_; }

  // Since then every name was held, and every host held some.
  bool AllHeldSince(TimePoint since) const {
    if (store_.HeldSince(since) < options_.names) return false;
    return std::all_of(hosts_.begin() + 1, hosts_.end(),
                       [&](const Host& host) { return store_.HasHeldSince(host.instance, since); });
  }

  // Serves the store until `done`; false when that is not so within `limit`, or when a test has
  // failed.
  bool LoopUntil(Duration limit, const std::function<bool()>& done) {
    const TimePoint end = Now() + limit;
    for (;;) {
      if (done()) return true;
      const Duration left = end - Now();
      if (left <= Duration::zero() || ::testing::Test::HasFailure()) return false;
      std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
      for (const int fd : fds_) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
      using std::chrono::milliseconds;
      const auto wait = std::chrono::ceil<milliseconds>(std::min<Duration>(left, milliseconds(20)));
      if (poll(polled.data(), polled.size(), static_cast<int>(wait.count())) <= 0) continue;
      for (const pollfd& one : polled) {
        if (one.revents == 0) continue;
        if (one.fd == listener_) {
          Admit();
        } else {
          Serve(one.fd);
        }
      }
    }
  }

  void Kill(int number) {
    Host& host = hosts_[number];
    const TimePoint at = TakeDown(host);
    host.process->Signal(SIGKILL);
    host.process->Wait(kLimit);
    Empty(host);
    store_.Fault(host.instance, at);
  }
  void StartAgain(int number) {
    store_.Replaced(hosts_[number].instance);
    Spawn(number);
  }
  void Suspend(int number) {
    Host& host = hosts_[number];
    const TimePoint at = TakeDown(host);
    int status = 0;
    host.process->Signal(SIGSTOP);
    waitpid(host.process->pid(), &status, WUNTRACED);
    ASSERT_TRUE(WIFSTOPPED(status)) << "host " << number << " ended by itself";
    Empty(host);
    store_.Fault(host.instance, at);
  }
  void Resume(int number) {
    Host& host = hosts_[number];
    store_.Resumed(host.instance, Now());
    BringUp(host, /*resumed=*/true);
    host.process->Signal(SIGCONT);
  }

  // Each by SIGTERM. They give their names to one another, and the last one to nobody.
  void StopAll() {
    stopping_ = true;
    for (int i = options_.hosts; i >= 0; --i) {
      Host& host = hosts_[i];
      host.process->Signal(SIGTERM);
      ASSERT_TRUE(LoopUntil(kLimit, [&] { return host.fd < 0; })) << "host " << i;
      ASSERT_EQ(host.process->Wait(kLimit), 0) << "host " << i << Logs();
    }
  }

  // The ends of the hosts' logs.
  std::string Logs() const {
    std::string text;
    for (size_t i = 0; i < hosts_.size(); ++i) {
      std::ifstream file(folder_.File(absl::StrCat("log", i)));
      std::stringstream content;
      content << file.rdbuf();
      const std::string log = content.str();
      absl::StrAppend(&text, "\n--- host ", i, "\n",
                      log.substr(log.size() > 2000 ? log.size() - 2000 : 0));
    }
    return text;
  }

 private:
  struct Host {
    std::unique_ptr<Process> process = nullptr;
    int fd = -1;       // to the store, once it is ready
    int instance = 0;  // FencedStore's holder
    bool down = false;
    TimePoint up_since = {};
    bool resumed = false;  // then, or started
    bool waits = false;    // for its first write since then
  };

  static TimePoint Now() { return RealClock()->Now(); }

  void Spawn(int number) {
    std::vector<std::string> argv = {GRID_BIN_DIR "/fault_host",
                                     std::to_string(number),
                                     folder_.File("store"),
                                     folder_.File(absl::StrCat("log", number)),
                                     options_.directory,
                                     std::to_string(options_.lease.count()),
                                     std::to_string(options_.pause.count()),
                                     std::to_string(number == 0 ? 0 : options_.names)};
    argv.insert(argv.end(), names_.begin(), names_.end());
    Host& host = hosts_[number];
    host.process = std::make_unique<Process>(argv);
    ASSERT_TRUE(host.process->running()) << argv[0];
    host.instance = ++instances_;
    BringUp(host, /*resumed=*/false);
  }
  static void BringUp(Host& host, bool resumed) {
    host.down = false;
    host.up_since = Now();
    host.resumed = resumed;
    host.waits = true;
  }
  static TimePoint TakeDown(Host& host) {
    host.down = true;
    host.waits = false;
    return Now();
  }

  void Admit() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) fds_.push_back(fd);
  }
  Host* HostOf(int fd) {
    for (Host& host : hosts_) {
      if (host.fd == fd) return &host;
    }
    return nullptr;
  }
  // What a host has sent before it was taken down, its hello perhaps: nothing of it comes later.
  void Empty(const Host& host) {
    Admit();
    for (const int fd : std::vector<int>(fds_)) {
      for (;;) {
        const Host* const of = HostOf(fd);
        if ((of != nullptr && of != &host) || !Serve(fd)) break;
      }
    }
  }
  // One request; false when there is none.
  bool Serve(int fd) {
    StoreRequest request;
    const ssize_t size = recv(fd, &request, sizeof(request), 0);
    if (size < 0) return false;
    Host* const host = HostOf(fd);
    if (size == 0) {
      close(fd);
      std::erase(fds_, fd);
      if (host != nullptr) OnEnd(*host);
      return false;
    }
    if (request.what == StoreRequest::kHello) hosts_.at(request.name).fd = fd;
    const StoreAnswer answer{.accepted = host != nullptr && Take(*host, request)};
    (void)send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
    return true;
  }
  void OnEnd(Host& host) {
    host.fd = -1;
    if (host.down || stopping_) return;
    ADD_FAILURE() << "host " << &host - hosts_.data() << " ended by itself, with status "
                  << host.process->Wait(std::chrono::seconds(5));
  }
  bool Take(Host& host, const StoreRequest& request) {
    const auto time = [](int64_t nanos) { return TimePoint(std::chrono::nanoseconds(nanos)); };
    if (request.what == StoreRequest::kEnd) store_.End(request.name, request.epoch, Now());
    if (request.what == StoreRequest::kLost) store_.Lost(request.name, request.epoch, Now());
    if (request.what != StoreRequest::kWrite) return true;
    const TimePoint checked = time(request.checked);
    const bool accepted = store_.Accept({.name = request.name,
                                         .epoch = request.epoch,
                                         .holder = host.instance,
                                         .checked = checked,
                                         .until = time(request.until)});
    if (accepted && host.waits && checked >= host.up_since) {
      host.waits = false;
      (host.resumed ? after_resumes_ : after_starts_).push_back(checked - host.up_since);
    }
    return accepted;
  }

  const FaultWorldOptions options_;
  const test::TempDir folder_;
  std::vector<std::string> names_;  // of the hosts, in the mesh
  FencedStore store_;
  std::vector<Host> hosts_;
  int listener_ = -1;
  std::vector<int> fds_;  // of all that have connected
  int instances_ = 0;
  bool stopping_ = false;
  std::vector<Duration> after_starts_, after_resumes_;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_FAULT_WORLD_H_
