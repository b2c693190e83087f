#include "grid/directory/directory_metrics.h"

#include <gtest/gtest.h>

#include "tests/unit/metrics_kit.h"

namespace grid {
namespace {

TEST(DirectoryMetricsTest, EveryNumberOfADirectoryIsThereOnce) {
  ExpectAllMetrics<DirectoryStats>(DirectoryMetrics(), "directory_");
}

TEST(DirectoryMetricsTest, EveryNumberOfARegistryIsThereOnce) {
  ExpectAllMetrics<RegistryStats>(RegistryMetrics(), "registry_");
}

// One page holds them all.
TEST(DirectoryMetricsTest, NamesAreNobodyElses) {
  MetricsCollector collector;
  ExportMetrics(DirectoryStats(), collector);
  ExportMetrics(RegistryStats(), collector);
  for (const ManagerMetric& metric : ManagerMetrics()) collector.Begin(metric.family);
  for (const ConnectionMetric& metric : ConnectionMetrics()) collector.Begin(metric.family);
}

}  // namespace
}  // namespace grid
