// Extensions between whole managers: both sides with them, neither, and either one alone.
#include <tuple>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

ExtensionOptions Everything() { return {}; }
ExtensionOptions Nothing() { return {.status = false, .goaway = false, .client = false}; }

// Whether the node that dials, and the one that is dialled, offer them.
class ExtensionScenarios : public ScenarioTest,
                           public ::testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  static bool DialerOffers() { return std::get<0>(GetParam()); }
  static bool AcceptorOffers() { return std::get<1>(GetParam()); }
  static bool Both() { return DialerOffers() && AcceptorOffers(); }

  void MakeAndStartBoth() {
    testing::ClusterOptions options;
    options.names = testing::NamesForDialDirection(true);
    options.adjust = [](int node, ManagerOptions& manager) {
      const bool offers = node == 0 ? DialerOffers() : AcceptorOffers();
      manager.extensions = offers ? Everything() : Nothing();
    };
    MakeAndStart(options);
  }
  void TearDown() override {
    for (const int node : {0, 1}) {
      EXPECT_EQ(Drops(node, 1 - node, "unknown-flags"), 0u);
      EXPECT_EQ(Stats(node, 1 - node).connects, 1u);
    }
    ScenarioTest::TearDown();
  }
};

TEST_P(ExtensionScenarios, Status_IsSeenWhereBothOfferIt) {
  MakeAndStartBoth();
  for (const int node : {0, 1}) {
    const Reply thrown = cluster().Call(node, 1 - node, kThrow, AsBytes("x"));
    EXPECT_EQ(thrown.status().code(),
              Both() ? absl::StatusCode::kInternal : absl::StatusCode::kUnknown);
    EXPECT_EQ(DeliveryOf(thrown.status()), Delivery::kExecuted);
    EXPECT_TRUE(IsRemote(thrown.status()));

    const Reply unknown = cluster().Call(node, 1 - node, kUnknown, AsBytes("x"));
    EXPECT_EQ(unknown.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(DeliveryOf(unknown.status()), Delivery::kRejected);
  }
}

TEST_P(ExtensionScenarios, OrdinaryCallsAreTheSame) {
  MakeAndStartBoth();
  for (const int node : {0, 1}) {
    EXPECT_EQ(Text(cluster().Call(node, 1 - node, kEcho, AsBytes("hi"))), "hi");
    EXPECT_EQ(Text(cluster().Call(node, 1 - node, kWorkerEcho, AsBytes("hi"))), "hi");
  }
}

INSTANTIATE_TEST_SUITE_P(DialerAndAcceptor, ExtensionScenarios,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

}  // namespace
}  // namespace grid
