#include "grid/membership/membership_metrics.h"

#include <gtest/gtest.h>

#include "tests/unit/metrics_kit.h"

namespace grid {
namespace {

TEST(MembershipMetricsTest, EveryNumberIsThereOnce) {
  ExpectAllMetrics(MembershipMetrics(), "membership_");
}

}  // namespace
}  // namespace grid
