// Limits: what is refused when one is reached, with which status, delivery class and counter.
#include <gtest/gtest.h>

#include <string>

#include "serialization/control_payloads.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::CallProbe;
using test::kSingle;
using test::SentMessage;
using test::StreamProbe;
using Mode = test::TestHost::Mode;

SessionConfig SmallConfig() {
  SessionConfig config = test::TestConfig();
  config.max_inflight = 3;
  config.max_message_bytes = 1000;
  config.max_output_bytes = 4000;
  return config;
}

class SessionLimits : public test::WireTest {
 protected:
  SessionLimits() : WireTest(SmallConfig()) {}

  static void ExpectRefused(const absl::Status& status, absl::StatusCode code, Delivery delivery,
                            absl::string_view names) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(DeliveryOf(status), delivery);
    EXPECT_FALSE(IsRemote(status));
    EXPECT_NE(status.message().find(names), absl::string_view::npos) << status;
  }
};

TEST_F(SessionLimits, InflightOut_CountsCallsAndStreams) {
  CallProbe first, second, refused;
  StreamProbe stream, no_stream;
  const absl::StatusOr<uint64_t> id = end_->Call(&first, "x");
  ASSERT_TRUE(end_->Call(&second, "x").ok());
  ASSERT_TRUE(end_->Open(&stream, test::kStreamOne).ok());
  ExpectRefused(end_->Call(&refused, "x").status(), absl::StatusCode::kResourceExhausted,
                Delivery::kRejected, "max_inflight");
  ExpectRefused(end_->Open(&no_stream, test::kStreamOne).status(),
                absl::StatusCode::kResourceExhausted, Delivery::kRejected, "max_inflight");
  EXPECT_EQ(end_->Dropped(Drop::kInflightLimitOut), 2u);
  EXPECT_EQ(refused.outcomes, 0);
  Receive({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof});
  CallProbe fits;
  EXPECT_TRUE(end_->Call(&fits, "x").ok());
}

TEST_F(SessionLimits, InflightIn_IsAnsweredWithMuxConnectError) {
  host().mode = Mode::kHold;
  const auto request = [&](uint64_t id) {
    Receive({.mux_id = id, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  };
  request(1);
  request(2);
  Receive({.mux_id = 3, .handler = test::kStreamOne, .op = Op::kConnectMux});
  Sent();
  request(4);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kMuxConnectError);
  EXPECT_EQ(sent.mux_id, 4u);
  MuxConnectError error;
  ASSERT_TRUE(Decode(AsBytes(sent.payload), &error).ok());
  EXPECT_NE(error.error.find("limit 3"), std::string::npos) << error.error;
  Receive({.mux_id = 5, .handler = test::kStreamOne, .op = Op::kConnectMux});
  EXPECT_EQ(SentOne().op, Op::kMuxConnectError);
  EXPECT_EQ(end_->Dropped(Drop::kInflightLimitIn), 2u);
  EXPECT_EQ(host().requests.size(), 2u);
  EXPECT_EQ(host().streams.size(), 1u);
}

// Cancelling does not make room: the handler still runs.
TEST_F(SessionLimits, InflightIn_CountsCancelledHandlersThatStillRun) {
  host().mode = Mode::kHold;
  for (uint64_t id = 1; id <= 20; ++id) {
    Receive({.mux_id = id, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
    Receive({.mux_id = id, .op = Op::kDisconnectServerMux});
  }
  EXPECT_EQ(host().requests.size(), 3u);
  EXPECT_EQ(end_->Dropped(Drop::kInflightLimitIn), 17u);
  for (auto& held : host().requests) session().Answer(held.request, &held.running, {}, now_);
  Receive({.mux_id = 21, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  EXPECT_EQ(host().requests.size(), 4u);
}

TEST_F(SessionLimits, MessageSize_IsCheckedBeforeAnythingIsSent) {
  CallProbe probe;
  StreamProbe stream;
  const std::string fits(1000 - kMaxMessageOverhead, 'x');
  const std::string big = fits + "x";
  ExpectRefused(end_->Call(&probe, big).status(), absl::StatusCode::kInvalidArgument,
                Delivery::kNotSent, "max_message_bytes");
  ExpectRefused(
      session()
          .OpenStream({.handler = test::kStreamOne, .initial = AsBytes(big)}, &stream, now_)
          .status(),
      absl::StatusCode::kInvalidArgument, Delivery::kNotSent, "max_message_bytes");
  EXPECT_EQ(end_->Dropped(Drop::kMessageTooBig), 2u);
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_TRUE(session().Idle());
  EXPECT_TRUE(end_->Call(&probe, fits).ok());
  EXPECT_LE(SentOne().bytes.size(), 1000u);
}

TEST_F(SessionLimits, MessageSize_OfAStreamMessage) {
  StreamProbe stream;
  StreamMux* mux = *end_->Open(&stream, test::kStreamOne);
  Receive({.mux_id = mux->id, .op = Op::kAckMux});
  const std::string big(1000, 'x');
  EXPECT_EQ(session().Send(mux, AsBytes(big)), Session::SendResult::kTooBig);
  EXPECT_EQ(end_->Dropped(Drop::kMessageTooBig), 1u);
  // It took neither credit nor number.
  Sent();
  EXPECT_EQ(session().Send(mux, AsBytes("small")), Session::SendResult::kSent);
  EXPECT_EQ(SentOne().seq, 1u);
}

TEST_F(SessionLimits, OutputQueue_RefusesCallsAndStreamsOverIt) {
  CallProbe first, second, refused;
  StreamProbe stream, no_stream;
  StreamMux* mux = *end_->Open(&stream, test::kStreamOne);
  Receive({.mux_id = mux->id, .op = Op::kAckMux});
  // Pongs wait with the rest: about 45 bytes each.
  while (session().output_bytes() < 3900) Receive({.op = Op::kPing});
  const std::string payload(100, 'x');
  ExpectRefused(end_->Call(&refused, payload).status(), absl::StatusCode::kResourceExhausted,
                Delivery::kRejected, "max_output_bytes");
  ExpectRefused(
      session()
          .OpenStream({.handler = test::kStreamOne, .initial = AsBytes(payload)}, &no_stream, now_)
          .status(),
      absl::StatusCode::kResourceExhausted, Delivery::kRejected, "max_output_bytes");
  EXPECT_EQ(session().Send(mux, AsBytes(payload)), Session::SendResult::kOutputFull);
  EXPECT_EQ(end_->Dropped(Drop::kOutputLimit), 3u);
  Sent();
  EXPECT_EQ(session().output_bytes(), 0u);
  EXPECT_TRUE(end_->Call(&first, payload).ok());
  // The refused message took no credit.
  EXPECT_EQ(session().Send(mux, AsBytes(payload)), Session::SendResult::kSent);
}

TEST_F(SessionLimits, AnswersAndControlMessages_PassTheOutputLimit) {
  host().mode = Mode::kHold;
  Receive({.mux_id = 1, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  while (session().output_bytes() < 4000) Receive({.op = Op::kPing});
  auto& held = host().requests.back();
  const size_t before = session().output_bytes();
  session().Answer(held.request, &held.running, AsBytes("answer"), now_);
  EXPECT_GT(session().output_bytes(), before);
  EXPECT_EQ(end_->Dropped(Drop::kOutputLimit), 0u);
}

TEST_F(SessionLimits, PeerThatDoesNotRead_IsCutOff) {
  for (int i = 0; i < 100'000 && host().ends.empty(); ++i) Receive({.op = Op::kPing});
  ASSERT_EQ(host().ends.size(), 1u);
  EXPECT_EQ(host().ends[0].why, SessionEnd::kOutputOverflow);
  const size_t most = 2 * 4000 + 1000;
  EXPECT_GT(session().output_bytes(), most);
  EXPECT_LT(session().output_bytes(), most + 100);
  // Nothing is taken in any more.
  const size_t before = session().output_bytes();
  Receive({.op = Op::kPing});
  EXPECT_EQ(session().output_bytes(), before);
  EXPECT_EQ(host().ends.size(), 1u);
}

TEST_F(SessionLimits, HandlerZero_IsNoHandler) {
  CallProbe probe;
  ExpectRefused(end_->Call(&probe, "x", 1s, 0).status(), absl::StatusCode::kInvalidArgument,
                Delivery::kNotSent, "1 to 65535");
  Receive({.mux_id = 1, .handler = 0, .op = Op::kRequest, .flags = kFlagEof});
  Receive({.mux_id = 2, .handler = 0, .op = Op::kConnectMux});
  for (const SentMessage& sent : Sent()) {
    EXPECT_EQ(sent.op, Op::kMuxConnectError);
    MuxConnectError error;
    ASSERT_TRUE(Decode(AsBytes(sent.payload), &error).ok());
    EXPECT_EQ(error.error, "Invalid Handler");
  }
  EXPECT_EQ(end_->Dropped(Drop::kUnknownHandler), 2u);
}

TEST_F(SessionLimits, AfterAFailure_NothingNewStarts) {
  ReceiveBytes("\xc1");
  CallProbe probe;
  StreamProbe stream;
  ExpectRefused(end_->Call(&probe, "x").status(), absl::StatusCode::kUnavailable,
                Delivery::kNotSent, "disconnected");
  ExpectRefused(end_->Open(&stream, test::kStreamOne).status(), absl::StatusCode::kUnavailable,
                Delivery::kNotSent, "disconnected");
}

// --- Resets ---

class SessionResets : public SessionLimits {
 protected:
  SessionResets() {
    SessionConfig config = test::TestConfig();
    config.max_resets = 3;
    config.resets_per_second = 2;
    Restart(config);
    host().mode = Mode::kHold;
  }

  void Open(Message message) {
    message.mux_id = ++id_;
    Receive(message);
  }
  void OpenRequest() { Open({.handler = kSingle, .op = Op::kRequest, .flags = kFlagEof}); }
  void OpenStream() { Open({.handler = test::kStreamOne, .op = Op::kConnectMux}); }
  // The last one.
  void GiveUp() { Receive({.mux_id = id_, .op = Op::kDisconnectServerMux}); }
  void ResetOne() {
    id_ % 2 == 0 ? OpenRequest() : OpenStream();
    GiveUp();
  }
  size_t ends() { return host().ends.size(); }

  uint64_t id_ = 0;
};

TEST_F(SessionResets, AtOnce_OneMoreThanTheBudgetEndsTheConnection) {
  for (int i = 0; i < 3; ++i) ResetOne();
  EXPECT_EQ(ends(), 0u);
  EXPECT_EQ(end_->counters.resets.Get(), 3u);
  ResetOne();
  ASSERT_EQ(ends(), 1u);
  EXPECT_EQ(host().ends[0].why, SessionEnd::kTooManyResets);
  EXPECT_NE(host().ends[0].detail.find("max_resets (3)"), std::string::npos);
}

TEST_F(SessionResets, InTheLongRun_TheRateIsAllowedForEver) {
  for (int i = 0; i < 1000; ++i) {
    now_ += 500ms;
    ResetOne();
  }
  EXPECT_EQ(ends(), 0u);
  // Twice as fast takes one off the budget each second.
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ends(), 0u);
    now_ += 250ms;
    ResetOne();
  }
  now_ += 250ms;
  ResetOne();
  EXPECT_EQ(ends(), 1u);
}

TEST_F(SessionResets, WhatHasEndedAlreadyCostsNothing) {
  for (int i = 0; i < 10; ++i) {
    OpenRequest();
    session().Answer(host().requests.back().request, &host().requests.back().running, {}, now_);
    GiveUp();
    OpenStream();
    session().Finish(host().streams.back().mux, absl::OkStatus());
    GiveUp();
  }
  ResetOne();
  GiveUp();
  GiveUp();
  EXPECT_EQ(end_->counters.resets.Get(), 1u);
  EXPECT_EQ(ends(), 0u);
}

TEST_F(SessionResets, StreamsThatThePeerBreaksAreResets) {
  OpenStream();
  Receive({.mux_id = id_, .seq = 9, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  OpenStream();
  Receive({.mux_id = id_, .handler = test::kStreamOne, .op = Op::kConnectMux});
  OpenStream();
  Receive({.mux_id = id_, .seq = 1, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  Receive({.mux_id = id_, .seq = 2, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  EXPECT_EQ(end_->counters.resets.Get(), 3u);
}

TEST_F(SessionResets, OurOwnStreamsAreNone) {
  StreamProbe probe;
  const auto mux = end_->Open(&probe, test::kStreamOne);
  Receive({.mux_id = (*mux)->id, .seq = 9, .op = Op::kMuxServerMsg, .payload = AsBytes("x")});
  EXPECT_EQ(end_->counters.resets.Get(), 0u);
}

}  // namespace
}  // namespace grid
