// A key-value store on three nodes that stands the loss of one; the node itself is kv_node.h.
//
//   example_kv                                                  the demonstration, see Demonstrate
//   example_kv serve --local URL --peer URL... --client URL...  one node, until SIGTERM
#include <signal.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/manager.h"
#include "handlers/delivery.h"
#include "tools/examples/demonstration.h"
#include "tools/examples/kv_node.h"

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using demonstration::Process, demonstration::Require, demonstration::WaitUntil;
using kv::Entry, kv::Key, kv::kNodes, kv::kQuorum;
using kv::kFetch, kv::kGet, kv::kPut, kv::kWatch;

int Serve(kv::NodeOptions options) {
  asio::io_context io(1);
  auto guard = asio::make_work_guard(io);
  kv::Node node(io, std::move(options));
  const auto stop = [&] { node.Stop([&guard] { guard.reset(); }); };
  asio::signal_set signals(io, SIGTERM, SIGINT);
  const absl::Status started = node.Start();
  if (started.ok()) {
    signals.async_wait([&](const boost::system::error_code&, int) { stop(); });
  } else {
    std::cerr << started << "\n";
    stop();
  }
  io.run();
  return started.ok() ? 0 : 1;
}

// --- The demonstration ---

// OK: on a quorum. Otherwise its delivery class says whether anything may have been written.
absl::Status Put(const grid::Connection& node, const std::string& key, const std::string& value) {
  auto call = kPut.Call(node, {key, value}, {.timeout = 3s}, asio::use_future);
  const absl::StatusOr<kv::PutReply> reply = call.get();
  if (!reply.ok()) return reply.status();
  if (reply->copies >= kQuorum) return absl::OkStatus();
  if (reply->copies == 0) {
    return grid::WithDelivery(absl::UnavailableError("no quorum, nothing was written"),
                              grid::Delivery::kRejected);
  }
  return grid::WithDelivery(absl::UnavailableError("written, but not to a quorum"),
                            grid::Delivery::kMaybeExecuted);
}

absl::StatusOr<Entry> Ask(const grid::SingleHandler<Key, Entry>& handler,
                          const grid::Connection& node, const std::string& key) {
  auto call = handler.Call(node, {key}, {.timeout = 3s}, asio::use_future);
  return call.get();
}

// Four writers, each the only one of its keys, so that writing again is safe whatever became of the
// first attempt: they go on to the next node until one acknowledges.
class Writers {
 public:
  explicit Writers(const std::vector<grid::Connection>& nodes) {
    for (int i = 0; i < 4; ++i) {
      writers_.push_back(
          std::async(std::launch::async, [this, nodes, i] { return Run(nodes, i); }));
    }
  }
  ~Writers() { stop_ = true; }  // the futures wait

  // Until so many more writes were acknowledged.
  void Await(int more) {
    const int goal = acknowledged_ + more;
    Require(WaitUntil([&] { return acknowledged_ >= goal; }), "writes do not go on");
  }
  // The last acknowledged value of each key.
  std::map<std::string, std::string> Finish() {
    stop_ = true;
    std::map<std::string, std::string> all;
    for (auto& writer : writers_) all.merge(writer.get());
    return all;
  }
  std::string Summary() const {
    return std::to_string(acknowledged_) + " writes acknowledged, " + std::to_string(safe_) +
           " attempts that surely wrote nothing, " + std::to_string(unsure_) +
           " that may have, all repeated";
  }

 private:
  std::map<std::string, std::string> Run(const std::vector<grid::Connection>& nodes, int id) {
    std::map<std::string, std::string> last;
    for (size_t i = 0; !stop_; ++i) {
      const std::string key = "key/" + std::to_string(id) + "/" + std::to_string(i % 25);
      size_t attempt = i;
      const bool done = WaitUntil([&] {
        const absl::Status put = Put(nodes[attempt++ % nodes.size()], key, std::to_string(i));
        if (!put.ok()) ++(grid::IsSafeToRetry(put) ? safe_ : unsure_);
        return put.ok();
      });
      Require(done, "no node takes " + key);
      last[key] = std::to_string(i);
      ++acknowledged_;
    }
    return last;
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> acknowledged_ = 0, safe_ = 0, unsure_ = 0;
  std::vector<std::future<std::map<std::string, std::string>>> writers_;
};

// Follows the changes of one node.
class Subscriber {
 public:
  explicit Subscriber(const grid::Connection& node)
      : stream_(kWatch.Open(node, {.prefix = "key/"}, {.wait_for_ready = true})) {
    Require(stream_.ok(), "no stream of changes: " + stream_.status().ToString());
    reader_ = std::async(std::launch::async, [this] {
      return stream_->ResultsBlocking([this](const Entry& entry) {
        const std::lock_guard lock(mutex_);
        ++changes_;
        latest_[entry.key] = entry.value;
        return absl::OkStatus();
      });
    });
  }
  ~Subscriber() { stream_->Cancel(); }  // the future waits

  int changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  bool HasSeen(const std::map<std::string, std::string>& values) const {
    const std::lock_guard lock(mutex_);
    return latest_ == values;
  }

 private:
  absl::StatusOr<decltype(kWatch)::CallerStream> stream_;
  mutable std::mutex mutex_;
  int changes_ = 0;
  std::map<std::string, std::string> latest_;
  std::future<absl::Status> reader_;
};

// Starts three nodes and writes to them, while one is killed and comes back; then compares.
void Demonstrate() {
  const std::vector<std::string> names = demonstration::LoopbackNames(kNodes + 1, 7422);
  Process processes[kNodes];
  const auto start = [&](size_t node) {
    std::vector<std::string> arguments = {"example_kv", "serve",    "--local",
                                          names[node],  "--client", names[kNodes]};
    for (size_t peer = 0; peer < kNodes; ++peer) {
      if (peer != node) arguments.insert(arguments.end(), {"--peer", names[peer]});
    }
    processes[node].Start(std::move(arguments));
  };
  for (size_t node = 0; node < kNodes; ++node) start(node);

  grid::ManagerOptions options;
  options.local = names[kNodes];
  options.log = kv::Log();
  options.timeouts.redial_min = 50ms;
  options.timeouts.redial_max = 100ms;
  grid::Manager client(options);
  std::vector<grid::Connection> nodes;
  absl::Status status = client.Start();
  status.Update(client.Listen(options.local.substr(7)).status());
  for (size_t i = 0; i < kNodes; ++i) {
    status.Update(client.AddPeer(names[i]));
    nodes.push_back(client.Connection(names[i]));
  }
  Require(status.ok(), status.ToString());
  const auto serves = [&](size_t node) {
    return WaitUntil([&] { return Ask(kFetch, nodes[node], "any").ok(); });
  };
  for (size_t node = 0; node < kNodes; ++node) Require(serves(node), "a node does not start");
  std::cout << "three nodes are up: " << names[0] << " and on\n";

  Subscriber subscriber(nodes[0]);
  Writers writers(nodes);
  writers.Await(300);
  processes[2].Kill();
  writers.Await(300);
  std::cout << "the third was killed, writes go on\n";
  start(2);
  Require(serves(2), "the killed node does not come back");
  writers.Await(300);
  const std::map<std::string, std::string> written = writers.Finish();
  std::cout << "it is back, and has caught up; " << writers.Summary() << "\n";

  for (const auto& [key, value] : written) {
    for (const grid::Connection& node : nodes) {
      const absl::StatusOr<Entry> entry = Ask(kGet, node, key);
      Require(entry.ok(), "can't read " + key + ": " + entry.status().ToString());
      Require(entry->value == value, key + " is " + entry->value + " and was " + value);
    }
    const auto is_there = [&, key = key, value = value] {
      const absl::StatusOr<Entry> entry = Ask(kFetch, nodes[2], key);
      return entry.ok() && entry->value == value;
    };
    Require(WaitUntil(is_there), key + " did not come back to the node that was killed");
  }
  std::cout << "all " << written.size() << " keys read back through every node\n";
  Require(WaitUntil([&] { return subscriber.HasSeen(written); }), "the subscriber missed a change");
  std::cout << "the subscriber has seen all of them, in " << subscriber.changes() << " changes\n";

  processes[1].Kill();
  processes[2].Kill();
  const absl::Status alone = Put(nodes[0], "key/alone", "");
  Require(!alone.ok(), "one node of three acknowledged a write");
  std::cout << "one node alone: " << alone.message() << " ("
            << grid::DeliveryName(grid::DeliveryOf(alone)) << ")\n";
  Require(processes[0].Terminate(), "the last node did not stop");
}

bool Parse(const std::vector<std::string>& words, kv::NodeOptions* out) {
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "--local") out->local = words[i + 1];
    if (words[i] == "--peer") out->peers.push_back(words[i + 1]);
    if (words[i] == "--client") out->clients.push_back(words[i + 1]);
  }
  return out->peers.size() == kNodes - 1 && out->local.starts_with("http://");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return demonstration::Run("example_kv", Demonstrate);
  kv::NodeOptions options;
  if (argv[1] == std::string_view("serve") && Parse({argv + 2, argv + argc}, &options)) {
    return Serve(std::move(options));
  }
  std::cerr << "usage: example_kv [serve --local URL --peer URL --peer URL [--client URL]...]\n";
  return 2;
}
