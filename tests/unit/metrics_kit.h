// What the tests of statistics have in common: a sink that remembers, and the check that a list of
// metrics has every number of its struct once.
#ifndef GRID_TESTS_UNIT_METRICS_KIT_H_
#define GRID_TESTS_UNIT_METRICS_KIT_H_

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <variant>

#include "grid/metrics.h"

namespace grid {

class MetricsCollector final : public MetricsSink {
 public:
  void Begin(const MetricFamily& family) override {
    EXPECT_TRUE(families.insert(std::string(family.name)).second) << family.name;
    EXPECT_FALSE(family.help.empty());
  }
  void Sample(const MetricFamily& family, absl::Span<const MetricLabel> labels,
              MetricValue value) override {
    EXPECT_TRUE(labels.empty());
    values[std::string(family.name)] = std::get<uint64_t>(value);
  }

  std::set<std::string> families;
  std::map<std::string, uint64_t> values;
};

template <typename Stats>
void ExpectAllMetrics(absl::Span<const FieldMetric<Stats>> metrics, const std::string& prefix) {
  Stats stats;
  uint64_t next = 1;
  for (const auto& metric : metrics) {
    EXPECT_EQ(stats.*metric.value, 0u) << "twice: " << metric.family.name;
    stats.*metric.value = next++;
  }
  MetricsCollector collector;
  ExportMetrics(stats, collector);
  for (const auto& metric : metrics) {
    EXPECT_TRUE(metric.family.name.starts_with(prefix)) << metric.family.name;
    EXPECT_EQ(collector.values[std::string(metric.family.name)], stats.*metric.value);
  }
  EXPECT_EQ(collector.values.size(), metrics.size());
  // The list is by hand: no number of the struct may be forgotten.
  EXPECT_EQ(sizeof(Stats), metrics.size() * sizeof(uint64_t));
}

}  // namespace grid

#endif  // GRID_TESTS_UNIT_METRICS_KIT_H_
