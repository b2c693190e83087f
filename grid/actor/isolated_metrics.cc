#include "grid/actor/isolated_metrics.h"

namespace grid {
namespace {

constexpr auto kCounter = MetricKind::kCounter;
constexpr auto kGauge = MetricKind::kGauge;

constexpr FieldMetric<IsolatedProcessesStats> kIsolated[] = {
    {{"isolated_running", kGauge, "Processes that run"}, &IsolatedProcessesStats::running},
    {{"isolated_started", kCounter, "Processes whose actor has started"},
     &IsolatedProcessesStats::started},
    {{"isolated_start_failures", kCounter, "Processes whose actor has not"},
     &IsolatedProcessesStats::start_failures},
    {{"isolated_start_timeouts", kCounter, "Of these, those that took too long"},
     &IsolatedProcessesStats::start_timeouts},
    {{"isolated_died", kCounter, "Processes that ended without having been told to"},
     &IsolatedProcessesStats::died},
    {{"isolated_killed", kCounter, "Processes killed, as they had not ended in time"},
     &IsolatedProcessesStats::killed},
    {{"isolated_letters", kCounter, "Letters sent to processes"}, &IsolatedProcessesStats::letters},
    {{"isolated_process_limit", kCounter, "Starts refused: max_processes"},
     &IsolatedProcessesStats::process_limit},
    {{"isolated_frame_limit", kCounter, "Letters refused: max_frame_bytes"},
     &IsolatedProcessesStats::frame_limit},
};

}  // namespace

absl::Span<const FieldMetric<IsolatedProcessesStats>> IsolatedProcessesMetrics() {
  return kIsolated;
}

void ExportMetrics(const IsolatedProcessesStats& stats, MetricsSink& sink) {
  ExportFields(IsolatedProcessesMetrics(), stats, sink);
}

}  // namespace grid
