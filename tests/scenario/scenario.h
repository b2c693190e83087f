// What the scenario tests share: a cluster whose nodes host the conformance service and a few
// handlers more.
//
// Nothing here takes real time: see grid/testing/cluster.h.
#ifndef GRID_TESTS_SCENARIO_SCENARIO_H_
#define GRID_TESTS_SCENARIO_SCENARIO_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"
#include "handlers/delivery.h"

namespace grid {

namespace asio = boost::asio;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using Reply = absl::StatusOr<Buffer>;
using ReplyProbe = testing::Probe<Reply>;

// The conformance service's (handlers/conformance/conformance.h).
inline constexpr HandlerId kEcho{78};
inline constexpr HandlerId kError{1};
inline constexpr HandlerId kSubrouted{2};
inline constexpr HandlerId kStreamEcho{3};
inline constexpr HandlerId kStreamEcho16{4};
inline constexpr HandlerId kNumbers{5};
inline constexpr HandlerId kNumbers16{9};
inline constexpr HandlerId kStreamError{6};
inline constexpr HandlerId kStreamSlow{8};
inline constexpr HandlerId kSleep{10};
inline constexpr HandlerId kThrow{11};
inline constexpr HandlerId kStreamThrow{12};
inline constexpr HandlerId kStreamBlock{13};
inline constexpr HandlerId kBlockCounts{14};
inline constexpr HandlerId kUnknown{60};
// The tests' own.
inline constexpr HandlerId kWorkerEcho{100};  // on the worker pool
inline constexpr HandlerId kHang{101};        // until cancelled
inline constexpr HandlerId kCaller{102};      // "<host> <hex instance>" of the caller

// What the handlers of one node have seen, over all its starts.
struct NodeRecord {
  int hangs_started = 0;
  int hangs_cancelled = 0;
  absl::Status hang_cancellation;
};

class ScenarioTest : public ::testing::Test {
 protected:
  // Adds the handlers to what `options` sets up, and makes the cluster; nothing is started.
  void Make(testing::ClusterOptions options = {});
  // Make, start everything, and wait for the connections.
  void MakeAndStart(testing::ClusterOptions options = {});
  void TearDown() override;

  testing::Cluster& cluster() { return *cluster_; }
  NodeRecord& record(int node) { return records_[node]; }

  // Of the connection from one node to another.
  ConnectionStats Stats(int from, int to) { return cluster().Peer(from, to).Stats(); }
  uint64_t Drops(int from, int to, const std::string& reason);
  // Nothing in flight, open or waiting to be written on any running node.
  void ExpectIdle();

  std::vector<NodeRecord> records_;
  std::optional<testing::Cluster> cluster_;  // its handlers write records_
};

// Registers the handlers above. `record` and `cluster` must outlive the manager.
void RegisterHandlers(testing::Cluster& cluster, Manager& manager, NodeRecord& record);

std::string Text(const Reply& reply);  // the payload, or the status

}  // namespace grid

#endif  // GRID_TESTS_SCENARIO_SCENARIO_H_
