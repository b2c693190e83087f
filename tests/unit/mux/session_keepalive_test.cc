// Pings of the connection and of streams, and what happens without.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "serialization/control_payloads.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::EncodedPayload;
using test::SentMessage;
using test::StreamProbe;

// The wall clock at kStart plus `after`, as pings carry it.
WireTime WallAfter(Duration after) {
  const auto at = test::kWallStart.time_since_epoch() + after;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  return {seconds.count(), static_cast<int32_t>(std::chrono::nanoseconds(at - seconds).count())};
}

class SessionKeepAlive : public test::WireTest {
 protected:
  void ReceivePong(WireTime time, uint64_t mux_id = 0, bool not_found = false) {
    const std::string payload =
        EncodedPayload(PongMessage{.not_found = not_found, .error = {}, .time = time});
    Receive({.mux_id = mux_id, .op = Op::kPong, .payload = AsBytes(payload)});
  }
  // Answers every ping of the connection until `by` has passed; returns what else was sent.
  std::vector<SentMessage> AdvanceAnsweringPings(Duration by) {
    std::vector<SentMessage> others;
    for (; by > Duration::zero(); by -= 500ms) {
      Advance(std::min<Duration>(by, 500ms));
      for (SentMessage& sent : Sent()) {
        if (sent.op == Op::kPing && sent.mux_id == 0) {
          ReceivePong({});
        } else {
          others.push_back(std::move(sent));
        }
      }
    }
    return others;
  }
};

// --- The connection ---

TEST_F(SessionKeepAlive, ConnectionPing_GoesOutEachInterval) {
  Advance(10s - 1ns);
  EXPECT_FALSE(session().CanStartWrite());
  Advance(1ns);
  const std::string first = EncodedPayload(PingMessage{WallAfter(10s)});
  // No checksum; the deadline field holds the interval.
  EXPECT_EQ(SentOne().bytes,
            test::Encoded({.deadline_ms = 10'000, .op = Op::kPing, .payload = AsBytes(first)}));
  ReceivePong({});
  Advance(10s);
  const std::string second = EncodedPayload(PingMessage{WallAfter(20s)});
  EXPECT_EQ(SentOne().payload, second);
}

TEST_F(SessionKeepAlive, ConnectionWithPongs_Stays) {
  AdvanceAnsweringPings(10min);
  EXPECT_TRUE(host().ends.empty());
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionKeepAlive, NoPongForTwoIntervals_EndsTheConnection) {
  // Whenever the last pong came, between pings or right after one.
  for (const Duration delay : {Duration(0), Duration(1ms), Duration(4s), Duration(9'999ms)}) {
    Restart(test::TestConfig());
    AdvanceAnsweringPings(60s);
    Advance(delay);
    ReceivePong({});
    Advance(20s - 1ms);
    EXPECT_TRUE(host().ends.empty());
    Advance(1ms);
    ASSERT_EQ(host().ends.size(), 1u);
    EXPECT_EQ(host().ends[0].why, SessionEnd::kPingTimeout);
    int pings = 0;
    for (const SentMessage& sent : Sent()) pings += sent.op == Op::kPing ? 1 : 0;
    EXPECT_EQ(pings, delay == 0ms ? 1 : 2);
    Advance(5min);
    EXPECT_EQ(host().ends.size(), 1u);
  }
}

TEST_F(SessionKeepAlive, NoPongAtAll_EndsTheConnectionAfterTwoIntervals) {
  Advance(20s - 1ms);
  EXPECT_TRUE(host().ends.empty());
  Advance(1ms);
  EXPECT_EQ(host().ends.size(), 1u);
}

TEST_F(SessionKeepAlive, OtherMessages_AreNoPong) {
  const TimePoint start = now_;
  while (host().ends.empty() && now_ < start + 1min) {
    Advance(1s);
    Receive({.op = Op::kPing});
  }
  EXPECT_EQ(now_ - start, 20s);
}

TEST_F(SessionKeepAlive, Pong_GivesTheRoundTrip) {
  Advance(10s);
  Sent();
  Advance(7ms);
  ReceivePong(WallAfter(10s));
  EXPECT_EQ(end_->counters.round_trip_ns.Get(), 7'000'000u);
  EXPECT_EQ(end_->counters.last_pong_ns.Get(),
            static_cast<uint64_t>(std::chrono::nanoseconds(now_.time_since_epoch()).count()));
}

TEST_F(SessionKeepAlive, PongToAnEarlierPing_GivesNoRoundTrip) {
  Advance(10s);
  ReceivePong(WallAfter(9s));
  EXPECT_EQ(end_->counters.round_trip_ns.Get(), 0u);
  EXPECT_NE(end_->counters.last_pong_ns.Get(), 0u);
}

TEST_F(SessionKeepAlive, PongThatWasNotAskedFor_IsCounted) {
  ReceivePong(WallAfter(0s));
  EXPECT_EQ(end_->Dropped(Drop::kUnexpectedOp), 1u);
  EXPECT_EQ(end_->counters.last_pong_ns.Get(), 0u);
}

TEST_F(SessionKeepAlive, PongThatCannotBeRead_IsNone) {
  Advance(10s);
  Receive({.op = Op::kPong, .payload = AsBytes("\xc1")});
  EXPECT_EQ(end_->Dropped(Drop::kBadControlPayload), 1u);
  EXPECT_EQ(end_->counters.last_pong_ns.Get(), 0u);
}

TEST_F(SessionKeepAlive, ConnectionPing_IsAnsweredWithItsTime) {
  const WireTime time{1'700'000'000, 123};
  const std::string ping = EncodedPayload(PingMessage{time});
  const std::string pong =
      EncodedPayload(PongMessage{.not_found = false, .error = {}, .time = time});
  // As version 1 sends it: without a checksum. The answer has one.
  ReceiveBytes(test::Encoded({.deadline_ms = 10'000, .op = Op::kPing, .payload = AsBytes(ping)}));
  EXPECT_EQ(
      SentOne().bytes,
      test::Encoded(
          {.deadline_ms = 10'000, .op = Op::kPong, .flags = kFlagCrc, .payload = AsBytes(pong)}));
}

TEST_F(SessionKeepAlive, PingWithoutPayload_IsAnsweredWithGosZeroTime) {
  const std::string pong = EncodedPayload(PongMessage{});
  for (const uint8_t flags : {uint8_t{0}, kFlagPayloadIsZero}) {
    Receive({.op = Op::kPing, .flags = flags});
    EXPECT_EQ(SentOne().payload, pong);
  }
  Receive({.op = Op::kPing, .payload = AsBytes("\xc1")});
  EXPECT_EQ(SentOne().payload, pong);
  EXPECT_EQ(end_->Dropped(Drop::kBadControlPayload), 1u);
}

TEST_F(SessionKeepAlive, Pong_CopiesEveryFieldButTheSubroute) {
  const SubrouteId id = MakeSubrouteId("a", 1);
  const std::string pong = EncodedPayload(PongMessage{});
  const uint8_t flags = kFlagCrc | kFlagEof | kFlagStateless | kFlagPayloadIsZero | 0xc0;
  for (const uint64_t mux_id : {0u, 99u}) {
    Receive({.mux_id = mux_id,
             .seq = 3,
             .deadline_ms = 4,
             .handler = 5,
             .op = Op::kPing,
             .flags = flags | kFlagSubroute,
             .subroute = id.bytes.data()});
    const SentMessage sent = SentOne();
    EXPECT_EQ(sent.op, Op::kPong);
    EXPECT_EQ(sent.mux_id, mux_id);
    EXPECT_EQ(sent.seq, 3u);
    EXPECT_EQ(sent.deadline_ms, 4u);
    EXPECT_EQ(sent.handler, 5u);
    EXPECT_EQ(sent.flags, flags);
    EXPECT_TRUE(sent.subroute.empty());
  }
}

// --- Streams: the caller pings ---

class SessionStreamPings : public SessionKeepAlive {
 protected:
  void Open(TimePoint deadline = TimePoint::max()) {
    id_ = (*end_->Open(probe_.get(), test::kStreamOne, deadline))->id;
    Sent();
    Receive({.mux_id = id_, .op = Op::kAckMux});
  }

  std::unique_ptr<StreamProbe> probe_ = std::make_unique<StreamProbe>();
  uint64_t id_ = 0;
};

TEST_F(SessionStreamPings, Caller_PingsEachInterval) {
  Open();
  EXPECT_TRUE(AdvanceAnsweringPings(14s + 500ms).empty());
  for (uint32_t seq = 1; seq <= 4; ++seq) {
    const std::vector<SentMessage> sent = AdvanceAnsweringPings(seq == 1 ? 500ms : 15s);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes,
              test::Encoded({.mux_id = id_, .seq = seq, .op = Op::kPing, .flags = kFlagCrc}));
    ReceivePong({}, id_);
  }
  EXPECT_EQ(probe_->ends, 0);
}

TEST_F(SessionStreamPings, ShortDeadline_NeedsNoPings) {
  Open(now_ + 15s);
  EXPECT_TRUE(AdvanceAnsweringPings(14s + 500ms).empty());
}

TEST_F(SessionStreamPings, LongDeadline_NeedsPings) {
  Open(now_ + 15s + 1ms);
  const std::vector<SentMessage> sent = AdvanceAnsweringPings(15s);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].op, Op::kPing);
}

TEST_F(SessionStreamPings, CallerWithoutPongs_GivesUpAfterTwoIntervals) {
  Open();
  EXPECT_EQ(AdvanceAnsweringPings(29s + 500ms).size(), 1u);
  EXPECT_EQ(probe_->ends, 0);
  const std::vector<SentMessage> sent = AdvanceAnsweringPings(500ms);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].op, Op::kDisconnectServerMux);
  EXPECT_EQ(probe_->ends, 1);
  EXPECT_EQ(probe_->end.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DeliveryOf(probe_->end), Delivery::kMaybeExecuted);
  EXPECT_EQ(end_->Dropped(Drop::kStreamPingTimeout), 1u);
  EXPECT_TRUE(session().Idle());
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionStreamPings, CallerGivesUp_TwoIntervalsAfterTheLastSignOfLife) {
  for (const Duration delay : {Duration(1ms), Duration(7s), Duration(14'999ms)}) {
    Restart(test::TestConfig());
    probe_ = std::make_unique<StreamProbe>();
    Open();
    Advance(delay);
    Receive({.mux_id = id_, .seq = 1, .op = Op::kUnblockClMux});
    // The connection's own pongs are of no use to the stream.
    for (const Duration step : {Duration(9s), Duration(9s), Duration(9s), Duration(3s - 1ms)}) {
      Advance(step);
      ReceivePong({});
    }
    EXPECT_EQ(probe_->ends, 0);
    Advance(1ms);
    EXPECT_EQ(probe_->ends, 1);
    int pings = 0;
    for (const SentMessage& sent : Sent()) {
      pings += sent.op == Op::kPing && sent.mux_id == id_ ? 1 : 0;
    }
    EXPECT_EQ(pings, 2);
  }
}

TEST_F(SessionStreamPings, AnyMessage_IsASignOfLifeToTheCaller) {
  Open();
  for (uint32_t seq = 1; seq <= 20; ++seq) {
    AdvanceAnsweringPings(10s);
    Receive({.mux_id = id_, .seq = seq, .op = Op::kUnblockClMux});
  }
  EXPECT_EQ(probe_->ends, 0);
}

TEST_F(SessionStreamPings, PongNotFound_EndsTheStream) {
  Open();
  ReceivePong({}, id_, /*not_found=*/true);
  EXPECT_EQ(probe_->end.code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(IsRemote(probe_->end));
  EXPECT_TRUE(session().Idle());
  ReceivePong({}, id_);
  EXPECT_EQ(end_->Dropped(Drop::kLateStreamMessage), 1u);
}

TEST_F(SessionStreamPings, PongWithAnError_EndsTheStream) {
  Open();
  const std::string payload =
      EncodedPayload(PongMessage{.not_found = false, .error = "context canceled", .time = {}});
  Receive({.mux_id = id_, .op = Op::kPong, .payload = AsBytes(payload)});
  EXPECT_EQ(probe_->end.message(), "context canceled");
  EXPECT_TRUE(IsRemote(probe_->end));
}

TEST_F(SessionStreamPings, PongThatCannotBeRead_IsCounted) {
  Open();
  Receive({.mux_id = id_, .op = Op::kPong, .payload = AsBytes("\xc1")});
  EXPECT_EQ(end_->Dropped(Drop::kBadControlPayload), 1u);
  EXPECT_EQ(probe_->ends, 0);
}

// --- Streams: the handler's end waits for pings ---

class SessionStreamPatience : public SessionKeepAlive {
 protected:
  void Open(uint32_t deadline_ms = 0) {
    Receive({.mux_id = 5,
             .deadline_ms = deadline_ms,
             .handler = test::kStreamOne,
             .op = Op::kConnectMux});
    Sent();
  }
  StreamProbe& probe() { return host().streams.back().probe; }
};

TEST_F(SessionStreamPatience, Ping_IsAnswered) {
  Open();
  const std::string pong = EncodedPayload(PongMessage{});
  Receive({.mux_id = 5, .seq = 1, .op = Op::kPing});
  EXPECT_EQ(
      SentOne().bytes,
      test::Encoded(
          {.mux_id = 5, .seq = 1, .op = Op::kPong, .flags = kFlagCrc, .payload = AsBytes(pong)}));
  // It takes a number of the client's count, its answer none of ours.
  Receive({.mux_id = 5, .seq = 2, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  session().Consumed(host().streams.back().mux, 1, 1, now_);
  EXPECT_EQ(SentOne().seq, 1u);
}

TEST_F(SessionStreamPatience, PingOfAnUnknownStream_IsAnsweredNotFound) {
  const std::string pong = EncodedPayload(PongMessage{.not_found = true, .error = {}, .time = {}});
  Receive({.mux_id = 9, .seq = 4, .op = Op::kPing});
  EXPECT_EQ(
      SentOne().bytes,
      test::Encoded(
          {.mux_id = 9, .seq = 4, .op = Op::kPong, .flags = kFlagCrc, .payload = AsBytes(pong)}));
  // One that is over, but whose handler still runs, is gone to the client.
  Open();
  Receive({.mux_id = 5, .op = Op::kDisconnectServerMux});
  Receive({.mux_id = 5, .seq = 1, .op = Op::kPing});
  EXPECT_EQ(SentOne().payload, pong);
}

TEST_F(SessionStreamPatience, PingOutOfSequence_IsNotAnswered) {
  Open();
  Receive({.mux_id = 5, .seq = 2, .op = Op::kPing});
  for (const SentMessage& sent : Sent()) EXPECT_NE(sent.op, Op::kPong);
  EXPECT_EQ(probe().ends, 1);
}

TEST_F(SessionStreamPatience, HandlerWithoutPings_GivesUpAfterFourIntervals) {
  Open();
  AdvanceAnsweringPings(59s + 500ms);
  EXPECT_EQ(probe().ends, 0);
  const std::vector<SentMessage> sent = AdvanceAnsweringPings(500ms);
  EXPECT_EQ(probe().ends, 1);
  EXPECT_EQ(probe().end.code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].flags, kFlagCrc | kFlagEof | kFlagPayloadIsErr);
  EXPECT_EQ(sent[1].op, Op::kDisconnectClientMux);
  EXPECT_EQ(end_->Dropped(Drop::kStreamPingTimeout), 1u);
}

TEST_F(SessionStreamPatience, Ping_GivesFourIntervalsMore) {
  Open();
  AdvanceAnsweringPings(59s);
  Receive({.mux_id = 5, .seq = 1, .op = Op::kPing});
  AdvanceAnsweringPings(59s + 500ms);
  EXPECT_EQ(probe().ends, 0);
  AdvanceAnsweringPings(500ms);
  EXPECT_EQ(probe().ends, 1);
}

TEST_F(SessionStreamPatience, ShortDeadline_NeedsNoPings) {
  Open(15'000);
  AdvanceAnsweringPings(14s + 500ms);
  EXPECT_EQ(probe().ends, 0);
  AdvanceAnsweringPings(500ms);
  EXPECT_EQ(probe().end.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(end_->Dropped(Drop::kStreamPingTimeout), 0u);
}

TEST_F(SessionStreamPatience, LongDeadline_NeedsPings) {
  Open(600'000);
  AdvanceAnsweringPings(60s);
  EXPECT_EQ(probe().end.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace grid
