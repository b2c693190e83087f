// The statistics of a node for people and programs: as JSON, and in Prometheus' text format.
//
// Pure functions, any thread.
#ifndef GRID_TOOLS_COMMON_STATS_FORMAT_H_
#define GRID_TOOLS_COMMON_STATS_FORMAT_H_

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "grid/actor/actor_stats.h"
#include "grid/actor/kind_host.h"
#include "grid/directory/directory.h"
#include "grid/directory/registry.h"
#include "grid/membership/membership.h"
#include "grid/stats.h"

namespace grid::tools {

struct NodeStats {
  ManagerStats manager = {};
  std::optional<DirectoryStats> directory = {};  // of a node that has one
  std::optional<RegistryStats> registry = {};    // of the node that serves a hosted one
  // Of a node that is a member.
  std::optional<MembershipStats> membership = {};
  std::optional<ActorStats> actors = {};
  std::optional<KindHostStats> kinds = {};
};

// Every field under its own name, those of the directory and so on with their prefix; durations in
// microseconds ("round_trip_us") and milliseconds ("since_last_pong_ms", null before the first).
boost::json::object StatsToJson(const NodeStats& node);

// Prometheus text format 0.0.4: each counter and gauge as grid_<name>, with the label `peer` where
// it belongs to one; dropped, ignored and refused things with the label `reason`.
std::string StatsToPrometheus(const NodeStats& stats);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_STATS_FORMAT_H_
