// Five processes contend for 200 exclusive names while random ones of them are killed and suspended
// (fault_host.cc). What they write to a store outside of the cluster shows whether two of them ever
// believed to hold the same name, and how long nobody did.
//
//   GRID_FAULT_SECONDS=120 GRID_FAULT_SEED=7 live_tests --gtest_filter='FaultTest.*'
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "grid/testing/random.h"
#include "tests/live/etcd_process.h"
#include "tests/live/fault_world.h"
#include "tests/sanitized.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kHosts = 5;
constexpr uint32_t kNames = 200;
constexpr milliseconds kLease{kSanitized ? 6000 : 3000};
constexpr milliseconds kMargin = kLease / 3;
constexpr milliseconds kPause{kSanitized ? 400 : 50};
// GRID_FAULT_SLACK_MS: beyond lease + margin, what a busy machine may take.
constexpr uint64_t kSlackMs = kSanitized ? 15'000 : 4000;

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
    // For less than the tokens last, for more, for more than the lease.
    const Fault fault{.at = at,
                      .host = host,
                      .kill = random.OneIn(2),
                      .down = random.Between(Duration(milliseconds(50)), Duration(2 * kLease))};
    down_until[host] = at + fault.down + milliseconds(100);
    faults.push_back(fault);
    at += random.Between(Duration(milliseconds(300)), Duration(milliseconds(2500)));
  }
  return faults;
}

std::string Figures(std::vector<Duration> times) {
  if (times.empty()) return "none";
  std::sort(times.begin(), times.end());
  return absl::StrFormat("%d, median %.2f s, 99%% %.2f s, max %.2f s", times.size(),
                         InSeconds(times[times.size() / 2]),
                         InSeconds(times[times.size() * 99 / 100]), InSeconds(times.back()));
}

Duration Longest(const std::vector<Duration>& times) {
  return times.empty() ? Duration::zero() : *std::max_element(times.begin(), times.end());
}

class FaultTest : public ::testing::Test {
 protected:
  // `directory`: FaultWorldOptions'.
  void Run(const std::string& directory, Duration length) {
    const uint64_t seed = FromEnvironment("GRID_FAULT_SEED", std::random_device()());
    std::printf("%s, %.0f s, GRID_FAULT_SEED=%llu\n", directory.c_str(), InSeconds(length),
                static_cast<unsigned long long>(seed));
    FaultWorld world({.hosts = kHosts,
                      .names = kNames,
                      .lease = kLease,
                      .pause = kPause,
                      .directory = directory});
    // Not all at one moment: some are always on their way to another host.
    const auto wait_for_all = [&world] {
      const TimePoint since = Now();
      return world.LoopUntil(FaultWorld::kLimit, [&] { return world.AllHeldSince(since); });
    };
    ASSERT_TRUE(wait_for_all()) << world.Logs();
    RunFaults(world, Schedule(seed, length));
    ASSERT_FALSE(HasFailure()) << world.Logs();
    // Whoever is there has gone on.
    EXPECT_TRUE(wait_for_all()) << world.Logs();
    world.StopAll();
    Judge(world);
  }

 private:
  void RunFaults(FaultWorld& world, const std::vector<Fault>& faults) {
    std::multimap<TimePoint, std::function<void()>> steps;
    const TimePoint start = Now();
    int killed = 0, suspended = 0;
    for (const Fault& fault : faults) {
      steps.emplace(start + fault.at, [&, fault] {
        if (world.down(fault.host)) return;  // we are late ourselves
        std::printf("  %6.2f s  %s %d for %.2f s\n", InSeconds(fault.at),
                    fault.kill ? "kill" : "stop", fault.host, InSeconds(fault.down));
        ++(fault.kill ? killed : suspended);
        fault.kill ? world.Kill(fault.host) : world.Suspend(fault.host);
        steps.emplace(Now() + fault.down, [&world, fault] {
          fault.kill ? world.StartAgain(fault.host) : world.Resume(fault.host);
        });
      });
    }
    while (!steps.empty() && !HasFailure()) {
      const auto step = steps.extract(steps.begin());
      world.LoopUntil(step.key() - Now(), [] { return false; });
      step.mapped()();
    }
    std::printf("  %d killed, %d suspended\n", killed, suspended);
  }

  static void Judge(const FaultWorld& world) {
    const FencedStore& store = world.store();
    const auto line = [](const char* what, const std::vector<Duration>& times) {
      std::printf("  %s: %s\n", what, Figures(times).c_str());
    };
    std::printf("  %llu terms of %u names, %llu writes accepted, %llu refused\n",
                static_cast<unsigned long long>(store.terms()), kNames,
                static_cast<unsigned long long>(store.accepted()),
                static_cast<unsigned long long>(store.refused()));
    line("not held after a fault", store.after_faults());
    line("not held after it was put down", store.after_ends());
    line("from a start to a name", world.after_starts());
    line("from going on to a name", world.after_resumes());
    std::printf("  least margin from a token's end to the next holder: %.2f s\n",
                InSeconds(store.least_margin()));
    std::printf("  %llu times a lease was lost without a fault\n",
                static_cast<unsigned long long>(store.lost_without_fault()));

    EXPECT_TRUE(store.violations().empty())
        << store.violations().size() << ", the first: " << store.violations().front();
    const milliseconds slack(FromEnvironment("GRID_FAULT_SLACK_MS", kSlackMs));
    EXPECT_LE(InSeconds(Longest(store.after_faults())), InSeconds(kLease + kMargin + slack));
    EXPECT_LE(InSeconds(Longest(store.after_ends())), InSeconds(kLease + kMargin + slack));
    // The lease is counted from when it was asked for, and the directory had that later. Of one
    // that lost it by being slow, and was then killed, the store does not know which came first.
    if (store.lost_without_fault() == 0) {
      EXPECT_GE(InSeconds(store.least_margin()), InSeconds(kMargin));
    }
    EXPECT_FALSE(store.after_faults().empty());
    EXPECT_GT(store.terms(), kNames);
  }
};

TEST_F(FaultTest, Hosted_NeverTwoHolders_AllHeldAgainInTime) {
  Run("hosted", seconds(FromEnvironment("GRID_FAULT_SECONDS", 20)));
}

TEST_F(FaultTest, Etcd_NeverTwoHolders_AllHeldAgainInTime) {
  const EtcdProcess etcd;
  Run(etcd.url(), seconds(FromEnvironment("GRID_FAULT_SECONDS", 20)) / 2);
}

}  // namespace
}  // namespace grid::live
