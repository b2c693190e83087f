// Dialling, listening, refusals and the faults of MemoryNetwork.
#include "grid/testing/memory_network.h"

#include <gtest/gtest.h>

#include "tests/unit/testing/memory_network_fixture.h"

namespace grid::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(MemoryNetworkTest, DialReachesTheListenerOfThatName) {
  Listen();
  const TimePoint start = clock_->Now();
  DialResult dialled = Dial(To(kNode2));
  ASSERT_TRUE(dialled.ok()) << dialled.status();
  EXPECT_GT(clock_->Now(), start);
  ASSERT_EQ(accepted_.size(), 1u);
  EXPECT_EQ(accepted_[0].io, &io_);
  EXPECT_EQ((*dialled)->remote_address(), kNode2);
  EXPECT_EQ(accepted_[0].transport->remote_address().find(kNode1), 0u);
  EXPECT_EQ((*dialled)->tls_subject(), "");
  EXPECT_GT(accepted_[0].handshake_deadline, start + seconds(10));
  EXPECT_LT(accepted_[0].handshake_deadline, start + milliseconds(10'002));
  EXPECT_EQ(network_.Connections(kNode1, kNode2), 1);
  EXPECT_EQ(network_.Connections(kNode2, kNode1), 1);
}

TEST_F(MemoryNetworkTest, NobodyListening_Refuses) {
  EXPECT_EQ(Dial(To(kNode2)).status().code(), absl::StatusCode::kUnavailable);
  Listen();
  EXPECT_EQ(Dial(To("http://node2:9001")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Dial(To("http://node3:9000")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Dial(To(kNode2)).ok());
  listener_.reset();
  EXPECT_EQ(Dial(To(kNode2)).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MemoryNetworkTest, NoUrl_IsInvalid) {
  EXPECT_EQ(Dial(To("node2:9000")).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MemoryNetworkTest, WrongToken_Is403) {
  Listen();
  DialRequest request = To(kNode2);
  request.token = "guess";
  const absl::Status status = Dial(std::move(request)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(status.message().find("403"), absl::string_view::npos);
  EXPECT_EQ(refusals_, std::vector<HttpRefusal>{HttpRefusal::kBadToken});
  EXPECT_TRUE(accepted_.empty());
}

TEST_F(MemoryNetworkTest, WrongRoute_Is404) {
  Listen();
  DialRequest request = To(kNode2);
  request.route = "/grid/";
  const absl::Status status = Dial(std::move(request)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("404"), absl::string_view::npos);
  EXPECT_EQ(refusals_, std::vector<HttpRefusal>{HttpRefusal::kBadPath});
}

TEST_F(MemoryNetworkTest, TlsMustMatchOnBothSides) {
  Listen();
  EXPECT_EQ(Dial(To("https://node2:9000")).status().code(), absl::StatusCode::kUnavailable);
  ListenRequest rules = Rules("node2:9443");
  rules.tls = true;
  auto tls = network_.Host("https://node2:9443")->Listen(std::move(rules));
  ASSERT_TRUE(tls.ok());
  DialResult dialled = Dial(To("https://node2:9443"));
  ASSERT_TRUE(dialled.ok());
  EXPECT_EQ((*dialled)->tls_subject(), "CN=https://node2:9443");
  EXPECT_EQ(accepted_[0].transport->tls_subject(), "CN=http://node1:9000");
  EXPECT_FALSE(Dial(To("http://node2:9443")).ok());
}

TEST_F(MemoryNetworkTest, AddressesWithoutAHost_AreReachedByTheOwnersName) {
  for (const char* address : {":9000", "0.0.0.0:9000", "[::]:9000"}) {
    SCOPED_TRACE(address);
    auto listener = network_.Host(kNode2)->Listen(Rules(address));
    ASSERT_TRUE(listener.ok());
    EXPECT_EQ((*listener)->port(), 9000);
    EXPECT_TRUE(Dial(To(kNode2)).ok());
    accepted_.clear();
  }
}

TEST_F(MemoryNetworkTest, PortZero_GetsAFreeOne) {
  auto first = network_.Host(kNode2)->Listen(Rules("127.0.0.1:0"));
  auto second = network_.Host(kNode2)->Listen(Rules("127.0.0.1:0"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE((*first)->port(), 0);
  EXPECT_NE((*first)->port(), (*second)->port());
  EXPECT_TRUE(Dial(To("http://127.0.0.1:" + std::to_string((*second)->port()))).ok());
}

TEST_F(MemoryNetworkTest, TheSameAddressTwice_IsInUse) {
  Listen();
  EXPECT_FALSE(network_.Host(kNode1)->Listen(Rules()).ok());
  listener_.reset();
  EXPECT_TRUE(network_.Host(kNode1)->Listen(Rules()).ok());
}

TEST_F(MemoryNetworkTest, FullGate_TurnsDialersAwayUntilASlotIsFree) {
  Listen();
  EXPECT_TRUE(Dial(To(kNode2)).ok());
  EXPECT_TRUE(Dial(To(kNode2)).ok());
  EXPECT_EQ(gate_->pending(), 2);
  EXPECT_EQ(Dial(To(kNode2)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refusals_, std::vector<HttpRefusal>{HttpRefusal::kTooMany});
  accepted_.clear();
  EXPECT_EQ(gate_->pending(), 0);
  EXPECT_TRUE(Dial(To(kNode2)).ok());
}

TEST_F(MemoryNetworkTest, RefusedDials_FailUntilAllowedAgain) {
  Listen();
  network_.RefuseDials(kNode2, true);
  EXPECT_EQ(Dial(To(kNode2)).status().code(), absl::StatusCode::kUnavailable);
  network_.RefuseDials(kNode2, false);
  EXPECT_TRUE(Dial(To(kNode2)).ok());
}

TEST_F(MemoryNetworkTest, PartitionedDial_TimesOutOnTime) {
  Listen();
  network_.Partition(kNode1, kNode2);
  const TimePoint start = clock_->Now();
  EXPECT_EQ(Dial(To(kNode2)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(clock_->Now() - start, seconds(2));
  EXPECT_TRUE(accepted_.empty());
  network_.Heal(kNode1, kNode2);
  EXPECT_TRUE(Dial(To(kNode2)).ok());
}

TEST_F(MemoryNetworkTest, DialThatTimedOutAfterItWasAccepted_EndsForTheAcceptor) {
  Listen();
  Probe<DialResult> probe("dial");
  network_.Host(kNode1)->Dial(To(kNode2), probe.Handler());
  RunUntil(
      io_, *clock_, [&] { return !accepted_.empty(); }, seconds(1));
  network_.Partition(kNode1, kNode2);
  RunFor(seconds(5));
  ASSERT_TRUE(probe.done());
  EXPECT_EQ(probe.value().status().code(), absl::StatusCode::kDeadlineExceeded);
  acceptor_.transport = std::move(accepted_[0].transport);
  acceptor_.Start();
  RunFor(seconds(5));
  EXPECT_FALSE(acceptor_.handler.closed());
  network_.HealAll();
  RunFor(seconds(5));
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
}

TEST_F(MemoryNetworkTest, Sever_EndsBothSidesAndLosesWhatIsOnItsWay) {
  Connect();
  dialer_.Write("lost");
  EXPECT_EQ(network_.Sever(kNode2, kNode1), 1);
  EXPECT_FALSE(dialer_.handler.closed());
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.handler.cause, CloseCause::kPeerClosed);
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
  EXPECT_TRUE(acceptor_.handler.messages.empty());
  EXPECT_EQ(network_.Connections(kNode1, kNode2), 0);
  EXPECT_EQ(network_.Sever(kNode1, kNode2), 0);
  EXPECT_TRUE(Dial(To(kNode2)).ok());
}

TEST_F(MemoryNetworkTest, Sever_LeavesOthersAlone) {
  Connect();
  EXPECT_EQ(network_.Sever(kNode1, "http://node3:9000"), 0);
  RunFor(seconds(1));
  EXPECT_FALSE(dialer_.handler.closed());
}

TEST_F(MemoryNetworkTest, Stall_HoldsMessagesAndTheEndUntilHealed) {
  Connect();
  dialer_.Write("m0");
  network_.Stall(kNode1, kNode2);
  RunFor(seconds(3));
  EXPECT_TRUE(acceptor_.handler.messages.empty());
  EXPECT_EQ(dialer_.handler.written, 1);  // into the window
  dialer_.Write("m1");
  dialer_.transport.reset();
  RunFor(seconds(60));
  EXPECT_TRUE(acceptor_.handler.messages.empty());
  EXPECT_FALSE(acceptor_.handler.closed());
  EXPECT_TRUE(Dial(To(kNode2)).ok());  // new connections are not stalled
  network_.Heal(kNode1, kNode2);
  EXPECT_TRUE(acceptor_.handler.messages.empty());
  RunFor(seconds(1));
  EXPECT_EQ(acceptor_.handler.messages, (std::vector<std::string>{"m0", "m1"}));
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
}

TEST_F(MemoryNetworkTest, Partition_IsSilentBothWaysUntilHealed) {
  Connect();
  network_.Partition(kNode2, kNode1);
  dialer_.Write("there");
  acceptor_.Write("back");
  RunFor(seconds(60));
  EXPECT_TRUE(acceptor_.handler.messages.empty());
  EXPECT_TRUE(dialer_.handler.messages.empty());
  network_.HealAll();
  RunFor(seconds(1));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"there"});
  EXPECT_EQ(dialer_.handler.messages, std::vector<std::string>{"back"});
}

TEST_F(MemoryNetworkTest, TransportsListenersAndDialsMayOutliveTheNetwork) {
  auto network = std::make_unique<MemoryNetwork>(clock_);
  const std::shared_ptr<Network> host = network->Host(kNode2);
  auto listener = host->Listen(Rules());
  ASSERT_TRUE(listener.ok());
  bool called = false;
  host->Dial(To(kNode2), [&](DialResult) { called = true; });
  RunUntil(
      io_, *clock_, [&] { return !accepted_.empty(); }, seconds(1));
  network.reset();
  RunFor(seconds(10));
  EXPECT_FALSE(called);
  accepted_.clear();
  EXPECT_EQ(clock_->pending(), 0u);
}

// The same seed, the same run: the times of everything that happens.
std::vector<int64_t> TimesOfARun(uint64_t seed) {
  const auto clock = std::make_shared<VirtualClock>();
  MemoryNetworkOptions options;
  options.seed = seed;
  MemoryNetwork network(clock, options);
  asio::io_context io;
  std::vector<int64_t> times;
  const auto note = [&] { times.push_back((clock->Now() - TimePoint{}).count()); };
  RecordedEnd dialer, acceptor;
  ListenRequest rules;
  rules.address = "node2:9000";
  rules.ios = {&io};
  rules.on_accept = [&](AcceptedTransport accepted) {
    acceptor.transport = std::move(accepted.transport);
    acceptor.handler.on_message = [&](BytesView) { note(); };
    acceptor.Start();
  };
  auto listener = network.Host(kNode2)->Listen(std::move(rules));
  network.Host(kNode1)->Dial({&io, kNode2, "", "", seconds(2)}, [&](DialResult result) {
    dialer.transport = *std::move(result);
    dialer.handler.on_written = [&] {
      note();
      if (dialer.handler.written < 10) dialer.Write("again");
    };
    dialer.Start();
    dialer.Write("first");
  });
  RunFor(io, *clock, seconds(1));
  return times;
}

TEST(MemoryNetworkSeedTest, DecidesEverything) {
  const std::vector<int64_t> times = TimesOfARun(7);
  EXPECT_EQ(times.size(), 20u);
  EXPECT_EQ(TimesOfARun(7), times);
  EXPECT_NE(TimesOfARun(8), times);
}

}  // namespace
}  // namespace grid::testing
