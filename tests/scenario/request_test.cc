// Single requests between two managers.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

// The parameter: does node 0 dial node 1, or the other way round?
class RequestTest : public ScenarioTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override { MakeAndStart({.names = testing::NamesForDialDirection(GetParam())}); }
  Duration Since(TimePoint start) { return cluster().Now() - start; }
};

INSTANTIATE_TEST_SUITE_P(BothDialDirections, RequestTest, ::testing::Bool(),
                         [](const auto& direction) {
                           return direction.param ? "CallerDialled" : "CallerWasDialled";
                         });

TEST_P(RequestTest, EchoesEachWay_NilAndEmptyAndLarge) {
  for (const auto& [from, to] : {std::pair(0, 1), std::pair(1, 0)}) {
    for (const HandlerId handler : {kEcho, kWorkerEcho}) {
      Reply nil = cluster().Call(from, to, handler, {});
      ASSERT_TRUE(nil.ok()) << nil.status();
      EXPECT_TRUE(nil->is_nil());
      for (const size_t size : {1, 255, 256, 65'535, 65'536, 1'000'000}) {
        const std::string payload(size, 'x');
        EXPECT_EQ(Text(cluster().Call(from, to, handler, AsBytes(payload))), payload);
      }
    }
  }
  ExpectIdle();
}

TEST_P(RequestTest, NilAndEmptyRepliesDiffer) {
  Reply nil = cluster().Call(0, 1, HandlerId{15}, AsBytes("x"));
  Reply empty = cluster().Call(0, 1, HandlerId{16}, AsBytes("x"));
  ASSERT_TRUE(nil.ok() && empty.ok());
  EXPECT_TRUE(nil->is_nil());
  EXPECT_FALSE(empty->is_nil());
  EXPECT_EQ(empty->size(), 0u);
}

TEST_P(RequestTest, ManyAtOnce_AreMergedAndAllAnswered) {
  constexpr int kRequests = 500;
  std::vector<ReplyProbe> probes;
  for (int i = 0; i < kRequests; ++i) {
    probes.emplace_back("request " + std::to_string(i));
    const std::string payload = std::to_string(i);
    cluster().Peer(0, 1).Request(kEcho, AsBytes(payload), {}, probes.back().Handler());
  }
  cluster().RunFor(seconds(1));
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(probes[i].done());
    EXPECT_EQ(Text(probes[i].value()), std::to_string(i));
  }
  const ConnectionStats stats = Stats(0, 1);
  EXPECT_GT(stats.merged_out, uint64_t{kRequests / 2});
  EXPECT_LT(stats.writes, uint64_t{kRequests / 2});
  ExpectIdle();
}

TEST_P(RequestTest, CallerIsKnownToTheHandler) {
  const std::string caller = Text(cluster().Call(0, 1, kCaller, {}));
  EXPECT_EQ(caller.find(cluster().name(0) + " "), 0u) << caller;
}

TEST_P(RequestTest, UnknownHandler_IsRejected) {
  const Reply reply = cluster().Call(0, 1, kUnknown, AsBytes("x"));
  ASSERT_FALSE(reply.ok());
  EXPECT_TRUE(IsRemote(reply.status()));
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kRejected);
  EXPECT_EQ(Drops(1, 0, "unknown-handler"), 1u);
}

TEST_P(RequestTest, InvalidHandler_IsNotSent) {
  const Reply reply = cluster().Call(0, 1, HandlerId{65536}, AsBytes("x"));
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
}

TEST_P(RequestTest, HandlersError_IsRemoteAndExecuted) {
  const Reply reply = cluster().Call(0, 1, kError, AsBytes("text"));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.status().message(), "remote error: text");
  EXPECT_TRUE(IsRemote(reply.status()));
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kExecuted);
}

TEST_P(RequestTest, HandlersException_IsAnErrorAndTheConnectionGoesOn) {
  const Reply reply = cluster().Call(0, 1, kThrow, AsBytes("x"));
  ASSERT_FALSE(reply.ok());
  EXPECT_NE(std::string(reply.status().message()).find("boom"), std::string::npos);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kExecuted);
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("still here"))), "still here");
  EXPECT_EQ(Stats(0, 1).connects, 1u);
}

TEST_P(RequestTest, Subroute_FindsItsHandlerOnly) {
  Connection peer = cluster().Peer(0, 1);
  const auto call = [&](Subroute where) {
    ReplyProbe probe;
    where.Request(kSubrouted, AsBytes("x"), {}, probe.Handler());
    cluster().RunUntil([&] { return probe.done(); }, seconds(5));
    return std::move(probe.value());
  };
  EXPECT_EQ(Text(call(peer.Subroute("sub/route"))), "sub:x");
  EXPECT_EQ(Text(call(peer.Subroute("sub").At("route"))), "sub:x");
  EXPECT_EQ(DeliveryOf(call(peer.Subroute("other")).status()), Delivery::kRejected);
  EXPECT_EQ(DeliveryOf(cluster().Call(0, 1, kSubrouted, {}).status()), Delivery::kRejected);
}

TEST_P(RequestTest, Deadline_EndsTheCallToTheMillisecondAndCancelsTheHandler) {
  for (const int ms : {1, 17, 250, 3000}) {
    const TimePoint start = cluster().Now();
    const Reply reply = cluster().Call(0, 1, kHang, {}, {.timeout = milliseconds(ms)});
    EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kMaybeExecuted);
    EXPECT_GE(Since(start), milliseconds(ms));
    EXPECT_LE(Since(start), milliseconds(ms + 1));
  }
  cluster().RunFor(milliseconds(10));
  EXPECT_EQ(record(1).hangs_cancelled, record(1).hangs_started);
  EXPECT_GE(record(1).hangs_started, 3);
  EXPECT_EQ(record(1).hang_cancellation.code(), absl::StatusCode::kDeadlineExceeded);
  ExpectIdle();
}

TEST_P(RequestTest, WithoutTimeout_TheDefaultMinuteHolds) {
  const TimePoint start = cluster().Now();
  const Reply reply = cluster().Call(0, 1, kHang, {});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(Since(start), seconds(60));
  EXPECT_LE(Since(start), milliseconds(60'001));
}

TEST_P(RequestTest, NegativeTimeout_IsNotSent) {
  const uint64_t before = Stats(0, 1).messages_out;
  const Reply reply = cluster().Call(0, 1, kEcho, {}, {.timeout = milliseconds(-1)});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DeliveryOf(reply.status()), Delivery::kNotSent);
  EXPECT_EQ(Stats(0, 1).messages_out, before);
}

TEST_P(RequestTest, AnswerAfterTheDeadline_IsDroppedQuietly) {
  // The caller gives up a hair before the answer arrives; the handler was in time by its own count.
  int late = 0;
  for (int i = 0; i < 200; ++i) {
    const Reply reply = cluster().Call(0, 1, kSleep, AsBytes("4"), {.timeout = milliseconds(5)});
    late += reply.ok() ? 0 : 1;
  }
  cluster().RunFor(seconds(1));
  EXPECT_EQ(Drops(0, 1, "late-response") + Drops(1, 0, "expired-reply"),
            static_cast<uint64_t>(late));
  ExpectIdle();
}

TEST_P(RequestTest, Cancellation_CompletesAtOnceAndReachesTheHandler) {
  asio::cancellation_signal signal;
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kHang, {}, {},
                               asio::bind_cancellation_slot(signal.slot(), probe.Handler()));
  cluster().RunFor(milliseconds(10));
  ASSERT_EQ(record(1).hangs_started, 1);
  const TimePoint start = cluster().Now();
  signal.emit(asio::cancellation_type::terminal);
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, seconds(1)));
  EXPECT_EQ(Since(start), Duration::zero());
  EXPECT_EQ(probe.value().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(DeliveryOf(probe.value().status()), Delivery::kMaybeExecuted);
  cluster().RunFor(milliseconds(10));
  EXPECT_EQ(record(1).hangs_cancelled, 1);
  EXPECT_EQ(record(1).hang_cancellation.code(), absl::StatusCode::kCancelled);
  ExpectIdle();
}

TEST_P(RequestTest, CancellationInTheSameInstant_CompletesOnce) {
  asio::cancellation_signal signal;
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kEcho, AsBytes("x"), {},
                               asio::bind_cancellation_slot(signal.slot(), probe.Handler()));
  signal.emit(asio::cancellation_type::terminal);
  cluster().RunFor(seconds(1));
  ASSERT_TRUE(probe.done());
  EXPECT_EQ(probe.value().status().code(), absl::StatusCode::kCancelled);
  signal.emit(asio::cancellation_type::terminal);  // of no effect
  ExpectIdle();
}

TEST_P(RequestTest, CancellationAfterTheReply_HasNoEffect) {
  asio::cancellation_signal signal;
  ReplyProbe probe;
  cluster().Peer(0, 1).Request(kEcho, AsBytes("x"), {},
                               asio::bind_cancellation_slot(signal.slot(), probe.Handler()));
  ASSERT_TRUE(cluster().RunUntil([&] { return probe.done(); }, seconds(1)));
  signal.emit(asio::cancellation_type::terminal);
  cluster().RunFor(seconds(1));
  EXPECT_EQ(Text(probe.value()), "x");
}

TEST_P(RequestTest, AwaitedFromACoroutine) {
  std::string text;
  const auto call = [&]() -> asio::awaitable<void> {
    Connection peer = cluster().Peer(0, 1);
    const Reply reply = co_await peer.Request(kEcho, AsBytes("awaited"));
    text = Text(reply);
  };
  ASSERT_TRUE(cluster().Run(call()));
  EXPECT_EQ(text, "awaited");
}

TEST_P(RequestTest, StartedFromACompletion) {
  std::vector<std::string> replies;
  Connection peer = cluster().Peer(0, 1);
  std::function<void(Reply)> next = [&](Reply reply) {
    replies.push_back(Text(reply));
    if (replies.size() < 10) peer.Request(kEcho, AsBytes(replies.back() + "+"), {}, next);
  };
  peer.Request(kEcho, AsBytes("+"), {}, next);
  cluster().RunFor(seconds(1));
  ASSERT_EQ(replies.size(), 10u);
  EXPECT_EQ(replies.back(), "++++++++++");
}

}  // namespace
}  // namespace grid
