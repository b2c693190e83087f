#include "grid/directory/directory_metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace grid {
namespace {

class Collector final : public MetricsSink {
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

template <typename Stats, typename Metrics>
void ExpectAll(Metrics metrics, const std::string& prefix) {
  Stats stats;
  uint64_t next = 1;
  for (const auto& metric : metrics) {
    EXPECT_EQ(stats.*metric.value, 0u) << "twice: " << metric.family.name;
    stats.*metric.value = next++;
  }
  Collector collector;
  ExportMetrics(stats, collector);
  for (const auto& metric : metrics) {
    EXPECT_TRUE(metric.family.name.starts_with(prefix)) << metric.family.name;
    EXPECT_EQ(collector.values[std::string(metric.family.name)], stats.*metric.value);
  }
  EXPECT_EQ(collector.values.size(), metrics.size());
  // The list is by hand: no number of the struct may be forgotten.
  EXPECT_EQ(sizeof(Stats), metrics.size() * sizeof(uint64_t));
}

TEST(DirectoryMetricsTest, EveryNumberOfADirectoryIsThereOnce) {
  ExpectAll<DirectoryStats>(DirectoryMetrics(), "directory_");
}

TEST(DirectoryMetricsTest, EveryNumberOfARegistryIsThereOnce) {
  ExpectAll<RegistryStats>(RegistryMetrics(), "registry_");
}

// One page holds them all.
TEST(DirectoryMetricsTest, NamesAreNobodyElses) {
  Collector collector;
  ExportMetrics(DirectoryStats(), collector);
  ExportMetrics(RegistryStats(), collector);
  for (const ManagerMetric& metric : ManagerMetrics()) collector.Begin(metric.family);
  for (const ConnectionMetric& metric : ConnectionMetrics()) collector.Begin(metric.family);
}

}  // namespace
}  // namespace grid
