#include "grid/actor/actor_metrics.h"

#include <gtest/gtest.h>

#include "tests/unit/metrics_kit.h"

namespace grid {
namespace {

TEST(ActorMetricsTest, EveryNumberOfAnActorSystemIsThereOnce) {
  ExpectAllMetrics<ActorStats>(ActorMetrics(), "actor_");
}

TEST(ActorMetricsTest, EveryNumberOfAKindHostIsThereOnce) {
  ExpectAllMetrics<KindHostStats>(KindHostMetrics(), "kind_");
}

}  // namespace
}  // namespace grid
