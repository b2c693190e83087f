// Extensions between whole managers: both sides with them, neither, and either one alone.
#include <tuple>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

ExtensionOptions Everything() { return {}; }
ExtensionOptions Nothing() {
  return {.credits = false,
          .status = false,
          .fragment_bytes = 0,
          .zstd_level = 0,
          .meta = false,
          .handlers16 = false,
          .goaway = false,
          .client = false};
}

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

TEST_P(ExtensionScenarios, Fragments_CarryWhatNoMessageHolds) {
  MakeAndStartBoth();
  const std::string large(40 << 20, 'x');
  for (const int node : {0, 1}) {
    const Reply reply = cluster().Call(node, 1 - node, kWorkerEcho, AsBytes(large));
    if (Both()) {
      ASSERT_TRUE(reply.ok()) << reply.status();
      EXPECT_TRUE(reply->text() == large);
    } else {
      EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
      EXPECT_NE(reply.status().message().find("max_message_bytes"), absl::string_view::npos);
    }
  }
}

TEST_P(ExtensionScenarios, Fragments_StreamsAreTheSame) {
  MakeAndStartBoth();
  std::vector<std::string> echoed;
  ASSERT_TRUE(
      cluster().Run([](Connection peer, std::vector<std::string>& out) -> asio::awaitable<void> {
        const StreamOptions options{.has_input = true, .priority = Priority::kBulk};
        absl::StatusOr<Stream> stream = peer.OpenStream(kStreamEcho, AsBytes("init"), options);
        for (size_t size : {300'000, 1, 70'000, 0, 1'000'000}) {
          const std::string message(size, 'm');
          absl::Status written = co_await stream->Write(AsBytes(message));
          ReadResult read = co_await stream->Read();
          if (!written.ok() || !read.ok() || !read->has_value()) co_return;
          out.emplace_back((*read)->text());
        }
        stream->CloseSend();
        ReadResult end = co_await stream->Read();
        if (end.ok() && !end->has_value()) out.emplace_back("<end>");
      }(cluster().Peer(0, 1), echoed)));
  ASSERT_EQ(echoed.size(), 6u);
  EXPECT_EQ(echoed[0].size(), 300'000u);
  EXPECT_EQ(echoed[4], std::string(1'000'000, 'm'));
  EXPECT_EQ(echoed[5], "<end>");
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
