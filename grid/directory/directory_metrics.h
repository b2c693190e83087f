// What a directory counts, for a MetricsSink (grid/metrics.h), as a Manager's statistics are.
//
//   grid::ExportMetrics(manager.Stats(), exporter);
//   grid::ExportMetrics(names.directory->Stats(), exporter);
//   if (names.server != nullptr) grid::ExportMetrics(names.server->Stats(), exporter);
//
// The families of a Directory begin with "directory_", those of a table that is kept in memory with
// "registry_". Pure functions, any thread.
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_METRICS_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_METRICS_H_

#include "absl/types/span.h"
#include "grid/directory/directory.h"
#include "grid/directory/registry.h"
#include "grid/metrics.h"

namespace grid {

void ExportMetrics(const DirectoryStats& stats, MetricsSink& sink);
void ExportMetrics(const RegistryStats& stats, MetricsSink& sink);

// The fields, for other forms of the same.
absl::Span<const FieldMetric<DirectoryStats>> DirectoryMetrics();
absl::Span<const FieldMetric<RegistryStats>> RegistryMetrics();

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_METRICS_H_
