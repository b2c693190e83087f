// What actors and kinds count, for a MetricsSink (grid/metrics.h), as a Manager's statistics are.
//
//   grid::ExportMetrics(actors.Stats(), exporter);
//   grid::ExportMetrics(host.Stats(), exporter);
//
// The families of an ActorSystem begin with "actor_", those of a KindHost with "kind_". Pure
// functions, any thread.
#ifndef GRID_GRID_ACTOR_ACTOR_METRICS_H_
#define GRID_GRID_ACTOR_ACTOR_METRICS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "grid/actor/actor_stats.h"
#include "grid/actor/kind_host.h"
#include "grid/metrics.h"

namespace grid {

void ExportMetrics(const ActorStats& stats, MetricsSink& sink);
void ExportMetrics(const KindHostStats& stats, MetricsSink& sink);

// The fields, for other forms of the same.
struct ActorMetric {
  MetricFamily family;
  uint64_t ActorStats::*value;
};
struct KindHostMetric {
  MetricFamily family;
  uint64_t KindHostStats::*value;
};
absl::Span<const ActorMetric> ActorMetrics();
absl::Span<const KindHostMetric> KindHostMetrics();

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_METRICS_H_
