// What actors in processes of their own count, for a MetricsSink (grid/metrics.h), as a Manager's
// statistics are.
//
//   grid::ExportMetrics(processes.Stats(), exporter);
//
// The families begin with "isolated_". Pure functions, any thread.
#ifndef GRID_GRID_ACTOR_ISOLATED_METRICS_H_
#define GRID_GRID_ACTOR_ISOLATED_METRICS_H_

#include "absl/types/span.h"
#include "grid/actor/isolated_processes.h"
#include "grid/metrics.h"

namespace grid {

void ExportMetrics(const IsolatedProcessesStats& stats, MetricsSink& sink);

// The fields, for other forms of the same.
absl::Span<const FieldMetric<IsolatedProcessesStats>> IsolatedProcessesMetrics();

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ISOLATED_METRICS_H_
