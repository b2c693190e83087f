// ManagerStats for people and programs: as JSON, and in Prometheus' text format.
//
// Pure functions, any thread.
#ifndef GRID_TOOLS_COMMON_STATS_FORMAT_H_
#define GRID_TOOLS_COMMON_STATS_FORMAT_H_

#include <boost/json/object.hpp>
#include <string>

#include "grid/stats.h"

namespace grid::tools {

// Every field under its own name; durations in microseconds ("round_trip_us") and milliseconds
// ("since_last_pong_ms", null before the first).
boost::json::object StatsToJson(const ManagerStats& stats);

// Prometheus text format 0.0.4: each counter and gauge as grid_<name>, with the label `peer` where
// it belongs to one; dropped, ignored and refused things with the label `reason`.
std::string StatsToPrometheus(const ManagerStats& stats);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_STATS_FORMAT_H_
