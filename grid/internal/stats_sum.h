// Turning what sessions count into the values of the public statistics.
#ifndef GRID_GRID_INTERNAL_STATS_SUM_H_
#define GRID_GRID_INTERNAL_STATS_SUM_H_

#include "grid/base/clock.h"
#include "grid/mux/counters.h"
#include "grid/stats.h"

namespace grid::internal {

// Adds one connection's totals.
void AddCounters(const SessionCounters& counters, ConnectionStats* stats);
// Adds what is so right now; for a connection that is up.
void AddGauges(const SessionCounters& counters, TimePoint now, ConnectionStats* stats);
// Adds all of one host's to the sum over hosts.
void AddStats(const ConnectionStats& host, ConnectionStats* sum);

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_STATS_SUM_H_
