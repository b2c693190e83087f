#include "grid/directory/directory_metrics.h"

#include <gtest/gtest.h>

#include "tests/unit/metrics_kit.h"

namespace grid {
namespace {

TEST(DirectoryMetricsTest, EveryNumberOfADirectoryIsThereOnce) {
  ExpectAllMetrics(DirectoryMetrics(), "directory_");
}

TEST(DirectoryMetricsTest, EveryNumberOfARegistryIsThereOnce) {
  ExpectAllMetrics(RegistryMetrics(), "registry_");
}

}  // namespace
}  // namespace grid
