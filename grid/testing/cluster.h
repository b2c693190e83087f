// Cluster: several managers on one io_context, a virtual clock and a memory network: a mesh in one
// thread, from a seed.
//
// The test owns it. Everything happens inside RunFor, RunUntil and Drain; the handlers of the
// worker pool run there too, so they must not block.
//
//   testing::Cluster cluster({.nodes = 2, .seed = 7, .setup = [](int, Manager& manager) { ... }});
//   ASSERT_TRUE(cluster.StartAll());
//   absl::StatusOr<Buffer> reply = cluster.Call(0, 1, HandlerId{78}, AsBytes("hello"));
#ifndef GRID_GRID_TESTING_CLUSTER_H_
#define GRID_GRID_TESTING_CLUSTER_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "grid/manager.h"
#include "grid/testing/capture_log.h"
#include "grid/testing/memory_network.h"
#include "grid/testing/virtual_clock.h"

namespace grid::testing {

struct ClusterOptions {
  int nodes = 2;
  // Of the managers and of the network.
  uint64_t seed = 1;
  MemoryNetworkOptions network = {};
  // Lets alarms overtake handlers that are ready (RunUntil), by the seed.
  bool interleave = false;
  // Names of the nodes; those missing are "http://node<i>:9000".
  std::vector<std::string> names = {};
  // Each node gets all others as peers, but for clients.
  bool add_peers = true;
  // Nodes that are clients of the others (ManagerOptions::client); any name will do for them.
  std::vector<int> clients = {};
  // Called before a manager is made, each time the node starts.
  std::function<void(int node, ManagerOptions& options)> adjust = {};
  // Called before a manager is started: where handlers are registered.
  std::function<void(int node, Manager& manager)> setup = {};
};

class Cluster {
 public:
  explicit Cluster(ClusterOptions options = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Makes, starts and lets listen node `node`. It must not be running.
  absl::Status Start(int node);
  // Starts all nodes and runs until every pair is connected; false after 10 s.
  bool StartAll();
  // Stops and destroys the manager in good order: its peers hear of it. Takes the time that it
  // takes; throws std::runtime_error when that is more than a minute.
  void Stop(int node);
  // Drains the node, then destroys its manager. Throws as Stop does when that takes a minute longer
  // than `limit`.
  void StopGracefully(int node, std::chrono::milliseconds limit);
  // The process dies: its connections are reset, and nothing else leaves it. Throws as Stop does.
  void Kill(int node);
  // Kill, then Start.
  absl::Status Restart(int node);

  bool running(int node) const { return managers_[node] != nullptr; }
  Manager& manager(int node) { return *managers_[node]; }
  const std::string& name(int node) const { return names_[node]; }
  int size() const { return static_cast<int>(names_.size()); }
  // The connection from one node to another; both are indices.
  Connection Peer(int from, int to) { return managers_[from]->Connection(names_[to]); }

  // One request from one node to another, run until it completes or two minutes more than its
  // time-out.
  absl::StatusOr<Buffer> Call(int from, int to, HandlerId handler, BytesView payload,
                              RequestOptions options = {});
  // Starts a coroutine on the cluster's io_context; exceptions come out of RunUntil.
  void Spawn(asio::awaitable<void> coroutine);
  // Runs a coroutine to its end; false when that takes longer than `limit`.
  bool Run(asio::awaitable<void> coroutine, Duration limit = std::chrono::minutes(5));

  void RunFor(Duration duration);
  bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit);
  void Drain();
  bool Connected(int a, int b);
  // Until the two are connected to each other; false after `limit`.
  bool RunUntilConnected(int a, int b, Duration limit = std::chrono::seconds(10));
  asio::awaitable<void> Sleep(Duration duration);

  TimePoint Now() const { return clock_->Now(); }
  VirtualClock& clock() { return *clock_; }
  const std::shared_ptr<VirtualClock>& shared_clock() { return clock_; }
  MemoryNetwork& network() { return network_; }
  asio::io_context& io() { return io_; }
  CaptureLog& log(int node) { return *logs_[node]; }
  // What all nodes logged, for a failing test's message.
  std::string LogText() const;

  void Sever(int a, int b) { network_.Sever(names_[a], names_[b]); }
  void Stall(int a, int b) { network_.Stall(names_[a], names_[b]); }
  void Partition(int a, int b) { network_.Partition(names_[a], names_[b]); }
  void Heal(int a, int b) { network_.Heal(names_[a], names_[b]); }

 private:
  bool IsClient(int node) const;
  void AwaitStopped(int node, const std::shared_ptr<bool>& stopped, Duration limit);

  const ClusterOptions options_;
  Random interleave_;
  const std::shared_ptr<VirtualClock> clock_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<CaptureLog>> logs_;
  // The io_context goes before what its unfinished operations may refer to, and after the managers.
  MemoryNetwork network_;
  asio::io_context io_;
  std::vector<std::unique_ptr<Manager>> managers_;
  uint64_t starts_ = 0;
};

// Names of two nodes of which the first dials the second (or, with `first_dials` false, is
// dialled), by the rule of the protocol.
std::vector<std::string> NamesForDialDirection(bool first_dials);

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_CLUSTER_H_
