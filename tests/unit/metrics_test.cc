#include "grid/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>

namespace grid {
namespace {

class Collector final : public MetricsSink {
 public:
  void Begin(const MetricFamily& family) override {
    current_ = family.name;
    EXPECT_TRUE(families.insert(current_).second) << current_;
    EXPECT_FALSE(family.help.empty());
  }
  void Sample(const MetricFamily& family, absl::Span<const MetricLabel> labels,
              MetricValue value) override {
    EXPECT_EQ(std::string(family.name), current_);
    std::string key(family.name);
    for (const MetricLabel& label : labels) {
      key += " " + std::string(label.name) + "=" + std::string(label.value);
    }
    if (family.kind == MetricKind::kCounter) {
      EXPECT_TRUE(std::holds_alternative<uint64_t>(value)) << key;
    }
    values[key] = std::visit([](auto number) { return static_cast<double>(number); }, value);
  }

  std::set<std::string> families;
  std::map<std::string, double> values;

 private:
  std::string current_;
};

ManagerStats Sample() {
  ManagerStats stats;
  ConnectionStats& peer = stats.peers["http://b:2"];
  peer.host = "http://b:2";
  uint64_t next = 1;
  for (const auto& metric : ConnectionMetrics()) peer.*metric.value = next++;
  peer.state = ConnectionState::kConnected;
  peer.round_trip = std::chrono::milliseconds(250);
  peer.since_last_pong = std::chrono::milliseconds(1500);
  peer.drops["late-response"] = 7;
  for (const auto& metric : ManagerMetrics()) stats.*metric.value = next++;
  stats.refused["tls"] = 3;
  return stats;
}

TEST(ExportMetricsTest, WalksEverythingOnce) {
  const ManagerStats stats = Sample();
  Collector collector;
  ExportMetrics(stats, collector);
  for (const auto& metric : ConnectionMetrics()) {
    const std::string key = std::string(metric.family.name) + " peer=http://b:2";
    EXPECT_EQ(collector.values[key], stats.peers.at("http://b:2").*metric.value) << key;
  }
  for (const auto& metric : ManagerMetrics()) {
    EXPECT_EQ(collector.values[std::string(metric.family.name)], stats.*metric.value);
  }
  EXPECT_EQ(collector.values["connected peer=http://b:2"], 1);
  EXPECT_EQ(collector.values["round_trip_seconds peer=http://b:2"], 0.25);
  EXPECT_EQ(collector.values["since_last_pong_seconds peer=http://b:2"], 1.5);
  EXPECT_EQ(collector.values["drops peer=http://b:2 reason=late-response"], 7);
  EXPECT_EQ(collector.values["refused reason=tls"], 3);
  EXPECT_EQ(collector.values.size(),
            ConnectionMetrics().size() + ManagerMetrics().size() + 3 + 1 + 1);
}

TEST(ExportMetricsTest, FamiliesAreTheSameWithoutPeers) {
  Collector all, none;
  ExportMetrics(Sample(), all);
  ExportMetrics(ManagerStats(), none);
  EXPECT_EQ(all.families, none.families);
  EXPECT_EQ(none.values.size(), ManagerMetrics().size());
}

// The list is by hand: no number of the two structs may be forgotten.
TEST(ExportMetricsTest, ListsEveryNumber) {
  // host, state, round_trip, since_last_pong and drops are no plain numbers.
  static_assert(sizeof(ConnectionStats) == sizeof(std::string) + sizeof(uint64_t) * (1 + 22 + 2) +
                                               sizeof(std::map<std::string, uint64_t>));
  EXPECT_EQ(ConnectionMetrics().size(), 22u);
  static_assert(sizeof(ManagerStats) ==
                sizeof(ConnectionStats) + 2 * sizeof(std::map<int, int>) + 10 * sizeof(uint64_t));
  EXPECT_EQ(ManagerMetrics().size(), 10u);
}

}  // namespace
}  // namespace grid
