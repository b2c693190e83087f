#include "tools/common/stats_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace grid::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

NodeStats Sample() {
  NodeStats node;
  ManagerStats& stats = node.manager;
  stats.total.host = "http://a:1";
  stats.total.bytes_in = 12;
  stats.accepted = 3;
  stats.refused["bad-token"] = 2;
  ConnectionStats peer;
  peer.host = "http://b:\"2\"";
  peer.state = ConnectionState::kConnected;
  peer.bytes_in = 12;
  peer.round_trip = std::chrono::microseconds(150);
  peer.drops["late-response"] = 7;
  stats.peers[peer.host] = peer;
  return node;
}

TEST(StatsToPrometheus, CountersGaugesLabelsAndEscapes) {
  const std::string text = StatsToPrometheus(Sample());
  EXPECT_THAT(text, HasSubstr("# TYPE grid_bytes_in_total counter\n"
                              "grid_bytes_in_total{peer=\"http://b:\\\"2\\\"\"} 12\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE grid_outgoing_requests gauge\n"));
  EXPECT_THAT(text, HasSubstr("grid_drops_total{peer=\"http://b:\\\"2\\\"\","
                              "reason=\"late-response\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("grid_refused_total{reason=\"bad-token\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("grid_accepted_total 3\n"));
  EXPECT_THAT(text, HasSubstr("grid_connected{peer=\"http://b:\\\"2\\\"\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("grid_round_trip_seconds{peer=\"http://b:\\\"2\\\"\"} 0.00015\n"));
  EXPECT_THAT(text, Not(HasSubstr("grid_since_last_pong_seconds{")));
  EXPECT_EQ(text.back(), '\n');
}

TEST(StatsToPrometheus, HasTheDirectoryOfANodeThatHasOne) {
  NodeStats node = Sample();
  EXPECT_THAT(StatsToPrometheus(node), Not(HasSubstr("grid_directory_")));
  node.directory.emplace().renewals = 5;
  EXPECT_THAT(StatsToPrometheus(node), HasSubstr("# TYPE grid_directory_renewals_total counter\n"
                                                 "grid_directory_renewals_total 5\n"));
  EXPECT_THAT(StatsToPrometheus(node), Not(HasSubstr("grid_registry_")));
  node.registry.emplace().entries = 6;
  EXPECT_THAT(StatsToPrometheus(node), HasSubstr("grid_registry_entries 6\n"));
  const boost::json::object out = StatsToJson(node);
  EXPECT_EQ(out.at("directory_renewals"), 5u);
  EXPECT_EQ(out.at("registry_entries"), 6u);
}

TEST(StatsToPrometheus, HasTheActorsOfANodeThatIsAMember) {
  NodeStats node = Sample();
  for (const char* prefix : {"grid_actor_", "grid_kind_", "grid_membership_"}) {
    EXPECT_THAT(StatsToPrometheus(node), Not(HasSubstr(prefix)));
  }
  node.actors.emplace().handled = 7;
  node.kinds.emplace().under_way = 8;
  node.membership.emplace().members = 9;
  const std::string text = StatsToPrometheus(node);
  EXPECT_THAT(text, HasSubstr("grid_actor_handled_total 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE grid_kind_under_way gauge\ngrid_kind_under_way 8\n"));
  EXPECT_THAT(text, HasSubstr("grid_membership_members 9\n"));
  const boost::json::object out = StatsToJson(node);
  EXPECT_EQ(out.at("actor_handled"), 7u);
  EXPECT_EQ(out.at("kind_under_way"), 8u);
  EXPECT_EQ(out.at("membership_members"), 9u);
}

TEST(StatsToJson, HasTotalsPeersAndNullBeforeTheFirstPong) {
  const boost::json::object out = StatsToJson(Sample());
  EXPECT_EQ(out.at("local"), "http://a:1");
  EXPECT_EQ(out.at("total").at("bytes_in"), 12u);
  EXPECT_EQ(out.at("refused").at("bad-token"), 2u);
  const boost::json::value& peer = out.at("peers").as_object().at("http://b:\"2\"");
  EXPECT_EQ(peer.at("state"), "connected");
  EXPECT_EQ(peer.at("drops").at("late-response"), 7u);
  EXPECT_EQ(peer.at("round_trip_us"), 150);
  EXPECT_TRUE(peer.at("since_last_pong_ms").is_null());
}

}  // namespace
}  // namespace grid::tools
