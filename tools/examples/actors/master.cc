// A master and its workers, which come and go, and no job is lost.
//
// Workers register themselves, all under one shared name. The master scatters jobs over them: sums
// of ranges, and words of which some are palindromes; each goes to the worker that has the fewest,
// and a future gets its result and who it is from. Two workers become four; one of them is killed
// and comes back, then the master itself; two leave again. Every result is checked.
//
// Jobs are idempotent: nothing comes of one but its result. So the master has whatever may have
// been executed tried again, and some are executed twice: it says which.
#include <algorithm>
#include <atomic>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/actor.h"
#include "tools/examples/actors/cluster_node.h"
#include "tools/examples/actors/cluster_steps.h"
#include "tools/examples/actors/journal.h"
#include "tools/examples/demonstration.h"

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using demonstration::Require;
using examples::ClusterNode, examples::StartNode, examples::StopNode;
using examples::Executions, examples::Journal;

constexpr char kWorkers[] = "farm/worker/any";

// --- What is said: one definition for both ends ---

struct Range {
  uint64_t job = 0;
  int64_t from = 0, to = 0;
  MSGPACK_DEFINE_MAP(job, from, to);
};
struct Words {
  uint64_t job = 0;
  std::vector<std::string> words;
  MSGPACK_DEFINE_MAP(job, words);
};
constexpr grid::MessageType<Range, int64_t> kSum{"farm.sum"};  // of from, from + 1, ... to - 1
constexpr grid::MessageType<Words, int64_t> kPalindromes{"farm.palindromes"};  // how many there are

// --- Jobs: each follows from its number ---

bool IsSum(uint64_t job) { return job % 2 == 0; }

Range RangeOf(uint64_t job) {
  const auto from = static_cast<int64_t>(job);
  return {.job = job, .from = from, .to = from + 1000};
}

Words WordsOf(uint64_t job) {
  Words words{.job = job, .words = {}};
  for (uint64_t i = 0; i < 10; ++i) {
    const std::string half = "word" + std::to_string(job) + "-" + std::to_string(i);
    const std::string mirrored(half.rbegin(), half.rend());
    words.words.push_back(half + (i < job % 10 ? mirrored : half));
  }
  return words;
}

int64_t ExpectedOf(uint64_t job) {
  if (!IsSum(job)) return static_cast<int64_t>(job % 10);
  const Range range = RangeOf(job);
  return (range.from + range.to - 1) * (range.to - range.from) / 2;
}

// --- The workers ---

class Worker final : public grid::Actor {
 public:
  explicit Worker(Executions& executions) {
    On(kSum, [&](const Range& range, grid::ActorContext&) -> absl::StatusOr<int64_t> {
      executions.Note(range.job);
      int64_t sum = 0;
      for (int64_t i = range.from; i < range.to; ++i) sum += i;
      return sum;
    });
    On(kPalindromes, [&](const Words& words, grid::ActorContext&) -> absl::StatusOr<int64_t> {
      executions.Note(words.job);
      return std::count_if(words.words.begin(), words.words.end(), [](const std::string& word) {
        return std::equal(word.begin(), word.end(), word.rbegin());
      });
    });
  }
};

// A node with a worker, which is registered as long as the node is there.
std::unique_ptr<ClusterNode> StartWorker(const std::string& local,
                                         const std::vector<std::string>& hosts,
                                         Executions& executions) {
  auto node = StartNode({.local = local, .hosts = hosts});
  const grid::ActorOptions shared{.holding = grid::Holding::kShared};
  const auto make = [&executions] { return std::make_unique<Worker>(executions); };
  const auto worker =
      node->actors().Start(*grid::Name::Parse(kWorkers), make, shared, asio::use_future).get();
  Require(worker.ok(), "no worker at " + local + ": " + worker.status().ToString());
  return node;
}

// --- The master ---

// Has whatever may have been executed tried again, which is right for these jobs only. By default a
// call is repeated only if it surely was not executed.
grid::CallPolicy Idempotent() {
  grid::CallPolicy policy;
  policy.retry_maybe_executed = true;
  policy.attempts = 10;
  return policy;
}

using Result = absl::StatusOr<grid::Answer<int64_t>>;

// Sends one job out: the future has its result, and who it is from.
std::future<Result> Go(const grid::Recipients& workers, uint64_t job) {
  if (IsSum(job)) return workers.Call(kSum, RangeOf(job), asio::use_future);
  return workers.Call(kPalindromes, WordsOf(job), asio::use_future);
}

// One master: has jobs done until there are enough, or until its node has ended.
class Master {
 public:
  Master(std::unique_ptr<ClusterNode> node, Journal& journal)
      : node_(std::move(node)),
        journal_(journal),
        workers_(node_->actors().To(grid::Selector::Of({*grid::Name::Parse(kWorkers)}),
                                    grid::Routing::LeastOutstanding(), Idempotent())) {
    journal_.GiveAllBack();
    work_ = std::async(std::launch::async, [this] { Work(); });
  }
  ~Master() { Kill(); }

  // Sends no more out, waits for the rest, and leaves the cluster.
  void Finish() {
    enough_ = true;
    work_.get();
    StopNode(*node_);
  }
  // As if its process died: what it has under way is lost to it.
  void Kill() {
    node_.reset();
    enough_ = true;
    if (work_.valid()) work_.get();
  }

 private:
  void Work() {
    struct Job {
      uint64_t number;
      std::future<Result> result;
    };
    std::deque<Job> out;
    for (;;) {
      while (out.size() < 32) {
        const std::optional<uint64_t> job = journal_.Take(!enough_);
        if (!job.has_value()) break;
        out.push_back({.number = *job, .result = Go(workers_, *job)});
      }
      if (out.empty()) return;
      const uint64_t job = out.front().number;
      const Result result = out.front().result.get();
      out.pop_front();
      if (result.ok()) {
        journal_.Done(job, result->value, result->from.member);
      } else if (absl::IsCancelled(result.status()) ||
                 absl::IsFailedPrecondition(result.status())) {
        return;  // our node has ended
      } else {
        journal_.GiveBack(job);  // all attempts came to nothing
      }
    }
  }

  std::unique_ptr<ClusterNode> node_;
  Journal& journal_;
  const grid::Recipients workers_;  // may outlive the node
  std::atomic<bool> enough_ = false;
  std::future<void> work_;
};

// --- The demonstration ---

void Demonstrate() {
  // The first serves the directory, the second is the master, the others are workers.
  const std::vector<std::string> hosts = demonstration::LoopbackNames(6, 7424);
  const std::vector<std::string> names(hosts.begin() + 2, hosts.end());
  Executions executions;
  Journal journal;

  const auto directory = StartNode({.local = hosts[0], .hosts = hosts});
  std::vector<std::unique_ptr<ClusterNode>> workers(names.size());
  std::unique_ptr<Master> master;
  const auto lead = [&] {
    master = std::make_unique<Master>(StartNode({.local = hosts[1], .hosts = hosts}), journal);
  };
  const auto start = [&](size_t worker) {
    workers[worker] = StartWorker(names[worker], hosts, executions);
  };
  start(0);
  start(1);
  lead();
  journal.AwaitFrom({names[0], names[1]});
  journal.Await(500);
  std::cout << "two workers, " << journal.results().size() << " jobs done\n";

  start(2);
  start(3);
  journal.AwaitFrom(names);
  journal.Await(500);
  std::cout << "four workers, " << journal.results().size() << "\n";

  workers[1].reset();
  journal.Await(500);
  start(1);
  journal.AwaitFrom(names);
  std::cout << "one was killed and is back, " << journal.results().size() << "\n";

  master.reset();
  lead();
  journal.AwaitFrom(names);
  journal.Await(500);
  std::cout << "so was the master, " << journal.results().size() << "\n";

  // Who leaves in order first does what waits, and what comes late is rejected, not lost.
  const size_t repeated = executions.repeated().size();
  for (const size_t worker : {2, 3}) {
    StopNode(*workers[worker]);
    workers[worker].reset();
  }
  journal.Await(500);
  Require(executions.repeated().size() == repeated,
          "a worker that left in order cost a repetition");
  std::cout << "two workers again, " << journal.results().size() << "\n";

  master->Finish();
  for (const size_t worker : {0, 1}) StopNode(*workers[worker]);
  StopNode(*directory);

  const std::map<uint64_t, int64_t> results = journal.results();
  Require(results.size() == journal.jobs(), "a job was lost");
  for (const auto& [job, result] : results) {
    Require(result == ExpectedOf(job), "the result of job " + std::to_string(job) + " is wrong");
  }
  std::cout << "all " << results.size() << " jobs have their results, by";
  for (const auto& [worker, count] : journal.answers()) std::cout << " " << count;
  std::cout << " jobs a worker\nexecuted more than once:";
  for (const uint64_t job : executions.repeated()) std::cout << " " << job;
  std::cout << (executions.repeated().empty() ? " none\n" : "\n");
}

}  // namespace

int main() { return demonstration::Run("example_master", Demonstrate); }
