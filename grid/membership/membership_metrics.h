// What a Membership counts, for a MetricsSink (grid/metrics.h), as a Manager's statistics are.
//
//   grid::ExportMetrics(members->Stats(), exporter);
//
// The families begin with "membership_". Pure functions, any thread.
#ifndef GRID_GRID_MEMBERSHIP_MEMBERSHIP_METRICS_H_
#define GRID_GRID_MEMBERSHIP_MEMBERSHIP_METRICS_H_

#include "absl/types/span.h"
#include "grid/membership/membership.h"
#include "grid/metrics.h"

namespace grid {

void ExportMetrics(const MembershipStats& stats, MetricsSink& sink);

// The fields, for other forms of the same.
absl::Span<const FieldMetric<MembershipStats>> MembershipMetrics();

}  // namespace grid

#endif  // GRID_GRID_MEMBERSHIP_MEMBERSHIP_METRICS_H_
