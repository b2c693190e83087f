// MetricsSink: where a host program takes a Manager's statistics from, for Prometheus,
// OpenTelemetry or whatever it has: a walk over every counter and gauge, with names and labels.
//
//   class Exporter final : public grid::MetricsSink {
//     void Sample(const grid::MetricFamily& family, absl::Span<const grid::MetricLabel> labels,
//                 grid::MetricValue value) override { ... }
//   };
//   Exporter exporter;
//   grid::ExportMetrics(manager.Stats(), exporter);     // whenever somebody asks
//
// This is the one list of what a Manager counts: the pages of gridnode are made from it. What a
// directory counts is in grid/directory/directory_metrics.h, and so on for membership and actors.
#ifndef GRID_GRID_METRICS_H_
#define GRID_GRID_METRICS_H_

#include <cstdint>
#include <string_view>
#include <variant>

#include "absl/types/span.h"
#include "grid/stats.h"

namespace grid {

enum class MetricKind {
  kCounter,  // only grows, as long as the Manager lives
  kGauge,
};

// All samples of one name. Lives for ever.
struct MetricFamily {
  std::string_view name;  // "bytes_in"; unit at the end where it is none of bytes or pieces
  MetricKind kind;
  std::string_view help;  // a line, without a full stop
};

// `peer`: the name of the other host; `reason`: why something was dropped or refused. A program
// with several managers tells them apart by a label of its own, which its sink adds.
struct MetricLabel {
  std::string_view name;
  std::string_view value;
};

// Counters are always whole.
using MetricValue = std::variant<uint64_t, double>;

// Used by the thread that calls ExportMetrics, during the call; views live as long.
class MetricsSink {
 public:
  virtual ~MetricsSink() = default;
  // Comes before the samples of each family, also when there are none.
  virtual void Begin(const MetricFamily& family) { (void)family; }
  virtual void Sample(const MetricFamily& family, absl::Span<const MetricLabel> labels,
                      MetricValue value) = 0;
};

// A field of `Stats` that is a plain number.
template <typename Stats>
struct FieldMetric {
  MetricFamily family;  // named as the field, behind what it is of
  uint64_t Stats::*value;
};

// One sample of each of `fields`, without labels.
template <typename Stats>
void ExportFields(absl::Span<const FieldMetric<Stats>> fields, const Stats& stats,
                  MetricsSink& sink) {
  for (const auto& [family, value] : fields) {
    sink.Begin(family);
    sink.Sample(family, {}, stats.*value);
  }
}

// Everything that `stats` holds, family by family. `total` is left out: sums are the reader's.
void ExportMetrics(const ManagerStats& stats, MetricsSink& sink);

// The fields that are plain numbers, for other forms of the same.
absl::Span<const FieldMetric<ConnectionStats>> ConnectionMetrics();
absl::Span<const FieldMetric<ManagerStats>> ManagerMetrics();

}  // namespace grid

#endif  // GRID_GRID_METRICS_H_
