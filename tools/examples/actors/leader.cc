// A leader that stands the death of its node.
//
// Three members are processes of their own. All of them patrol the kind demo/leader, of which there
// is to be one; the leader starts a worker on every member, and pings them again and again. Then
// its process is killed, without warning: another member's patrol starts the next leader, which
// goes on with those that are left; the one that was killed comes back, and gets its worker again.
//
//   example_leader                                     the demonstration, see Demonstrate
//   example_leader member --local URL --host URL...    one member, until SIGTERM
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/actor/actor.h"
#include "tools/examples/actors/cluster_node.h"
#include "tools/examples/actors/cluster_steps.h"
#include "tools/examples/demonstration.h"

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using demonstration::Process, demonstration::Require, demonstration::WaitUntil;
using examples::ClusterNode, examples::StartNode, examples::StopNode;

constexpr char kWorkers[] = "demo/worker";
constexpr char kLeaders[] = "demo/leader";
constexpr char kLeader[] = "demo/leader/0";

// --- What is said: one definition for both ends ---

// What the leader came to in its last round.
struct Report {
  std::string leader;                 // where it is
  uint64_t term = 0;                  // its epoch: the next leader's is greater
  std::vector<std::string> answered;  // members whose workers have answered its ping
  MSGPACK_DEFINE_MAP(leader, term, answered);
};

constexpr grid::MessageType<grid::NoPayload> kPing{"demo.ping"};
constexpr grid::MessageType<grid::NoPayload> kRound{"demo.round"};
constexpr grid::MessageType<grid::NoPayload, Report> kReport{"demo.report"};

// Tries for a second, and once: what does not work is seen to in the next round.
grid::CallPolicy Once() {
  grid::CallPolicy policy;
  policy.deadline = 1s;
  policy.attempts = 1;
  return policy;
}

// --- The actors ---

class Worker final : public grid::Actor {
 public:
  Worker() {
    On(kPing, [](const grid::NoPayload&, grid::ActorContext&) { return absl::OkStatus(); });
  }
};

class Leader final : public grid::Actor {
 public:
  explicit Leader(ClusterNode& node)
      : node_(node),
        us_(node.actors().To(grid::Selector::Of({*grid::Name::Parse(kLeader)}))),
        workers_(node.actors().To(grid::Selector::Under(*grid::Path::Parse(kWorkers)),
                                  grid::Routing::All(), Once())) {
    On(kRound,
       [this](const grid::NoPayload&, grid::ActorContext& context) { return Round(context); });
    On(kReport, [this](const grid::NoPayload&, grid::ActorContext&) -> absl::StatusOr<Report> {
      return report_;
    });
  }

  // A round is a letter to ourselves, so that it is one thing that happens here among others, and
  // whoever stops us need not know of it. The next one is sent when the last is over, also where
  // that has failed.
  asio::awaitable<absl::Status> OnStart(grid::ActorContext& context) override {
    report_.leader = node_.name();
    report_.term = context.epoch();
    const auto under_way = std::make_shared<std::atomic<bool>>(false);
    const auto send = [us = us_, under_way](grid::ActorContext&) {
      if (under_way->exchange(true)) return;
      us.Send(kRound, {}, [under_way](const absl::Status&) { *under_way = false; });
    };
    co_return context.Every(100ms, send).status();
  }

 private:
  asio::awaitable<absl::Status> Round(grid::ActorContext& context) {
    // Somebody else may lead soon: what is started now would be started by two.
    if (!context.lease().valid()) co_return absl::AbortedError("no leader any more");
    const std::shared_ptr<const grid::MembershipView> view = node_.members().View();
    for (const grid::Member& member : view->members) {
      if (member.state != grid::MemberState::kUp || member.Kinds().empty()) continue;
      const std::string segment = *grid::SegmentOf(member.name);
      grid::StartRequest worker{
          .name = *grid::Name::Parse(std::string(kWorkers) + "/" + segment),
          .placement = grid::Placement::On(member.name),
          .policy = Once(),
      };
      // That it runs already is as good; and if it failed, it will not answer.
      (void)co_await node_.starter().Start(std::move(worker));
    }
    const grid::GatherResults<grid::NoPayload> pongs = co_await workers_.GatherAll(kPing, {});
    report_.answered.clear();
    for (const auto& [target, pong] : pongs) {
      if (pong.ok()) report_.answered.push_back(target.member);
    }
    co_return absl::OkStatus();
  }

  ClusterNode& node_;
  const grid::Recipients us_, workers_;
  Report report_;
};

// --- A member ---

int Serve(const std::string& local, const std::vector<std::string>& hosts) {
  asio::io_context io(1);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([](const boost::system::error_code&, int) {});

  std::unique_ptr<ClusterNode> node;
  grid::KindTable kinds;
  absl::Status status =
      kinds.Add({.path = *grid::Path::Parse(kWorkers), .factory = [](const grid::StartArguments&) {
                   return std::make_unique<Worker>();
                 }});
  status.Update(kinds.Add(
      {.path = *grid::Path::Parse(kLeaders),
       .factory = [&node](const grid::StartArguments&) { return std::make_unique<Leader>(*node); },
       .activation = grid::Activation::Count(1)}));
  node = std::make_unique<ClusterNode>(
      examples::ClusterNodeOptions{.local = local, .hosts = hosts, .kinds = std::move(kinds)});
  if (status.ok()) status = node->Start();
  if (status.ok()) status = node->KeepRunning(*grid::Path::Parse(kLeaders));
  if (status.ok()) {
    io.run();
    status = node->Stop();
  }
  if (!status.ok()) std::cerr << local << ": " << status << "\n";
  return status.ok() ? 0 : 1;
}

// --- The demonstration ---

// We are a member as well: the one that serves the directory. It hosts no kind.
void Demonstrate() {
  const std::vector<std::string> hosts = demonstration::LoopbackNames(4, 7423);
  const auto node = StartNode({.local = hosts[0], .hosts = hosts});

  Process processes[4];
  const auto start = [&](size_t member) {
    std::vector<std::string> arguments = {"example_leader", "member", "--local", hosts[member]};
    for (const std::string& host : hosts) arguments.insert(arguments.end(), {"--host", host});
    processes[member].Start(std::move(arguments));
  };
  for (size_t member = 1; member < hosts.size(); ++member) start(member);

  const grid::Recipients leader =
      node->actors().To(grid::Selector::Of({*grid::Name::Parse(kLeader)}), {}, Once());
  // Waits until a leader has reached the workers of just these members; says who it is.
  Report report;
  const auto leads = [&](const std::vector<std::string>& members) {
    return WaitUntil([&] {
      const auto asked = leader.Call(kReport, {}, asio::use_future).get();
      if (!asked.ok() || asked->value.term < report.term) return false;
      report = asked->value;
      std::sort(report.answered.begin(), report.answered.end());
      return report.answered == members;
    });
  };

  std::vector<std::string> members(hosts.begin() + 1, hosts.end());
  std::sort(members.begin(), members.end());
  Require(leads(members), "there is no leader that reaches all members");
  const Report first = report;
  std::cout << "the leader is at " << first.leader << ", and has reached " << first.answered.size()
            << " workers\n";

  const auto killed = std::find(hosts.begin(), hosts.end(), first.leader);
  processes[killed - hosts.begin()].Kill();
  std::cout << "its process was killed\n";
  std::vector<std::string> left = members;
  std::erase(left, *killed);
  Require(leads(left), "there is no leader that reaches the members that are left");
  Require(report.term > first.term, "the next leader has no greater epoch");
  Require(report.leader != first.leader, "the leader answers from its grave");
  std::cout << "the next one is at " << report.leader << ", and has reached "
            << report.answered.size() << "\n";

  start(static_cast<size_t>(killed - hosts.begin()));
  const uint64_t term = report.term;
  Require(leads(members), "the member that came back gets no worker");
  std::cout << "the one that was killed is back, and has a worker again\n";
  if (report.term != term) std::cout << "(which was started by a third leader)\n";

  for (size_t member = 1; member < hosts.size(); ++member) {
    Require(processes[member].Terminate(), hosts[member] + " did not stop well");
  }
  StopNode(*node);
  std::cout << "all have left\n";
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return demonstration::Run("example_leader", Demonstrate);
  std::string local;
  std::vector<std::string> hosts;
  for (size_t i = 1; i + 1 < words.size(); i += 2) {
    if (words[i] == "--local") local = words[i + 1];
    if (words[i] == "--host") hosts.push_back(words[i + 1]);
  }
  if (words[0] == "member" && !local.empty()) return Serve(local, hosts);
  std::cerr << "usage: example_leader [member --local URL --host URL...]\n";
  return 2;
}
