// Two versions of a service side by side, and from one to the other without anybody noticing.
//
// The service is a category, table/pong: whoever plays there shares the name of its version,
// table/pong/1.0 or table/pong/1.1. One caller sends each ping to one player of whichever version,
// another one to one player of each version there is (one per next segment). Three members play as
// 1.0; one at a time they drain, stop, and come back as 1.1, which answers with one more field.
//
// A member that drains finishes what it has, and rejects what comes: that surely was not executed,
// so a call's default policy has it tried elsewhere. No call fails, and none is executed twice.
#include <algorithm>
#include <atomic>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/actor.h"
#include "handlers/delivery.h"
#include "tools/examples/actors/cluster_node.h"
#include "tools/examples/actors/cluster_steps.h"
#include "tools/examples/demonstration.h"

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using demonstration::Require, demonstration::WaitUntil;
using examples::ClusterNode, examples::StartNode, examples::StopNode;

constexpr char kTable[] = "table/pong";

// --- What is said: one definition for both ends ---

struct Ping {
  uint64_t number = 0;
  MSGPACK_DEFINE_MAP(number);
};
struct Pong {
  std::string version;
  uint64_t served = 0;  // pings by this player so far; since 1.1, 0 from those before
  MSGPACK_DEFINE_MAP(version, served);
};
constexpr grid::MessageType<Ping, Pong> kPing{"table.ping"};

// What it was in version 1.0. Of a map, entries that a reader does not know are skipped, and
// missing ones keep their default: either end may be the newer one.
struct Pong10 {
  std::string version;
  MSGPACK_DEFINE_MAP(version);
};
constexpr grid::MessageType<Ping, Pong10> kPing10{"table.ping"};

// --- The players ---

// `pings`: how many all players have had together.
class Player10 final : public grid::Actor {
 public:
  explicit Player10(std::atomic<uint64_t>& pings) {
    On(kPing10, [&](const Ping&, grid::ActorContext&) -> absl::StatusOr<Pong10> {
      ++pings;
      return Pong10{.version = "1.0"};
    });
  }
};

class Player11 final : public grid::Actor {
 public:
  explicit Player11(std::atomic<uint64_t>& pings) {
    On(kPing, [this, &pings](const Ping&, grid::ActorContext&) -> absl::StatusOr<Pong> {
      ++pings;
      return Pong{.version = "1.1", .served = ++served_};
    });
  }

 private:
  uint64_t served_ = 0;
};

// A member that plays, under the name of its version.
std::unique_ptr<ClusterNode> StartPlayer(const std::string& local,
                                         const std::vector<std::string>& hosts,
                                         const std::string& version, std::atomic<uint64_t>& pings) {
  auto node = StartNode({.local = local, .hosts = hosts});
  const auto make = [version, &pings]() -> std::unique_ptr<grid::Actor> {
    if (version == "1.0") return std::make_unique<Player10>(pings);
    return std::make_unique<Player11>(pings);
  };
  const grid::Name name = *grid::Name::Parse(std::string(kTable) + "/" + version);
  const grid::ActorOptions shared{.holding = grid::Holding::kShared};
  const auto player = node->actors().Start(name, make, shared, asio::use_future).get();
  Require(player.ok(), "nobody plays at " + local + ": " + player.status().ToString());
  return node;
}

// --- The callers ---

// What a caller has seen. Any thread.
class Score {
 public:
  void Count(const grid::Target& from, const Pong& pong) {
    const std::lock_guard lock(mutex_);
    ++pongs_;
    ++by_version_[pong.version];
    heard_.insert(pong.version + " at " + from.member);
  }
  // After one ping, to one or several.
  void EndRound(const std::set<std::string>& versions) {
    const std::lock_guard lock(mutex_);
    ++rounds_;
    last_ = versions;
  }
  void Fail(const absl::Status& why) {
    const std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = why;
  }

  absl::Status failure() const { return Read(failure_); }
  uint64_t pongs() const { return Read(pongs_); }
  uint64_t rounds() const { return Read(rounds_); }
  std::set<std::string> last() const { return Read(last_); }
  std::map<std::string, uint64_t> by_version() const { return Read(by_version_); }
  bool Heard(const std::string& version, const std::string& member) const {
    return Read(heard_).contains(version + " at " + member);
  }

 private:
  template <typename T>
  T Read(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  uint64_t pongs_ = 0, rounds_ = 0;
  std::map<std::string, uint64_t> by_version_;
  std::set<std::string> heard_;  // "version at member"
  std::set<std::string> last_;   // versions of the last round
  absl::Status failure_;         // the first
};

// Sends one ping after the other, until it is destroyed.
class Caller {
 public:
  using Round = std::function<void(uint64_t number, Score& score)>;

  explicit Caller(Round round)
      : thread_(std::async(std::launch::async, [this, round = std::move(round)] {
          for (uint64_t number = 1; !stop_ && score_.failure().ok(); ++number) {
            round(number, score_);
          }
        })) {}
  ~Caller() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.valid()) thread_.get();
  }
  const Score& score() const { return score_; }

 private:
  Score score_;
  std::atomic<bool> stop_ = false;
  std::future<void> thread_;
};

// Each ping to one player, of any version.
Caller::Round ToOne(ClusterNode& node) {
  const grid::Recipients players = node.actors().To(
      grid::Selector::Under(*grid::Path::Parse(kTable)), grid::Routing::RoundRobin());
  return [players](uint64_t number, Score& score) {
    const auto pong = players.Call(kPing, {.number = number}, asio::use_future).get();
    if (!pong.ok()) return score.Fail(pong.status());
    score.Count(pong->from, pong->value);
    score.EndRound({pong->value.version});
  };
}

// Whether nobody plays under `name` any more, but for those who are about to go.
bool IsGone(ClusterNode& node, const grid::Name& name) {
  const auto found =
      node.directory().Resolve(grid::Selector::Of({name}), 0ms, asio::use_future).get();
  if (!found.ok()) return false;
  return std::all_of(found->entries.begin(), found->entries.end(), [](const grid::Entry& entry) {
    return entry.attributes.contains(grid::kDraining);
  });
}

// Each ping to one player of each version.
Caller::Round ToEachVersion(ClusterNode& node) {
  const grid::Recipients players = node.actors().To(
      grid::Selector::Under(*grid::Path::Parse(kTable)), grid::Routing::OnePerNextSegment());
  return [&node, players](uint64_t number, Score& score) {
    const auto pongs = players.GatherAll(kPing, {.number = number}, asio::use_future).get();
    std::set<std::string> versions;
    for (const auto& [target, pong] : pongs) {
      // The last one of its version has gone while we asked.
      if (grid::IsSafeToRetry(pong.status()) && IsGone(node, target.name)) continue;
      if (!pong.ok()) return score.Fail(pong.status());
      score.Count(target, *pong);
      versions.insert(pong->version);
    }
    if (versions.empty()) return score.Fail(absl::NotFoundError("nobody plays"));
    score.EndRound(versions);
  };
}

// --- The demonstration ---

void Demonstrate() {
  // The first serves the directory; the callers are a client, which is no member.
  std::vector<std::string> hosts = demonstration::LoopbackNames(5, 7425);
  const std::string outside = hosts.back();
  hosts.pop_back();
  std::atomic<uint64_t> pings = 0;

  const auto directory = StartNode({.local = hosts[0], .hosts = hosts});
  std::vector<std::unique_ptr<ClusterNode>> players(hosts.size());
  for (size_t i = 1; i < hosts.size(); ++i) {
    players[i] = StartPlayer(hosts[i], hosts, "1.0", pings);
  }
  const auto client = StartNode({.local = outside, .hosts = hosts, .client = true});
  Caller one(ToOne(*client)), each(ToEachVersion(*client));
  const auto await = [&](const std::string& what, const std::function<bool()>& holds) {
    const bool held = WaitUntil(
        [&] { return holds() || !one.score().failure().ok() || !each.score().failure().ok(); });
    absl::Status noticed = one.score().failure();
    noticed.Update(each.score().failure());
    Require(noticed.ok(), "a caller has noticed: " + noticed.ToString());
    Require(held, what);
  };
  const auto versions = [&](const std::set<std::string>& expected) {
    // A round from before does not count.
    const uint64_t rounds = each.score().rounds();
    await("the versions at the table are not those expected", [&, rounds] {
      return each.score().rounds() > rounds && each.score().last() == expected;
    });
  };
  for (size_t i = 1; i < hosts.size(); ++i) {
    await("nobody plays at " + hosts[i], [&] { return one.score().Heard("1.0", hosts[i]); });
  }
  versions({"1.0"});
  std::cout << "three members play version 1.0\n";

  for (size_t i = 1; i < hosts.size(); ++i) {
    StopNode(*players[i]);
    players[i].reset();
    players[i] = StartPlayer(hosts[i], hosts, "1.1", pings);
    await("nobody plays 1.1 at " + hosts[i], [&] { return one.score().Heard("1.1", hosts[i]); });
    if (i + 1 < hosts.size()) versions({"1.0", "1.1"});
    std::cout << hosts[i] << " is back with version 1.1\n";
  }
  versions({"1.1"});

  one.Stop();
  each.Stop();
  await("", [] { return true; });
  StopNode(*client);
  for (size_t i = 1; i < hosts.size(); ++i) StopNode(*players[i]);
  StopNode(*directory);

  for (const Caller* caller : {&one, &each}) {
    std::cout << (caller == &one ? "to one of any version: " : "to one of each version: ")
              << caller->score().rounds() << " pings";
    for (const auto& [version, count] : caller->score().by_version()) {
      std::cout << ", " << count << " answers of " << version;
    }
    std::cout << "\n";
  }
  const uint64_t pongs = one.score().pongs() + each.score().pongs();
  Require(pings == pongs,
          std::to_string(pings) + " pings were executed for " + std::to_string(pongs) + " answers");
  std::cout << "no call has failed, and none was executed twice\n";
}

}  // namespace

int main() { return demonstration::Run("example_ping_pong", Demonstrate); }
