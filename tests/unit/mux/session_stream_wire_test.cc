// Streams against a hand-made peer: numbers, credits, and what a peer may do wrong (section 5 of
// the protocol).
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
using test::TestHost;
using Result = Session::SendResult;

std::vector<Op> Ops(const std::vector<SentMessage>& messages) {
  std::vector<Op> ops;
  for (const SentMessage& message : messages) ops.push_back(message.op);
  return ops;
}

// The session opened the stream; the test is its handler.
class SessionStreamCaller : public test::WireTest {
 protected:
  void Open(uint8_t handler = test::kStreamSixteen, TimePoint deadline = TimePoint::max()) {
    mux_ = *end_->Open(probe_.get(), handler, deadline);
    id_ = mux_->id;
    opening_ = SentOne();
  }
  // Another session, another stream.
  void SetUpAgain() {
    Restart(test::TestConfig());
    probe_ = std::make_unique<StreamProbe>();
  }
  void Acknowledge(uint32_t seq = 0) { FromServer(Op::kAckMux, seq); }
  void FromServer(Op op, uint32_t seq, uint8_t flags = 0, BytesView payload = {}) {
    Receive({.mux_id = id_, .seq = seq, .op = op, .flags = flags, .payload = payload});
  }
  void Data(uint32_t seq, std::string_view text) {
    FromServer(Op::kMuxServerMsg, seq, 0, AsBytes(text));
  }
  // The stream was ended here, for a fault of the peer's.
  void ExpectAborted(Drop why, absl::StatusCode code) {
    EXPECT_EQ(probe_->ends, 1);
    EXPECT_EQ(probe_->end.code(), code) << probe_->end;
    EXPECT_EQ(DeliveryOf(probe_->end), Delivery::kMaybeExecuted);
    EXPECT_EQ(end_->Dropped(why), 1u);
    const SentMessage sent = SentOne();
    EXPECT_EQ(sent.op, Op::kDisconnectServerMux);
    EXPECT_EQ(sent.mux_id, id_);
    EXPECT_TRUE(session().Idle());
    EXPECT_TRUE(host().ends.empty());
  }

  std::unique_ptr<StreamProbe> probe_ = std::make_unique<StreamProbe>();
  StreamMux* mux_ = nullptr;
  uint64_t id_ = 0;
  SentMessage opening_;
};

// The test opened the stream; the session is its handler.
class SessionStreamHandler : public test::WireTest {
 protected:
  static constexpr uint64_t kId = 5;

  void Open(uint8_t handler = test::kStreamOne, uint32_t deadline_ms = 0, uint8_t flags = 0) {
    Receive({.mux_id = kId,
             .deadline_ms = deadline_ms,
             .handler = handler,
             .op = Op::kConnectMux,
             .flags = flags,
             .payload = AsBytes("init")});
    const SentMessage ack = SentOne();
    EXPECT_EQ(ack.bytes, test::Encoded({.mux_id = kId, .op = Op::kAckMux, .flags = kFlagCrc}));
  }
  void SetUpAgain() { Restart(test::TestConfig()); }
  void FromClient(Op op, uint32_t seq, uint8_t flags = 0, BytesView payload = {}) {
    Receive({.mux_id = kId, .seq = seq, .op = op, .flags = flags, .payload = payload});
  }
  void Data(uint32_t seq, std::string_view text) {
    FromClient(Op::kMuxClientMsg, seq, 0, AsBytes(text));
  }
  TestHost::Served& served() { return host().streams.back(); }
  StreamProbe& probe() { return served().probe; }

  // The stream was ended here; the client heard `text`.
  void ExpectAborted(std::string_view text, uint32_t seq) {
    EXPECT_EQ(probe().ends, 1);
    EXPECT_FALSE(probe().end.ok());
    const std::vector<SentMessage> sent = Sent();
    ASSERT_EQ(Ops(sent), (std::vector<Op>{Op::kMuxServerMsg, Op::kDisconnectClientMux}));
    EXPECT_EQ(sent[0].flags, kFlagCrc | kFlagEof | kFlagPayloadIsErr);
    EXPECT_EQ(sent[0].seq, seq);
    EXPECT_NE(sent[0].payload.find(text), std::string::npos) << sent[0].payload;
    EXPECT_EQ(sent[1].seq, 0u);
    session().Finish(served().mux, absl::OkStatus());
    EXPECT_FALSE(session().CanStartWrite());
    EXPECT_TRUE(session().Idle());
    EXPECT_TRUE(host().ends.empty());
  }
};

// --- Numbers ---

TEST_F(SessionStreamCaller, ConnectMux_IsNumberZero) {
  Open();
  EXPECT_EQ(opening_.bytes, test::Encoded({.mux_id = id_,
                                           .handler = test::kStreamSixteen,
                                           .op = Op::kConnectMux,
                                           .flags = kFlagCrc,
                                           .payload = AsBytes("init")}));
}

TEST_F(SessionStreamCaller, ConnectMux_CarriesDeadlineEofAndZero) {
  ASSERT_TRUE(
      session()
          .OpenStream(
              {.handler = test::kStreamNoInput, .initial = EmptyBytes(), .deadline = now_ + 10s},
              probe_.get(), now_)
          .ok());
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.deadline_ms, 10'000u);
  EXPECT_EQ(sent.flags, kFlagCrc | kFlagEof | kFlagPayloadIsZero);
}

TEST_F(SessionStreamCaller, EverythingSentTakesTheNextNumber) {
  Open();
  Acknowledge();
  EXPECT_EQ(session().Send(mux_, AsBytes("m")), Result::kSent);
  Data(1, "r");
  session().Consumed(mux_, 1, 1, now_);
  Advance(15s);
  EXPECT_EQ(session().Send(mux_, AsBytes("m")), Result::kSent);
  session().CloseSend(mux_);
  std::vector<SentMessage> sent = Sent();
  std::erase_if(sent, [](const SentMessage& message) { return message.mux_id == 0; });
  ASSERT_EQ(Ops(sent), (std::vector<Op>{Op::kMuxClientMsg, Op::kUnblockSrvMux, Op::kPing,
                                        Op::kMuxClientMsg, Op::kMuxClientMsg}));
  for (size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i].seq, i + 1);
  EXPECT_EQ(sent[4].flags, kFlagCrc | kFlagEof);
  EXPECT_TRUE(sent[4].payload.empty());
}

TEST_F(SessionStreamHandler, EverythingSentTakesTheNextNumber) {
  Open(test::kStreamSixteen);
  Data(1, "m");
  session().Consumed(served().mux, 1, 1, now_);
  EXPECT_EQ(session().Send(served().mux, AsBytes("r")), Result::kSent);
  EXPECT_EQ(session().Send(served().mux, BytesView()), Result::kSent);
  session().Finish(served().mux, absl::OkStatus());
  const std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(Ops(sent), (std::vector<Op>{Op::kUnblockClMux, Op::kMuxServerMsg, Op::kMuxServerMsg,
                                        Op::kMuxServerMsg, Op::kDisconnectClientMux}));
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(sent[i].seq, i + 1);
  EXPECT_EQ(sent[1].flags, kFlagCrc);
  EXPECT_EQ(sent[2].flags, kFlagCrc | kFlagPayloadIsZero);
  EXPECT_EQ(sent[3].flags, kFlagCrc | kFlagEof);
  EXPECT_EQ(sent[4].flags, kFlagCrc);
  EXPECT_EQ(sent[4].seq, 0u);
}

TEST_F(SessionStreamCaller, GapOrRepeat_EndsTheStream) {
  struct Case {
    Op op;
    uint32_t seq;
  };
  for (const Case& c : {Case{Op::kMuxServerMsg, 2}, Case{Op::kMuxServerMsg, 0},
                        Case{Op::kUnblockClMux, 2}, Case{Op::kUnblockClMux, 0}}) {
    SetUpAgain();
    Open();
    Acknowledge();
    FromServer(c.op, c.seq, 0, AsBytes("x"));
    ExpectAborted(Drop::kOutOfSequence, absl::StatusCode::kDataLoss);
    EXPECT_TRUE(probe_->data.empty());
  }
}

TEST_F(SessionStreamCaller, AcknowledgementOutOfSequence_EndsTheStream) {
  Open();
  Acknowledge(1);
  ExpectAborted(Drop::kOutOfSequence, absl::StatusCode::kDataLoss);
}

TEST_F(SessionStreamCaller, ErrorEof_IsCheckedForItsNumber) {
  Open();
  Acknowledge();
  FromServer(Op::kMuxServerMsg, 7, kFlagEof | kFlagPayloadIsErr, AsBytes("late"));
  ExpectAborted(Drop::kOutOfSequence, absl::StatusCode::kDataLoss);
}

TEST_F(SessionStreamHandler, GapOrRepeat_EndsTheStream) {
  struct Case {
    Op op;
    uint32_t seq;
    uint8_t flags;
  };
  for (const Case& c : {Case{Op::kMuxClientMsg, 2, 0}, Case{Op::kMuxClientMsg, 0, 0},
                        Case{Op::kUnblockSrvMux, 2, 0}, Case{Op::kPing, 2, 0},
                        Case{Op::kMuxClientMsg, 2, kFlagEof}}) {
    SetUpAgain();
    Open();
    FromClient(c.op, c.seq, c.flags, c.op == Op::kMuxClientMsg ? AsBytes("x") : BytesView());
    EXPECT_EQ(end_->Dropped(Drop::kOutOfSequence), 1u);
    EXPECT_TRUE(probe().data.empty());
    ExpectAborted("out of sequence", 1);
  }
}

TEST_F(SessionStreamHandler, OpenedTwice_EndsTheStream) {
  Open();
  Receive({.mux_id = kId, .handler = test::kStreamOne, .op = Op::kConnectMux});
  EXPECT_EQ(end_->Dropped(Drop::kDuplicateMux), 1u);
  EXPECT_EQ(host().streams.size(), 1u);
  ExpectAborted("out of sequence", 1);
}

TEST_F(SessionStreamHandler, NumbersWrapAround) {
  Open(test::kStreamSixteen);
  served().mux->next_receive = UINT32_MAX;
  served().mux->next_send = UINT32_MAX;
  Data(UINT32_MAX, "last");
  Data(0, "first again");
  EXPECT_EQ(probe().data.size(), 2u);
  EXPECT_EQ(session().Send(served().mux, AsBytes("x")), Result::kSent);
  EXPECT_EQ(session().Send(served().mux, AsBytes("x")), Result::kSent);
  const std::vector<SentMessage> sent = Sent();
  EXPECT_EQ(sent[0].seq, UINT32_MAX);
  EXPECT_EQ(sent[1].seq, 0u);
}

// --- What version 1 does otherwise ---

TEST_F(SessionStreamCaller, ErrorBeforeTheAcknowledgement_EndsTheStream) {
  Open();
  FromServer(Op::kMuxServerMsg, 0, kFlagEof | kFlagPayloadIsErr, AsBytes("no such drive"));
  EXPECT_EQ(probe_->ends, 1);
  EXPECT_EQ(probe_->end.message(), "no such drive");
  EXPECT_EQ(DeliveryOf(probe_->end), Delivery::kExecuted);
  Acknowledge(1);
  FromServer(Op::kDisconnectClientMux, 0);
  EXPECT_EQ(end_->Dropped(Drop::kLateStreamMessage), 1u);
  EXPECT_EQ(end_->Dropped(Drop::kOutOfSequence), 0u);
  EXPECT_FALSE(session().CanStartWrite());
}

TEST_F(SessionStreamCaller, DataBeforeTheAcknowledgement_IsTaken) {
  Open();
  Data(0, "early");
  EXPECT_EQ(session().Send(mux_, AsBytes("m")), Result::kNoCredit);
  Acknowledge(1);
  EXPECT_EQ(probe_->data.size(), 1u);
  EXPECT_EQ(probe_->sendables, 1);
  EXPECT_EQ(session().Send(mux_, AsBytes("m")), Result::kSent);
}

TEST_F(SessionStreamCaller, SecondAcknowledgement_GivesNothing) {
  Open(test::kStreamOne);
  Acknowledge(0);
  Acknowledge(1);
  EXPECT_EQ(session().Send(mux_, AsBytes("m")), Result::kSent);
  EXPECT_EQ(session().Send(mux_, AsBytes("m")), Result::kNoCredit);
  EXPECT_EQ(end_->Dropped(Drop::kUnexpectedOp), 1u);
}

TEST_F(SessionStreamCaller, PlainEof_IsNotCheckedForItsNumber) {
  Open();
  Acknowledge();
  FromServer(Op::kMuxServerMsg, 99, kFlagEof);
  EXPECT_EQ(probe_->ends, 1);
  EXPECT_TRUE(probe_->end.ok());
  EXPECT_EQ(end_->DroppedInAll(), 0u);
  EXPECT_FALSE(session().CanStartWrite());
}

TEST_F(SessionStreamCaller, EofWithPayload_IsAMessageAndTheEnd) {
  Open();
  Acknowledge();
  FromServer(Op::kMuxServerMsg, 1, kFlagEof, AsBytes("last"));
  EXPECT_EQ(probe_->data, std::vector<std::string>{"last"});
  EXPECT_EQ(probe_->ends, 1);
  EXPECT_TRUE(probe_->end.ok());
}

TEST_F(SessionStreamCaller, CancelInsideTheLastMessage_EndsOnce) {
  Open();
  Acknowledge();
  probe_->on_data = [&] { session().CancelStream(mux_); };
  FromServer(Op::kMuxServerMsg, 1, kFlagEof, AsBytes("last"));
  EXPECT_EQ(probe_->ends, 0);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionStreamHandler, EofWithPayload_IsAMessageAndTheEndOfInput) {
  Open();
  FromClient(Op::kMuxClientMsg, 1, kFlagEof, AsBytes("last"));
  EXPECT_EQ(probe().data, std::vector<std::string>{"last"});
  EXPECT_EQ(probe().eofs, 1);
}

TEST_F(SessionStreamHandler, SecondEof_IsIgnored) {
  Open();
  FromClient(Op::kMuxClientMsg, 1, kFlagEof);
  FromClient(Op::kMuxClientMsg, 2, kFlagEof);
  EXPECT_EQ(probe().eofs, 1);
  EXPECT_EQ(probe().ends, 0);
}

TEST_F(SessionStreamHandler, NilMessage_IsSkippedAndNotCounted) {
  Open();
  FromClient(Op::kMuxClientMsg, 1);
  FromClient(Op::kMuxClientMsg, 7);
  EXPECT_EQ(end_->Dropped(Drop::kNilStreamMessage), 2u);
  Data(1, "x");
  EXPECT_EQ(probe().data, std::vector<std::string>{"x"});
  EXPECT_EQ(probe().ends, 0);
}

TEST_F(SessionStreamHandler, EmptyMessage_IsAMessage) {
  Open();
  FromClient(Op::kMuxClientMsg, 1, kFlagPayloadIsZero);
  EXPECT_EQ(probe().data, std::vector<std::string>{""});
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionStreamCaller, NilMessage_IsSkippedAndNotCounted) {
  Open();
  Acknowledge();
  FromServer(Op::kMuxServerMsg, 1);
  Data(1, "x");
  EXPECT_EQ(probe_->data.size(), 1u);
  EXPECT_EQ(end_->Dropped(Drop::kNilStreamMessage), 1u);
}

TEST_F(SessionStreamHandler, StatelessStream_IsRefused) {
  Receive(
      {.mux_id = kId, .handler = test::kStreamOne, .op = Op::kConnectMux, .flags = kFlagStateless});
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kMuxConnectError);
  EXPECT_EQ(sent.mux_id, kId);
  EXPECT_TRUE(host().streams.empty());
  EXPECT_EQ(end_->Dropped(Drop::kStatelessStream), 1u);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionStreamCaller, DisconnectClientMux_EndsTheStream) {
  Open();
  FromServer(Op::kDisconnectClientMux, 0);
  EXPECT_EQ(probe_->end.code(), absl::StatusCode::kAborted);
  SetUpAgain();
  Open();
  FromServer(Op::kDisconnectClientMux, 42, kFlagPayloadIsErr, AsBytes("why"));
  EXPECT_EQ(probe_->end.message(), "why");
  EXPECT_TRUE(IsRemote(probe_->end));
  EXPECT_FALSE(session().CanStartWrite());
}

TEST_F(SessionStreamHandler, DisconnectServerMux_IsNotCheckedForItsNumber) {
  Open();
  FromClient(Op::kDisconnectServerMux, 42);
  EXPECT_EQ(probe().end.code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(session().CanStartWrite());
  // Until the handler has finished the id is taken; what comes for it is late.
  Data(1, "x");
  EXPECT_EQ(end_->Dropped(Drop::kLateStreamMessage), 1u);
  session().Finish(served().mux, absl::OkStatus());
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionStreamHandler, MessagesOfUnknownStreams_AreCounted) {
  for (const Op op :
       {Op::kMuxClientMsg, Op::kMuxServerMsg, Op::kUnblockClMux, Op::kUnblockSrvMux, Op::kAckMux}) {
    Receive({.mux_id = 77, .op = op, .payload = AsBytes("x")});
  }
  EXPECT_EQ(end_->Dropped(Drop::kLateStreamMessage), 5u);
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_TRUE(host().ends.empty());
}

// --- Credits ---

TEST_F(SessionStreamHandler, MessageWithoutCredit_EndsTheStream) {
  Open();
  Data(1, "x");
  Data(2, "y");
  EXPECT_EQ(end_->Dropped(Drop::kCreditExceeded), 1u);
  EXPECT_EQ(probe().data.size(), 1u);
  ExpectAborted("handler blocked", 1);
}

TEST_F(SessionStreamHandler, MessageWithoutCredit_AfterSomeWereRead) {
  Open(test::kStreamSixteen);
  for (uint32_t seq = 1; seq <= 16; ++seq) Data(seq, "x");
  session().Consumed(served().mux, 1, 1, now_);
  session().Consumed(served().mux, 1, 1, now_);
  Data(17, "x");
  Data(18, "x");
  EXPECT_EQ(probe().ends, 0);
  Data(19, "x");
  EXPECT_EQ(probe().ends, 1);
  EXPECT_EQ(end_->Dropped(Drop::kCreditExceeded), 1u);
}

TEST_F(SessionStreamHandler, InputToAHandlerWithoutAny_EndsTheStream) {
  Open(test::kStreamNoInput, 0, kFlagEof);
  Data(1, "x");
  EXPECT_EQ(end_->Dropped(Drop::kCreditExceeded), 1u);
  ExpectAborted("handler blocked", 1);
}

TEST_F(SessionStreamHandler, InputAfterItsEnd_EndsTheStream) {
  Open(test::kStreamSixteen);
  FromClient(Op::kMuxClientMsg, 1, kFlagEof);
  Data(2, "x");
  EXPECT_EQ(end_->Dropped(Drop::kCreditExceeded), 1u);
  ExpectAborted("handler blocked", 1);
}

// Found by fuzzing: there was nobody left to tell of the end of the input.
TEST_F(SessionStreamHandler, FinishWithoutCreditInsideTheLastMessage_WaitsForCredit) {
  Open();
  EXPECT_EQ(session().Send(served().mux, AsBytes("x")), Result::kSent);
  (void)SentOne();
  probe().on_data = [this] { session().Finish(served().mux, absl::OkStatus()); };
  FromClient(Op::kMuxClientMsg, 1, kFlagEof, AsBytes("last"));
  EXPECT_EQ(probe().data.size(), 1u);
  EXPECT_EQ(probe().eofs, 0);
  EXPECT_FALSE(session().CanStartWrite()) << "no credit, no end";
  FromClient(Op::kUnblockSrvMux, 2);
  EXPECT_EQ(Ops(Sent()), (std::vector<Op>{Op::kMuxServerMsg, Op::kDisconnectClientMux}));
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionStreamHandler, AbortWithoutCredit_TravelsInTheDisconnect) {
  Open();
  EXPECT_EQ(session().Send(served().mux, AsBytes("r")), Result::kSent);
  Sent();
  FromClient(Op::kUnblockSrvMux, 9);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kDisconnectClientMux);
  EXPECT_EQ(sent.flags, kFlagCrc | kFlagPayloadIsErr);
  EXPECT_NE(sent.payload.find("out of sequence"), std::string::npos);
  EXPECT_EQ(probe().ends, 1);
}

TEST_F(SessionStreamCaller, MessageWithoutCredit_EndsTheStream) {
  Open(test::kStreamOne);
  Acknowledge();
  Data(1, "x");
  Data(2, "x");
  ExpectAborted(Drop::kCreditExceeded, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(probe_->data.size(), 1u);
}

TEST_F(SessionStreamCaller, EofAndErrorNeedNoRoomHere) {
  Open(test::kStreamOne);
  Acknowledge();
  Data(1, "unread");
  FromServer(Op::kMuxServerMsg, 2, kFlagEof | kFlagPayloadIsErr, AsBytes("failed"));
  EXPECT_EQ(probe_->end.message(), "failed");
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionStreamHandler, GrantsForEver_DoNotWrap) {
  Open();
  served().mux->send.Grant({.messages = UINT32_MAX - 2});
  for (uint32_t seq = 1; seq <= 3; ++seq) {
    FromClient(Op::kUnblockSrvMux, seq);
    EXPECT_TRUE(served().mux->send.open());
  }
}

TEST_F(SessionStreamHandler, ConsumedAfterTheEndOfInput_SendsNothing) {
  Open();
  FromClient(Op::kMuxClientMsg, 1, kFlagEof, AsBytes("last"));
  session().Consumed(served().mux, 1, 1, now_);
  EXPECT_FALSE(session().CanStartWrite());
}

}  // namespace
}  // namespace grid
