// Draining, as a session says it and understands it, with and without `goaway`.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mux/session_fixture.h"

namespace grid::test {
namespace {

SessionConfig WithGoaway(uint32_t value) {
  SessionConfig config = TestConfig();
  config.extensions.goaway = value;
  return config;
}

class SessionDrain : public WireTest {
 protected:
  SessionDrain() : WireTest(WithGoaway(1)) {}

  void Drain() { session().Drain(now_ + 30s, now_); }
  void Request(uint64_t id) {
    Receive({.mux_id = id, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  }
  void Disconnect(uint32_t seq, uint8_t flags = 0) {
    Receive({.seq = seq, .op = Op::kDisconnect, .flags = flags});
  }
  void ExpectUnexpected(uint64_t times) {
    EXPECT_EQ(end_->Dropped(Drop::kUnexpectedOp), times);
    EXPECT_TRUE(host().ends.empty());
    EXPECT_TRUE(Sent().empty());
  }
};

// --- We drain ---

TEST_F(SessionDrain, IsAnnouncedOnceWithItsDeadline) {
  Drain();
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kDisconnect);
  EXPECT_EQ(sent.flags, kFlagCrc);
  EXPECT_EQ(sent.mux_id, 0u);
  EXPECT_EQ(sent.seq, 0u);
  EXPECT_EQ(sent.deadline_ms, 30'000u);
  Drain();
  EXPECT_TRUE(Sent().empty());
}

TEST_F(SessionDrain, WithoutTheExtension_NotAByteIsSent) {
  Restart(WithGoaway(0));
  Drain();
  EXPECT_TRUE(Sent().empty());
  EXPECT_TRUE(session().Drained());
}

TEST_F(SessionDrain, NewCallsAreRefused) {
  for (const uint32_t goaway : {0, 1}) {
    Restart(WithGoaway(goaway));
    Drain();
    Sent();
    Request(1);
    Receive({.mux_id = 2, .handler = kStreamOne, .op = Op::kConnectMux});
    const std::vector<SentMessage> sent = Sent();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].op, Op::kMuxConnectError);
    EXPECT_EQ(sent[1].op, Op::kMuxConnectError);
    EXPECT_EQ(end_->Dropped(Drop::kDraining), 2u);
    EXPECT_TRUE(host().requests.empty());
    EXPECT_TRUE(host().streams.empty());
  }
}

TEST_F(SessionDrain, WhatRunsIsTold_AndGoesOn) {
  host().mode = TestHost::Mode::kHold;
  Request(1);
  Receive({.mux_id = 2, .handler = kStreamOne, .op = Op::kConnectMux});
  Drain();
  Drain();
  EXPECT_EQ(host().requests[0].drainings, 1);
  EXPECT_EQ(host().streams[0].probe.drainings, 1);
  Disconnect(1);
  Sent();
  EXPECT_FALSE(session().Drained());
  Receive({.mux_id = 2, .seq = 1, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  EXPECT_EQ(host().streams[0].probe.data.size(), 1u);
  session().Answer(host().requests[0].request, &host().requests[0].running, AsBytes("a"), now_);
  session().Finish(host().streams[0].mux, absl::OkStatus());
  EXPECT_FALSE(session().Drained()) << "the answers have not left";
  EXPECT_EQ(Sent().size(), 3u);
  EXPECT_TRUE(session().Drained());
  EXPECT_EQ(end_->counters.drained.Get(), 2u);
}

TEST_F(SessionDrain, HandlersThatEndWhenTold_AreFine) {
  host().mode = TestHost::Mode::kHold;
  for (uint64_t id = 1; id <= 3; ++id) Request(id);
  host().on_draining = [&](TestHost::Held&) {
    for (TestHost::Held& held : host().requests) {
      if (!std::exchange(held.answered, true)) {
        session().Answer(held.request, &held.running, AsBytes("a"), now_);
      }
    }
  };
  Drain();
  EXPECT_EQ(Sent().size(), 4u);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionDrain, IsOverOnlyWhenThePeerHasAnswered) {
  Drain();
  Sent();
  EXPECT_FALSE(session().Drained());
  // What was on its way.
  Request(1);
  Disconnect(1);
  EXPECT_FALSE(session().Drained());
  EXPECT_EQ(SentOne().op, Op::kMuxConnectError);
  EXPECT_TRUE(session().Drained());
}

TEST_F(SessionDrain, OurOwnCallsGoOn) {
  Drain();
  Sent();
  CallProbe probe;
  const auto id = end_->Call(&probe, "hi");
  ASSERT_TRUE(id.ok());
  Receive({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof, .payload = AsBytes("ho")});
  EXPECT_EQ(probe.reply, "ho");
}

// --- The peer drains ---

TEST_F(SessionDrain, OfThePeer_IsAnsweredBehindOurCalls) {
  CallProbe probe;
  ASSERT_TRUE(end_->Call(&probe, "hi").ok());
  Disconnect(0);
  const std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].op, Op::kRequest);
  EXPECT_EQ(sent[1].op, Op::kDisconnect);
  EXPECT_EQ(sent[1].seq, 1u);
  EXPECT_EQ(sent[1].flags, kFlagCrc);
  EXPECT_EQ(host().peer_drainings, 1);
  EXPECT_TRUE(host().ends.empty());
  EXPECT_EQ(end_->counters.peer_draining.Get(), 1u);
}

// Fragments leave behind everything else, but not behind the answer.
TEST_F(SessionDrain, OfThePeer_IsAnsweredBehindOurFragments) {
  SessionConfig config = WithGoaway(1);
  config.extensions.fragments = 1024;
  Restart(config);
  CallProbe probe;
  ASSERT_TRUE(end_->Call(&probe, std::string(size_t{1} << 20, 'x')).ok());
  Disconnect(0);
  const std::vector<SentMessage> sent = Sent();
  ASSERT_GT(sent.size(), 2u);
  EXPECT_EQ(sent.back().op, Op::kDisconnect);
  EXPECT_EQ(sent.back().seq, 1u);
  for (size_t i = 0; i + 1 < sent.size(); ++i) EXPECT_EQ(sent[i].op, Op::kRequest);
}

TEST_F(SessionDrain, OfThePeer_NewCallsAreRejected_OldOnesFinish) {
  CallProbe probe, refused;
  StreamProbe stream, no_stream;
  const auto id = end_->Call(&probe, "hi");
  const auto mux = end_->Open(&stream, kStreamOne);
  Disconnect(0);
  Sent();
  EXPECT_EQ(stream.drainings, 1);
  for (const absl::Status& status :
       {end_->Call(&refused, "x").status(), end_->Open(&no_stream, kStreamOne).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  }
  EXPECT_EQ(end_->Dropped(Drop::kPeerDraining), 2u);
  EXPECT_TRUE(Sent().empty());
  Receive({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof});
  EXPECT_TRUE(probe.replied);
  Receive({.mux_id = (*mux)->id, .op = Op::kMuxServerMsg, .flags = kFlagEof});
  EXPECT_TRUE(stream.end.ok());
}

TEST_F(SessionDrain, OfThePeer_WithoutTheExtension_IsTheEnd) {
  Restart(WithGoaway(0));
  Disconnect(0);
  ASSERT_EQ(host().ends.size(), 1u);
  EXPECT_EQ(host().ends[0].why, SessionEnd::kPeerDisconnect);
}

TEST_F(SessionDrain, DisconnectWithEof_IsTheEnd) {
  Disconnect(0, kFlagEof);
  ASSERT_EQ(host().ends.size(), 1u);
  EXPECT_EQ(host().ends[0].why, SessionEnd::kPeerDisconnect);
}

TEST_F(SessionDrain, WhatHasNoPlaceIsCounted) {
  Disconnect(1);  // an answer to nothing
  ExpectUnexpected(1);
  Disconnect(2);
  ExpectUnexpected(2);
  Disconnect(0);
  Sent();
  Disconnect(0);  // again
  ExpectUnexpected(3);
  EXPECT_EQ(host().peer_drainings, 1);
  Drain();
  Sent();
  Disconnect(1);
  ExpectUnexpected(3);
  Disconnect(1);  // again
  ExpectUnexpected(4);
}

class SessionDrainPair : public PairTest {
 protected:
  SessionDrainPair() : PairTest(WithGoaway(1)) {}
};

TEST_F(SessionDrainPair, BothAtOnce) {
  a_.session.Drain(now_ + 1s, now_);
  b_.session.Drain(now_ + 1s, now_);
  Pump();
  EXPECT_TRUE(a_.session.Drained() && b_.session.Drained());
  EXPECT_TRUE(a_.session.peer_draining() && b_.session.peer_draining());
  EXPECT_EQ(a_.DroppedInAll() + b_.DroppedInAll(), 0u);
  ExpectNoProtocolErrors();
}

TEST_F(SessionDrainPair, CallsThatCross_ComeBackRejected) {
  CallProbe probe;
  ASSERT_TRUE(a_.Call(&probe, "hi").ok());
  b_.session.Drain(now_ + 1s, now_);
  Pump();
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DeliveryOf(probe.status), Delivery::kRejected);
  EXPECT_TRUE(b_.session.Drained());
}

}  // namespace
}  // namespace grid::test
