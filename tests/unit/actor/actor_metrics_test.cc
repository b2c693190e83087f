#include "grid/actor/actor_metrics.h"

#include <gtest/gtest.h>

#include "grid/actor/isolated_metrics.h"
#include "grid/actor/kind_starter.h"
#include "grid/actor/patrol.h"
#include "grid/actor/producer.h"
#include "grid/actor/publisher.h"
#include "grid/directory/directory_metrics.h"
#include "grid/membership/membership_metrics.h"
#include "tests/unit/metrics_kit.h"

namespace grid {
namespace {

TEST(ActorMetricsTest, EveryNumberOfAnActorSystemIsThereOnce) {
  ExpectAllMetrics(ActorMetrics(), "actor_");
}

TEST(ActorMetricsTest, EveryNumberOfAKindHostIsThereOnce) {
  ExpectAllMetrics(KindHostMetrics(), "kind_");
}

TEST(ActorMetricsTest, EveryNumberOfAKindStarterIsThereOnce) {
  ExpectAllMetrics(KindStarterMetrics(), "starter_");
}

TEST(ActorMetricsTest, EveryNumberOfAPatrolIsThereOnce) {
  ExpectAllMetrics(PatrolMetrics(), "patrol_");
}

TEST(ActorMetricsTest, EveryNumberOfIsolatedProcessesIsThereOnce) {
  ExpectAllMetrics(IsolatedProcessesMetrics(), "isolated_");
}

TEST(ActorMetricsTest, EveryNumberOfAPublisherIsThereOnce) {
  ExpectAllMetrics(PublisherMetrics(), "publisher_");
}

TEST(ActorMetricsTest, EveryNumberOfAProducerIsThereOnce) {
  ExpectAllMetrics(ProducerMetrics(), "producer_");
}

TEST(ActorMetricsTest, EveryNumberOfASequenceCheckIsThereOnce) {
  ExpectAllMetrics(SequenceCheckMetrics(), "sequence_");
}

// One page holds them all, with what the parts below count.
TEST(ActorMetricsTest, NamesAreNobodyElses) {
  MetricsCollector collector;
  ExportMetrics(ManagerStats(), collector);
  ExportMetrics(DirectoryStats(), collector);
  ExportMetrics(RegistryStats(), collector);
  ExportMetrics(MembershipStats(), collector);
  ExportMetrics(ActorStats(), collector);
  ExportMetrics(KindHostStats(), collector);
  ExportMetrics(KindStarterStats(), collector);
  ExportMetrics(PatrolStats(), collector);
  ExportMetrics(IsolatedProcessesStats(), collector);
  ExportMetrics(PublisherStats(), collector);
  ExportMetrics(ProducerStats(), collector);
  ExportMetrics(SequenceCheck::Stats(), collector);
}

}  // namespace
}  // namespace grid
