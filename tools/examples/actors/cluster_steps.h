// What the demonstrations do with members again and again; one that does not start or stop as it
// should ends the demonstration.
#ifndef GRID_TOOLS_EXAMPLES_ACTORS_CLUSTER_STEPS_H_
#define GRID_TOOLS_EXAMPLES_ACTORS_CLUSTER_STEPS_H_

#include <memory>
#include <utility>

#include "tools/examples/actors/cluster_node.h"
#include "tools/examples/demonstration.h"

namespace examples {

inline std::unique_ptr<ClusterNode> StartNode(ClusterNodeOptions options) {
  auto node = std::make_unique<ClusterNode>(std::move(options));
  const absl::Status started = node->Start();
  demonstration::Require(started.ok(), node->name() + " does not start: " + started.ToString());
  return node;
}

// In order: nobody notices.
inline void StopNode(ClusterNode& node) {
  const absl::Status stopped = node.Stop();
  demonstration::Require(stopped.ok(), node.name() + " did not stop well: " + stopped.ToString());
}

}  // namespace examples

#endif  // GRID_TOOLS_EXAMPLES_ACTORS_CLUSTER_STEPS_H_
