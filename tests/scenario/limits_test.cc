// Every limit of grid::Limits, reached: the status, its delivery class, and the counter that names
// it.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

class LimitsTest : public ScenarioTest {
 protected:
  // Node 0 has `limits`; it dials.
  void StartWith(std::function<void(Limits&)> limits) {
    MakeAndStart({.names = testing::NamesForDialDirection(true),
                  .adjust = [limits](int node, ManagerOptions& options) {
                    if (node == 0) limits(options.limits);
                  }});
  }
  Reply CallNow(HandlerId handler, BytesView payload) {
    ReplyProbe probe;
    cluster().Peer(0, 1).Request(handler, payload, {}, probe.Handler());
    cluster().Drain();
    EXPECT_TRUE(probe.done()) << "not completed at once";
    return probe.done() ? std::move(probe.value()) : absl::InternalError("not completed");
  }
};

TEST_F(LimitsTest, MaxInflight_RejectsFurtherCallsUntilOneEnds) {
  StartWith([](Limits& limits) { limits.max_inflight = 3; });
  std::vector<ReplyProbe> probes(3);
  for (ReplyProbe& probe : probes) {
    cluster().Peer(0, 1).Request(kHang, {}, {.timeout = seconds(5)}, probe.Handler());
  }
  cluster().Drain();
  EXPECT_EQ(Stats(0, 1).outgoing_requests, 3u);
  const absl::Status status = CallNow(kEcho, AsBytes("x")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  EXPECT_NE(std::string(status.message()).find("max_inflight"), std::string::npos) << status;
  EXPECT_EQ(Drops(0, 1, "inflight-limit-out"), 1u);
  cluster().RunFor(seconds(6));
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("again"))), "again");
}

TEST_F(LimitsTest, MaxInflight_HoldsForWhatThePeerSends) {
  StartWith([](Limits& limits) { limits.max_inflight = 3; });
  std::vector<ReplyProbe> probes(4);
  for (ReplyProbe& probe : probes) {
    cluster().Peer(1, 0).Request(kHang, {}, {.timeout = seconds(5)}, probe.Handler());
  }
  cluster().RunFor(seconds(1));
  int rejected = 0;
  for (ReplyProbe& probe : probes) {
    if (!probe.done()) continue;
    ++rejected;
    EXPECT_EQ(DeliveryOf(probe.value().status()), Delivery::kRejected) << probe.value().status();
    EXPECT_TRUE(IsRemote(probe.value().status()));
  }
  EXPECT_EQ(rejected, 1);
  EXPECT_EQ(Stats(0, 1).incoming_requests, 3u);
  EXPECT_EQ(Drops(0, 1, "inflight-limit-in"), 1u);
  cluster().RunFor(seconds(10));
  ExpectIdle();
}

TEST_F(LimitsTest, MaxMessageBytes_RefusesToSendMore) {
  StartWith([](Limits& limits) { limits.max_message_bytes = 10'000; });
  const std::string large(10'001, 'x');
  const absl::Status status = CallNow(kEcho, AsBytes(large)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(IsSafeToRetry(status));
  EXPECT_NE(std::string(status.message()).find("max_message_bytes"), std::string::npos) << status;
  const std::string fits(9'900, 'x');
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes(fits))), fits);
  EXPECT_EQ(Stats(0, 1).connects, 1u);
}

TEST_F(LimitsTest, MaxBufferedBytes_RejectsRequestsThatNeedACopy) {
  StartWith([](Limits& limits) { limits.max_buffered_bytes = 32'000; });
  const std::string large(100'000, 'x');
  const absl::Status status = cluster().Call(1, 0, kWorkerEcho, AsBytes(large)).status();
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected) << status;
  EXPECT_NE(std::string(status.message()).find("max_buffered_bytes"), std::string::npos) << status;
  // It can't be put together already.
  EXPECT_EQ(Drops(0, 1, "reassembly-limit"), 1u);
  const std::string whole(50'000, 'x');
  EXPECT_EQ(DeliveryOf(cluster().Call(1, 0, kWorkerEcho, AsBytes(whole)).status()),
            Delivery::kRejected);
  EXPECT_EQ(Drops(0, 1, "handler-refused"), 1u);
  EXPECT_EQ(cluster().manager(0).Stats().buffers_refused, 2u);
  EXPECT_EQ(cluster().manager(1).Stats().buffers_refused, 0u);
  EXPECT_EQ(Text(cluster().Call(1, 0, kWorkerEcho, AsBytes("small"))), "small");
}

// Each manager has a pool of its own, so that what they say may be added up.
TEST_F(LimitsTest, BuffersTaken_AndAllocatedWhereNoneIsFree) {
  StartWith([](Limits&) {});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(cluster().Call(0, 1, kWorkerEcho, AsBytes("x")).ok());
  const ManagerStats warm = cluster().manager(0).Stats();
  EXPECT_GT(warm.buffers_allocated, 0u);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(cluster().Call(0, 1, kWorkerEcho, AsBytes("x")).ok());
  const ManagerStats stats = cluster().manager(0).Stats();
  EXPECT_GT(stats.buffers_taken, warm.buffers_taken);
  EXPECT_EQ(stats.buffers_allocated, warm.buffers_allocated);
  EXPECT_EQ(stats.buffers_refused, 0u);
}

TEST_F(LimitsTest, MaxBufferedBytes_EndsAStreamWhoseMessageIsNotRead) {
  StartWith([](Limits& limits) { limits.max_buffered_bytes = 32'000; });
  std::optional<ReadResult> last;
  ASSERT_TRUE(cluster().Run(
      [](Connection peer, std::optional<ReadResult>& result) -> asio::awaitable<void> {
        absl::StatusOr<Stream> stream = peer.OpenStream(kStreamBlock, {}, {.has_input = true});
        ReadResult ready = co_await stream->Read();
        const std::string large(50'000, 'x');
        absl::Status written = co_await stream->Write(AsBytes(large));
        result = co_await stream->Read();
      }(cluster().Peer(1, 0), last)));
  ASSERT_TRUE(last.has_value());
  EXPECT_NE(std::string(last->status().message()).find("max_buffered_bytes"), std::string::npos)
      << last->status();
  EXPECT_EQ(Drops(0, 1, "buffered-limit"), 1u);
  cluster().RunFor(seconds(1));
  ExpectIdle();
}

TEST_F(LimitsTest, MaxOutputBytes_RejectsWhileThePeerDoesNotRead) {
  StartWith([](Limits& limits) { limits.max_output_bytes = 1'000'000; });
  cluster().Stall(0, 1);
  const std::string payload(100'000, 'x');
  std::vector<ReplyProbe> probes(40);
  for (ReplyProbe& probe : probes) {
    cluster().Peer(0, 1).Request(kEcho, AsBytes(payload), {}, probe.Handler());
  }
  cluster().Drain();
  int rejected = 0;
  for (ReplyProbe& probe : probes) {
    if (!probe.done()) continue;
    ++rejected;
    const absl::Status& status = probe.value().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
    EXPECT_NE(std::string(status.message()).find("max_output_bytes"), std::string::npos) << status;
  }
  EXPECT_GE(rejected, 25);
  EXPECT_LE(rejected, 32);
  EXPECT_EQ(Drops(0, 1, "output-limit"), static_cast<uint64_t>(rejected));
  EXPECT_LE(Stats(0, 1).output_bytes, 1'200'000u);
  cluster().Heal(0, 1);
  cluster().RunFor(seconds(1));
  for (ReplyProbe& probe : probes) ASSERT_TRUE(probe.done());
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
  ExpectIdle();
}

TEST_F(LimitsTest, StalledWrite_DropsTheConnectionAfterItsBound) {
  StartWith([](Limits&) {});
  cluster().Stall(0, 1);
  const std::string payload(1'000'000, 'x');  // more than the network takes
  ReplyProbe probe;
  const TimePoint start = cluster().Now();
  cluster().Peer(0, 1).Request(kEcho, AsBytes(payload), {}, probe.Handler());
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, seconds(10)));
  EXPECT_TRUE(IsDisconnected(probe.value().status())) << probe.value().status();
  EXPECT_GE(cluster().Now() - start, seconds(3));
  EXPECT_LE(cluster().Now() - start, milliseconds(7'001));
  EXPECT_EQ(Drops(0, 1, "close-write-stall"), 1u);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
}

TEST_F(LimitsTest, MaxWaiting_RejectsFurtherWaiters) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [](int, ManagerOptions& options) { options.limits.max_waiting = 2; }});
  ASSERT_TRUE(cluster().Start(0).ok());
  std::vector<ReplyProbe> probes(3);
  for (ReplyProbe& probe : probes) {
    cluster().Peer(0, 1).Request(kEcho, {}, {.timeout = seconds(5), .wait_for_ready = true},
                                 probe.Handler());
  }
  cluster().Drain();
  ASSERT_TRUE(probes[2].done());
  EXPECT_EQ(probes[2].value().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DeliveryOf(probes[2].value().status()), Delivery::kRejected);
  EXPECT_EQ(Drops(0, 1, "waiting-limit"), 1u);
  EXPECT_FALSE(probes[0].done() || probes[1].done());
  cluster().RunFor(seconds(6));
  EXPECT_TRUE(probes[0].done() && probes[1].done());
}

TEST_F(LimitsTest, MaxWorkerQueue_RejectsWhatFindsNoRoom) {
  Make({.names = testing::NamesForDialDirection(true),
        .adjust = [](int, ManagerOptions& options) { options.limits.max_worker_queue = 5; }});
  ASSERT_TRUE(cluster().StartAll());
  // One message brings them all, so they reach the workers' queue before any of it has run.
  std::vector<ReplyProbe> probes(50);
  for (ReplyProbe& probe : probes) {
    cluster().Peer(0, 1).Request(kWorkerEcho, AsBytes("x"), {}, probe.Handler());
  }
  cluster().RunFor(seconds(1));
  int rejected = 0;
  for (ReplyProbe& probe : probes) {
    ASSERT_TRUE(probe.done());
    if (probe.value().ok()) continue;
    ++rejected;
    EXPECT_EQ(DeliveryOf(probe.value().status()), Delivery::kRejected) << probe.value().status();
  }
  EXPECT_GT(rejected, 0);
  EXPECT_LT(rejected, 50);
  EXPECT_EQ(Drops(1, 0, "handler-refused"), static_cast<uint64_t>(rejected));
  ExpectIdle();
}

TEST_F(LimitsTest, AStoppedPeer_DelaysNoOther) {
  MakeAndStart({.nodes = 3});
  cluster().Stall(0, 1);
  ReplyProbe stuck;
  cluster().Peer(0, 1).Request(kEcho, AsBytes("x"), {}, stuck.Handler());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Text(cluster().Call(0, 2, kEcho, AsBytes("x"), {.timeout = milliseconds(10)})), "x");
  }
  EXPECT_FALSE(stuck.done());
  cluster().RunFor(minutes(2));
  EXPECT_TRUE(stuck.done());
}

TEST_F(LimitsTest, MaxResets_EndsTheConnectionOfAPeerThatCancelsTooMuch) {
  StartWith([](Limits& limits) {
    limits.max_resets = 50;
    limits.resets_per_second = 10;
  });
  const auto cancel_some = [this](int calls) {
    for (int i = 0; i < calls; ++i) {
      ReplyProbe probe;
      asio::cancellation_signal cancel;
      cluster().Peer(1, 0).Request(kHang, {}, {},
                                   asio::bind_cancellation_slot(cancel.slot(), probe.Handler()));
      cluster().RunFor(milliseconds(1));
      cancel.emit(asio::cancellation_type::terminal);
      cluster().RunFor(milliseconds(1));
      EXPECT_TRUE(probe.done());
    }
  };
  // Ten per second, for ever.
  for (int second = 0; second < 60; ++second) {
    cancel_some(10);
    cluster().RunFor(milliseconds(980));
  }
  EXPECT_EQ(Stats(0, 1).resets, 600u);
  EXPECT_EQ(Stats(1, 0).connects, 1u);
  cancel_some(60);
  EXPECT_EQ(Drops(0, 1, "close-too-many-resets"), 1u);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Text(cluster().Call(1, 0, kEcho, AsBytes("again"))), "again");
}

}  // namespace
}  // namespace grid
