// Requests and streams while there is no connection: failing at once, waiting for one, stopped
// managers.
#include <boost/asio/use_future.hpp>
#include <future>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

class NotConnectedTest : public ScenarioTest {
 protected:
  void SetUp() override {
    Make({.names = testing::NamesForDialDirection(true)});
    ASSERT_TRUE(cluster().Start(0).ok());
  }
};

TEST_F(NotConnectedTest, RequestFailsAtOnceAsDisconnected) {
  cluster().RunFor(seconds(5));
  const TimePoint start = cluster().Now();
  const Reply reply = cluster().Call(0, 1, kEcho, AsBytes("x"));
  EXPECT_EQ(cluster().Now(), start);
  EXPECT_TRUE(IsDisconnected(reply.status())) << reply.status();
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
}

TEST_F(NotConnectedTest, StreamFailsAtOnceAsDisconnected) {
  const absl::StatusOr<Stream> stream = cluster().Peer(0, 1).OpenStream(kNumbers, {}, {});
  EXPECT_TRUE(IsDisconnected(stream.status())) << stream.status();
  EXPECT_EQ(DeliveryOf(stream.status()), Delivery::kNotSent);
}

TEST_F(NotConnectedTest, WaitForReady_IsSentOnceConnected) {
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kEcho, AsBytes("patient"), {.wait_for_ready = true},
                               probe.Handler());
  cluster().RunFor(seconds(10));
  EXPECT_FALSE(probe.done());
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, seconds(5)));
  EXPECT_EQ(Text(probe.value()), "patient");
}

TEST_F(NotConnectedTest, WaitForReady_EndsAtItsDeadlineNotSent) {
  const TimePoint start = cluster().Now();
  const Reply reply = cluster().Call(0, 1, kEcho, AsBytes("x"),
                                     {.timeout = milliseconds(4321), .wait_for_ready = true});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
  EXPECT_GE(cluster().Now() - start, milliseconds(4321));
  EXPECT_LE(cluster().Now() - start, milliseconds(4322));
}

TEST_F(NotConnectedTest, WaitForReady_DeadlineCountsTheWait) {
  ReplyProbe probe;
  const TimePoint start = cluster().Now();
  cluster().Peer(0, 1).Request(kHang, {}, {.timeout = seconds(30), .wait_for_ready = true},
                               probe.Handler());
  cluster().RunFor(seconds(10));
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, minutes(2)));
  EXPECT_EQ(record(1).hangs_started, 1);
  EXPECT_GE(cluster().Now() - start, seconds(30));
  EXPECT_LE(cluster().Now() - start, milliseconds(30'001));
}

TEST_F(NotConnectedTest, WaitForReady_AStreamOpensOnceConnected) {
  absl::StatusOr<Stream> stream =
      cluster().Peer(0, 1).OpenStream(kNumbers, AsBytes("2"), {.wait_for_ready = true});
  ASSERT_TRUE(stream.ok()) << stream.status();
  cluster().RunFor(seconds(5));
  ASSERT_TRUE(cluster().Start(1).ok());
  std::vector<std::string> got;
  const auto read = [&]() -> asio::awaitable<void> {
    for (;;) {
      ReadResult message = co_await stream->Read();
      if (!message.ok() || !message->has_value()) co_return;
      got.emplace_back((*message)->text());
    }
  };
  ASSERT_TRUE(cluster().Run(read()));
  EXPECT_EQ(got, (std::vector<std::string>{"0", "1"}));
}

TEST_F(NotConnectedTest, WaitConnected_CompletesWithTheConnection) {
  testing::Probe<absl::Status> connected("connected"), late("late"), now("now");
  cluster().Peer(0, 1).WaitConnected(seconds(3), late.Handler());
  cluster().Peer(0, 1).WaitConnected(seconds(60), connected.Handler());
  const TimePoint start = cluster().Now();
  ASSERT_TRUE(cluster().RunUntil([&] { return late.done(); }, seconds(10)));
  EXPECT_EQ(late.value().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(std::string(late.value().message()).find("refused"), std::string::npos) << late.value();
  EXPECT_GE(cluster().Now() - start, seconds(3));
  EXPECT_FALSE(connected.done());
  ASSERT_TRUE(cluster().Start(1).ok());
  ASSERT_TRUE(cluster().RunUntil([&] { return connected.done(); }, seconds(10)));
  EXPECT_TRUE(connected.value().ok());
  cluster().Peer(0, 1).WaitConnected(seconds(60), now.Handler());
  cluster().Drain();
  ASSERT_TRUE(now.done());
  EXPECT_TRUE(now.value().ok());
}

TEST_F(NotConnectedTest, HostThatIsNoPeer_IsNotFound) {
  ReplyProbe probe;
  Connection stranger = cluster().manager(0).Connection("http://stranger:1");
  stranger.Request(kEcho, {}, {}, probe.Handler());
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(probe.done());
  EXPECT_EQ(probe.value().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(stranger.OpenStream(kNumbers, {}, {}).status().code(), absl::StatusCode::kNotFound);
}

// It has no I/O thread to complete on, so this waits for a thread of the system's.
TEST_F(NotConnectedTest, HandleToNothing_FailsNotSent) {
  Connection nothing;
  EXPECT_EQ(nothing.OpenStream(kNumbers, {}, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const Reply reply = nothing.Request(kEcho, {}, {}, asio::use_future).get();
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
}

}  // namespace
}  // namespace grid
