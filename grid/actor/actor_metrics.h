// What actors, kinds and topics count, for a MetricsSink (grid/metrics.h), as a Manager's
// statistics are.
//
//   grid::ExportMetrics(actors.Stats(), exporter);
//   grid::ExportMetrics(host.Stats(), exporter);
//
// The families of an ActorSystem begin with "actor_", of a KindHost with "kind_", of a KindStarter
// with "starter_", of a Patrol with "patrol_", of a Publisher with "publisher_", of a Producer with
// "producer_", of a SequenceCheck with "sequence_". Of several in one process a label that the sink
// adds tells which. Pure functions, any thread.
#ifndef GRID_GRID_ACTOR_ACTOR_METRICS_H_
#define GRID_GRID_ACTOR_ACTOR_METRICS_H_

#include "absl/types/span.h"
#include "grid/actor/actor_stats.h"
#include "grid/actor/kind_host.h"
#include "grid/actor/sequence_check.h"
#include "grid/metrics.h"

namespace grid {

struct KindStarterStats;
struct PatrolStats;
struct ProducerStats;
struct PublisherStats;

void ExportMetrics(const ActorStats& stats, MetricsSink& sink);
void ExportMetrics(const KindHostStats& stats, MetricsSink& sink);
void ExportMetrics(const KindStarterStats& stats, MetricsSink& sink);
void ExportMetrics(const PatrolStats& stats, MetricsSink& sink);
void ExportMetrics(const PublisherStats& stats, MetricsSink& sink);
void ExportMetrics(const ProducerStats& stats, MetricsSink& sink);
void ExportMetrics(const SequenceCheck::Stats& stats, MetricsSink& sink);

// The fields, for other forms of the same.
absl::Span<const FieldMetric<ActorStats>> ActorMetrics();
absl::Span<const FieldMetric<KindHostStats>> KindHostMetrics();
absl::Span<const FieldMetric<KindStarterStats>> KindStarterMetrics();
absl::Span<const FieldMetric<PatrolStats>> PatrolMetrics();
absl::Span<const FieldMetric<PublisherStats>> PublisherMetrics();
absl::Span<const FieldMetric<ProducerStats>> ProducerMetrics();
absl::Span<const FieldMetric<SequenceCheck::Stats>> SequenceCheckMetrics();

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_METRICS_H_
