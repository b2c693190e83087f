// Five processes contend for 200 exclusive names while random ones of them are killed and suspended
// (fault_host.cc). What they write to a store outside of the cluster shows whether two of them ever
// believed to hold the same name, and how long nobody did.
//
//   GRID_FAULT_SECONDS=120 GRID_FAULT_SEED=7 live_tests --gtest_filter='FaultTest.*'
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "grid/testing/random.h"
#include "tests/live/etcd_process.h"
#include "tests/live/fault_protocol.h"
#include "tests/live/fault_store.h"
#include "tests/live/process.h"
#include "tests/sanitized.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kProgram[] = GRID_BIN_DIR "/fault_host";
constexpr int kHosts = 5;
constexpr uint32_t kNames = 200;
constexpr milliseconds kLease{kSanitized ? 6000 : 3000};
constexpr milliseconds kMargin = kLease / 3;
// Between two writes of a name.
constexpr milliseconds kPause{kSanitized ? 400 : 50};
// GRID_FAULT_SLACK_MS: beyond lease + margin, what a busy machine may take.
constexpr uint64_t kSlackMs = kSanitized ? 15'000 : 4000;
constexpr seconds kLimit{60};  // of what has no limit of its own

double InSeconds(Duration time) { return std::chrono::duration<double>(time).count(); }

TimePoint Now() { return RealClock()->Now(); }

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Fault {
  Duration at;
  int host;  // 1 to kHosts
  bool kill;
  Duration down;  // until it is started again, or goes on
};

// At most two hosts are down at a time.
std::vector<Fault> Schedule(uint64_t seed, Duration length) {
  testing::Random random(seed);
  std::vector<Fault> faults;
  std::map<int, Duration> down_until;
  for (Duration at = milliseconds(500); at < length;) {
    const int host = static_cast<int>(random.Between(1, kHosts));
    const auto down = std::count_if(down_until.begin(), down_until.end(),
                                    [&](const auto& one) { return one.second > at; });
    if (down >= 2 || down_until[host] > at) {
      at += milliseconds(50);
      continue;
    }
    Fault fault{.at = at, .host = host, .kill = random.OneIn(2), .down = {}};
    // Suspended for less than the tokens, more than they and less than the lease, or more.
    fault.down = fault.kill ? random.Between(Duration::zero(), Duration(2 * kLease))
                            : random.Between(Duration(milliseconds(50)), Duration(2 * kLease));
    down_until[host] = at + fault.down + milliseconds(100);
    faults.push_back(fault);
    at += random.Between(Duration(milliseconds(300)), Duration(milliseconds(2500)));
  }
  return faults;
}

// The hosts, the one that serves the directory, and the store: all on the test's one thread, which
// the kernel ends the processes with.
class FaultTest : public ::testing::Test {
 protected:
  struct Host {
    std::unique_ptr<Process> process = nullptr;
    int fd = -1;       // to the store, once it is ready
    int instance = 0;  // FencedStore's holder
    bool down = false;
    TimePoint up_since = {};
    bool resumed = false;
    bool waits = false;  // for its first write since then
  };

  void SetUp() override {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_.File("store").c_str());
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(listener_, 16), 0);
    // Addresses of this process alone, on a port from which nobody dials.
    for (int i = 0; i <= kHosts; ++i) {
      names_.push_back(absl::StrFormat("http://127.%d.%d.%d:7420", 64 + getpid() / 256 % 128,
                                       getpid() % 256, i + 1));
    }
  }
  void TearDown() override {
    hosts_.clear();
    for (const int fd : fds_) close(fd);
    close(listener_);
  }

  // `directory`: "hosted", by a member that is not touched, or an etcd's URL.
  void RunFaults(const std::string& directory, Duration length) {
    directory_ = directory;
    const uint64_t seed = FromEnvironment("GRID_FAULT_SEED", std::random_device()());
    const std::vector<Fault> faults = Schedule(seed, length);
    std::printf("%s, %.0f s, GRID_FAULT_SEED=%llu\n", directory.c_str(), InSeconds(length),
                static_cast<unsigned long long>(seed));
    hosts_.resize(kHosts + 1);
    // The member that serves the directory comes first; the others wait for it anyway.
    for (int i = 0; i <= kHosts; ++i) Spawn(i);
    ASSERT_TRUE(LoopUntil(kLimit, [&] { return AllReady() && store_.held() == kNames; }))
        << store_.held() << " names are held" << Logs();

    const TimePoint start = Now();
    size_t next = 0;
    while (!HasFailure() && (next < faults.size() || !later_.empty())) {
      const TimePoint at = next < faults.size() ? start + faults[next].at : TimePoint::max();
      if (!later_.empty() && later_.begin()->first < at) {
        const auto [when, back] = *later_.begin();
        later_.erase(later_.begin());
        LoopUntil(when - Now(), [] { return false; });
        back();
      } else {
        LoopUntil(at - Now(), [] { return false; });
        Do(faults[next++]);
      }
    }
    ASSERT_FALSE(HasFailure()) << Logs();
    // Whoever is there goes on, and all have their share.
    EXPECT_TRUE(LoopUntil(kLimit,
                          [&] {
                            bool all = store_.held() == kNames;
                            for (int i = 1; i <= kHosts; ++i)
                              all = all && store_.HeldBy(hosts_[i].instance) > 0;
                            return all;
                          }))
        << store_.held() << " names are held" << Logs();
    StopAll();
    Judge();
  }

 private:
  void Spawn(int index) {
    std::vector<std::string> argv = {kProgram,
                                     std::to_string(index),
                                     folder_.File("store"),
                                     folder_.File(absl::StrCat("log", index)),
                                     directory_,
                                     std::to_string(kLease.count()),
                                     std::to_string(kPause.count()),
                                     std::to_string(index == 0 ? 0 : kNames)};
    argv.insert(argv.end(), names_.begin(), names_.end());
    Host& host = hosts_[index];
    host.process = std::make_unique<Process>(argv);
    ASSERT_TRUE(host.process->running()) << kProgram;
    host.instance = ++instances_;
    host.down = false;
    host.up_since = Now();
    host.resumed = false;
    host.waits = true;
  }

  void Do(const Fault& fault) {
    Host& host = hosts_[fault.host];
    if (host.down) return;  // this test itself was late
    std::printf("  %6.2f s  %s %d for %.2f s\n", InSeconds(fault.at), fault.kill ? "kill" : "stop",
                fault.host, InSeconds(fault.down));
    const TimePoint at = Now();
    host.down = true;
    host.waits = false;
    const int old = host.instance;
    if (fault.kill) {
      host.process->Signal(SIGKILL);
      host.process->Wait(kLimit);
      ++kills_;
      Empty(host);  // what it had still written
      later_.emplace(at + fault.down, [this, index = fault.host, old] {
        store_.Replaced(old);
        Spawn(index);
      });
    } else {
      int status = 0;
      host.process->Signal(SIGSTOP);
      waitpid(host.process->pid(), &status, WUNTRACED);
      ASSERT_TRUE(WIFSTOPPED(status)) << "host " << fault.host << " ended by itself";
      ++stops_;
      Empty(host);
      later_.emplace(at + fault.down, [this, &host] {
        store_.Resumed(host.instance, Now());
        host.down = false;
        host.up_since = Now();
        host.resumed = host.waits = true;
        host.process->Signal(SIGCONT);
      });
    }
    store_.Fault(old, at);
  }

  // --- The store's end of the sockets ---

  bool AllReady() const {
    return std::all_of(hosts_.begin(), hosts_.end(), [](const Host& host) { return host.fd >= 0; });
  }
  // Serves the store until `done`; false when that is not so within `limit`.
  bool LoopUntil(Duration limit, const std::function<bool()>& done) {
    const TimePoint end = Now() + limit;
    for (;;) {
      if (done()) return true;
      const Duration left = end - Now();
      if (left <= Duration::zero() || HasFailure()) return false;
      std::vector<pollfd> polled{{.fd = listener_, .events = POLLIN, .revents = 0}};
      for (const int fd : fds_) polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
      const auto wait = std::chrono::ceil<milliseconds>(std::min<Duration>(left, milliseconds(20)));
      if (poll(polled.data(), polled.size(), static_cast<int>(wait.count())) <= 0) continue;
      for (const pollfd& one : polled) {
        if (one.revents == 0) continue;
        one.fd == listener_ ? Admit() : static_cast<void>(Serve(one.fd));
      }
    }
  }
  void Admit() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) fds_.push_back(fd);
  }
  // All that a host had written before it was killed or suspended.
  void Empty(const Host& host) {
    while (host.fd >= 0 && Serve(host.fd)) {
    }
  }
  // One request; false when there is none.
  bool Serve(int fd) {
    StoreRequest request;
    const ssize_t size = recv(fd, &request, sizeof(request), 0);
    if (size < 0) return false;
    const auto of =
        std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& host) { return host.fd == fd; });
    if (size == 0) {
      close(fd);
      std::erase(fds_, fd);
      if (of == hosts_.end()) return false;
      of->fd = -1;
      if (!of->down && !stopping_) {
        ADD_FAILURE() << "host " << of - hosts_.begin() << " ended by itself, with status "
                      << of->process->Wait(seconds(5));
      }
      return false;
    }
    const StoreAnswer answer{.accepted = Take(fd, of == hosts_.end() ? nullptr : &*of, request)};
    (void)send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
    return true;
  }
  bool Take(int fd, Host* host, const StoreRequest& request) {
    if (request.what == StoreRequest::kHello) {
      hosts_.at(request.name).fd = fd;
      return true;
    }
    if (host == nullptr) return false;
    const auto time = [](int64_t nanos) { return TimePoint(std::chrono::nanoseconds(nanos)); };
    if (request.what == StoreRequest::kEnd) {
      store_.End(request.name, request.epoch, Now());
      return true;
    }
    if (request.what == StoreRequest::kLost) {
      store_.Lost(request.name, request.epoch, Now());
      return true;
    }
    const bool accepted = store_.Accept({.name = request.name,
                                         .epoch = request.epoch,
                                         .holder = host->instance,
                                         .checked = time(request.checked),
                                         .until = time(request.until)});
    if (accepted && host->waits && time(request.checked) >= host->up_since) {
      host->waits = false;
      (host->resumed ? resumed_ : started_).push_back(Now() - host->up_since);
    }
    return accepted;
  }

  // --- The end ---

  void StopAll() {
    stopping_ = true;
    // They give their names to one another, and the last one to nobody; then the directory.
    for (int i = kHosts; i >= 0; --i) {
      hosts_[i].process->Signal(SIGTERM);
      EXPECT_TRUE(LoopUntil(kLimit, [&] { return hosts_[i].fd < 0; })) << "host " << i;
      EXPECT_EQ(hosts_[i].process->Wait(kLimit), 0) << "host " << i << Logs();
    }
  }
  static std::string Figures(std::vector<Duration> times) {
    if (times.empty()) return "none";
    std::sort(times.begin(), times.end());
    return absl::StrFormat("%d, median %.2f s, 99%% %.2f s, max %.2f s", times.size(),
                           InSeconds(times[times.size() / 2]),
                           InSeconds(times[times.size() * 99 / 100]), InSeconds(times.back()));
  }
  static Duration Longest(const std::vector<Duration>& times) {
    return times.empty() ? Duration::zero() : *std::max_element(times.begin(), times.end());
  }
  void Judge() {
    std::printf(
        "  %d killed, %d suspended; %llu terms of %u names, %llu writes accepted, %llu refused\n"
        "  not held after a fault: %s\n"
        "  not held after it was put down: %s\n"
        "  from a start to a name: %s\n"
        "  from SIGCONT to a name: %s\n"
        "  %llu actors lost their lease without a fault; margin from a token's end to the next "
        "holder: %.2f s\n",
        kills_, stops_, static_cast<unsigned long long>(store_.terms()), kNames,
        static_cast<unsigned long long>(store_.accepted()),
        static_cast<unsigned long long>(store_.refused()), Figures(store_.after_faults()).c_str(),
        Figures(store_.after_ends()).c_str(), Figures(started_).c_str(), Figures(resumed_).c_str(),
        static_cast<unsigned long long>(store_.lost_without_fault()),
        InSeconds(store_.least_margin()));
    EXPECT_TRUE(store_.violations().empty())
        << store_.violations().size() << ", the first: " << store_.violations().front();
    const milliseconds slack(FromEnvironment("GRID_FAULT_SLACK_MS", kSlackMs));
    EXPECT_LE(InSeconds(Longest(store_.after_faults())), InSeconds(kLease + kMargin + slack));
    EXPECT_LE(InSeconds(Longest(store_.after_ends())), InSeconds(kLease + kMargin + slack));
    // The lease is counted from when it was asked for, and the directory had that later. Of one
    // that lost it by being slow, and was then killed, the store does not know which came first.
    if (store_.lost_without_fault() == 0) {
      EXPECT_GE(InSeconds(store_.least_margin()), InSeconds(kMargin));
    }
    EXPECT_GT(store_.after_faults().size(), kNames / kHosts);
    EXPECT_GT(store_.terms(), kNames);
  }
  // The end of each host's log.
  std::string Logs() {
    std::string text;
    for (int i = 0; i <= kHosts; ++i) {
      std::ifstream file(folder_.File(absl::StrCat("log", i)));
      std::stringstream content;
      content << file.rdbuf();
      const std::string log = content.str();
      absl::StrAppend(&text, "\n--- host ", i, "\n",
                      log.substr(log.size() > 2000 ? log.size() - 2000 : 0));
    }
    return text;
  }

  test::TempDir folder_;
  std::string directory_;
  std::vector<std::string> names_;
  int listener_ = -1;
  std::vector<int> fds_;
  FencedStore store_{kNames};
  std::vector<Host> hosts_;
  int instances_ = 0;
  std::multimap<TimePoint, std::function<void()>> later_;
  bool stopping_ = false;
  int kills_ = 0, stops_ = 0;
  std::vector<Duration> started_, resumed_;  // from then on to a name
};

TEST_F(FaultTest, Hosted_NeverTwoHolders_AllHeldAgainInTime) {
  RunFaults("hosted", seconds(FromEnvironment("GRID_FAULT_SECONDS", 20)));
}

TEST_F(FaultTest, Etcd_NeverTwoHolders_AllHeldAgainInTime) {
  EtcdProcess etcd;
  RunFaults(etcd.url(), seconds(FromEnvironment("GRID_FAULT_SECONDS", 20)) / 2);
}

// --- The judge itself ---

TimePoint At(int64_t ms) { return TimePoint(milliseconds(ms)); }

TEST(FencedStoreTest, RefusesOlderEpochs_WhichIsNoViolation) {
  FencedStore store(1);
  EXPECT_TRUE(store.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)}));
  store.Fault(1, At(20));
  EXPECT_EQ(store.held(), 0u);
  // Suspended after it had looked at its token; nobody else yet.
  EXPECT_TRUE(store.Accept({.epoch = 1, .holder = 1, .checked = At(15), .until = At(100)}));
  EXPECT_EQ(store.held(), 0u);
  EXPECT_TRUE(store.Accept({.epoch = 2, .holder = 2, .checked = At(150), .until = At(300)}));
  EXPECT_FALSE(store.Accept({.epoch = 1, .holder = 1, .checked = At(16), .until = At(100)}));
  EXPECT_EQ(store.held(), 1u);
  EXPECT_EQ(store.HeldBy(2), 1u);
  EXPECT_EQ(store.refused(), 1u);
  EXPECT_EQ(store.after_faults(), std::vector<Duration>{milliseconds(130)});
  EXPECT_EQ(store.least_margin(), milliseconds(50));
  EXPECT_TRUE(store.violations().empty());
  // One that goes on may end its session earlier.
  store.Fault(2, At(200));
  store.Resumed(2, At(290));
  store.Fault(2, At(295));
  store.Accept({.epoch = 3, .holder = 1, .checked = At(301), .until = At(400)});
  EXPECT_EQ(store.least_margin(), milliseconds(50));
  EXPECT_TRUE(store.violations().empty());
}

TEST(FencedStoreTest, SeesTwoHolders) {
  FencedStore valid_later(1);
  valid_later.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  valid_later.Accept({.epoch = 2, .holder = 2, .checked = At(150), .until = At(300)});
  EXPECT_FALSE(valid_later.Accept({.epoch = 1, .holder = 1, .checked = At(160), .until = At(200)}));
  EXPECT_EQ(valid_later.violations().size(), 1u);

  FencedStore too_early(1);
  too_early.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  too_early.Lost(0, 1, At(20));
  too_early.Accept({.epoch = 2, .holder = 2, .checked = At(90), .until = At(300)});
  EXPECT_EQ(too_early.violations().size(), 1u);

  FencedStore one_epoch(1);
  one_epoch.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  one_epoch.Accept({.epoch = 1, .holder = 2, .checked = At(20), .until = At(100)});
  EXPECT_EQ(one_epoch.violations().size(), 1u);

  FencedStore not_put_down(1);
  not_put_down.Accept({.epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  not_put_down.End(0, 1, At(30));
  not_put_down.Accept({.epoch = 2, .holder = 2, .checked = At(20), .until = At(100)});
  EXPECT_EQ(not_put_down.violations().size(), 1u);
}

TEST(FencedStoreTest, WhatIsPutDownOrReplaced_MayBeHadAtOnce) {
  FencedStore store(2);
  store.Accept({.name = 0, .epoch = 1, .holder = 1, .checked = At(10), .until = At(100)});
  store.Accept({.name = 1, .epoch = 2, .holder = 1, .checked = At(10), .until = At(100)});
  store.End(0, 1, At(20));
  store.Accept({.name = 0, .epoch = 3, .holder = 2, .checked = At(25), .until = At(100)});
  store.Fault(1, At(30));
  store.Replaced(1);
  // Whoever is faulted may just have got it.
  store.Fault(2, At(35));
  store.Accept({.name = 1, .epoch = 4, .holder = 3, .checked = At(40), .until = At(100)});
  EXPECT_EQ(store.after_ends(), std::vector<Duration>{milliseconds(5)});
  EXPECT_EQ(store.after_faults(), std::vector<Duration>{milliseconds(5)});
  EXPECT_EQ(store.held(), 1u);
  EXPECT_TRUE(store.violations().empty());
}

}  // namespace
}  // namespace grid::live
