// Single requests, section 4 of the protocol: both ends together, or one end against hand-made
// messages.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "serialization/control_payloads.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::CallProbe;
using test::EncodedPayload;
using test::kSingle;
using test::SentMessage;
using test::StreamProbe;
using test::TestHost;
using Mode = test::TestHost::Mode;

class SessionCalls : public test::PairTest {
 protected:
  // Starts a call and lets it wait at the other end.
  TestHost::Held& Hold(CallProbe* probe, Duration timeout = 10s) {
    b_.host.mode = Mode::kHold;
    EXPECT_TRUE(a_.Call(probe, "held", timeout).ok());
    Pump();
    return b_.host.requests.back();
  }
  void Answer(TestHost::Held& held, BytesView payload) {
    b_.session.Answer(held.request, &held.running, payload, now_);
    Pump();
  }
  void AnswerError(TestHost::Held& held, std::string_view text) {
    b_.session.AnswerError(held.request, &held.running,
                           absl::UnknownError({text.data(), text.size()}), now_);
    Pump();
  }
};
class SessionCallWire : public test::WireTest {};

// --- Outcomes ---

TEST_F(SessionCalls, Reply_ReachesTheCaller) {
  CallProbe probe;
  ASSERT_TRUE(a_.Call(&probe, "hello").ok());
  EXPECT_EQ(a_.counters.outgoing_requests.Get(), 1u);
  Pump();
  EXPECT_TRUE(probe.replied);
  EXPECT_EQ(probe.reply, "hello");
  EXPECT_EQ(a_.counters.outgoing_requests.Get(), 0u);
  EXPECT_TRUE(a_.session.Idle() && b_.session.Idle());
  EXPECT_EQ(a_.DroppedInAll() + b_.DroppedInAll(), 0u);
}

TEST_F(SessionCalls, BothDirections_WorkAtOnce) {
  CallProbe from_a, from_b;
  ASSERT_TRUE(a_.Call(&from_a, "a").ok());
  ASSERT_TRUE(b_.Call(&from_b, "b").ok());
  Pump();
  EXPECT_EQ(from_a.reply, "a");
  EXPECT_EQ(from_b.reply, "b");
}

TEST_F(SessionCalls, NilAndEmptyReplies_StayWhatTheyAre) {
  CallProbe nil, empty;
  Answer(Hold(&nil), BytesView());
  Answer(Hold(&empty), EmptyBytes());
  EXPECT_TRUE(nil.replied);
  EXPECT_TRUE(nil.nil);
  EXPECT_TRUE(empty.replied);
  EXPECT_FALSE(empty.nil);
}

TEST_F(SessionCalls, EmptyRequest_ArrivesAsNil) {
  b_.host.mode = Mode::kHold;
  CallProbe probe;
  ASSERT_TRUE(a_.Call(&probe, "").ok());
  Pump();
  EXPECT_TRUE(b_.host.requests.back().nil);
}

TEST_F(SessionCalls, RemoteError_CarriesTheTextAndItsClass) {
  for (const std::string_view text : {"disk is full", ""}) {
    CallProbe probe;
    AnswerError(Hold(&probe), text);
    EXPECT_EQ(probe.status.message(), text.empty() ? "UNKNOWN" : "disk is full");
    EXPECT_EQ(DeliveryOf(probe.status), Delivery::kExecuted);
    EXPECT_TRUE(IsRemote(probe.status));
  }
}

TEST_F(SessionCalls, UnknownHandlerOrSubroute_IsRejected) {
  const SubrouteId wrong = MakeSubrouteId("no/such", kSingle);
  for (const CallArgs& args :
       {CallArgs{.handler = test::kUnknown}, CallArgs{.handler = kSingle, .subroute = &wrong},
        CallArgs{.handler = test::kSubrouted}, CallArgs{.handler = test::kStreamOne}}) {
    CallArgs timed = args;
    timed.deadline = now_ + 1s;
    CallProbe probe;
    ASSERT_TRUE(a_.session.StartCall(timed, &probe, now_).ok());
    Pump();
    EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnimplemented) << probe.status;
    EXPECT_EQ(DeliveryOf(probe.status), Delivery::kRejected);
    EXPECT_TRUE(IsRemote(probe.status));
  }
  EXPECT_EQ(b_.Dropped(Drop::kUnknownHandler), 4u);
  EXPECT_TRUE(b_.host.requests.empty());
  EXPECT_TRUE(a_.session.Idle());
}

TEST_F(SessionCalls, Subroute_ChoosesTheHandlerWhateverTheFieldSays) {
  const SubrouteId id = MakeSubrouteId(test::kSubroute, test::kSubrouted);
  for (const uint8_t field : {test::kSubrouted, kSingle, test::kUnknown}) {
    CallProbe probe;
    ASSERT_TRUE(
        a_.session
            .StartCall(
                {.handler = field, .subroute = &id, .payload = AsBytes("x"), .deadline = now_ + 1s},
                &probe, now_)
            .ok());
    Pump();
    EXPECT_EQ(probe.reply, "x");
    EXPECT_EQ(b_.host.requests.back().entry->id.value(), test::kSubrouted);
  }
}

TEST_F(SessionCalls, RefusedByTheHost_IsRejected) {
  b_.host.mode = Mode::kRefuse;
  CallProbe probe;
  ASSERT_TRUE(a_.Call(&probe, "x").ok());
  Pump();
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DeliveryOf(probe.status), Delivery::kRejected);
  EXPECT_EQ(b_.Dropped(Drop::kHandlerRefused), 1u);
  EXPECT_TRUE(b_.session.Idle());
}

TEST_F(SessionCalls, ReplyTooBig_BecomesAnError) {
  CallProbe probe;
  Answer(Hold(&probe), AsBytes(std::string(33 << 20, 'x')));
  EXPECT_EQ(DeliveryOf(probe.status), Delivery::kExecuted);
  EXPECT_NE(probe.status.message().find("max_message_bytes"), absl::string_view::npos);
  EXPECT_EQ(b_.Dropped(Drop::kMessageTooBig), 1u);
}

TEST_F(SessionCalls, ErrorTextTooBig_IsCutToFit) {
  CallProbe probe;
  AnswerError(Hold(&probe), std::string(33 << 20, 'x'));
  EXPECT_EQ(probe.status.message().size() + kMaxMessageOverhead, size_t{32} << 20);
}

// --- Deadlines ---

TEST_F(SessionCalls, Deadline_EndsTheCallToTheMillisecond) {
  CallProbe probe;
  Hold(&probe, 1234ms);
  Advance(1234ms - 1ns);
  EXPECT_EQ(probe.outcomes, 0);
  Advance(1ns);
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DeliveryOf(probe.status), Delivery::kMaybeExecuted);
  EXPECT_FALSE(IsRemote(probe.status));
  EXPECT_TRUE(a_.session.Idle());
}

TEST_F(SessionCalls, Deadline_ReachesTheHandler) {
  CallProbe probe;
  TestHost::Held& held = Hold(&probe, 1234ms);
  EXPECT_EQ(held.request.deadline, now_ + 1234ms);
  Advance(1233ms);
  EXPECT_EQ(held.cancelled, 0);
  Advance(1ms);
  EXPECT_EQ(held.cancelled, 1);
  EXPECT_EQ(held.why.code(), absl::StatusCode::kDeadlineExceeded);
  // Its place is kept until it answers, and the answer goes nowhere.
  EXPECT_FALSE(b_.session.Idle());
  EXPECT_EQ(b_.counters.incoming_requests.Get(), 1u);
  Answer(held, AsBytes("late"));
  EXPECT_TRUE(b_.session.Idle());
  EXPECT_EQ(b_.counters.incoming_requests.Get(), 0u);
  EXPECT_EQ(b_.Dropped(Drop::kExpiredReply), 1u);
  EXPECT_EQ(a_.Dropped(Drop::kLateResponse), 0u);
  EXPECT_EQ(probe.outcomes, 1);
}

TEST_F(SessionCalls, AnswerAtTheDeadlineWithoutATimer_IsDropped) {
  CallProbe probe;
  TestHost::Held& held = Hold(&probe, 1s);
  now_ += 1s;  // no timer has run yet
  b_.session.Answer(held.request, &held.running, AsBytes("late"), now_);
  EXPECT_FALSE(b_.session.CanStartWrite());
  EXPECT_EQ(b_.Dropped(Drop::kExpiredReply), 1u);
  EXPECT_TRUE(b_.session.Idle());
}

TEST_F(SessionCallWire, LateReply_IsDroppedAndCounted) {
  CallProbe probe;
  const absl::StatusOr<uint64_t> id = end_->Call(&probe, "x", 1s);
  Sent();
  Advance(1s);
  ASSERT_EQ(probe.outcomes, 1);
  Receive({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof, .payload = AsBytes("late")});
  EXPECT_EQ(probe.outcomes, 1);
  EXPECT_EQ(end_->Dropped(Drop::kLateResponse), 1u);
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionCallWire, LateReply_DoesNotReachTheNextCallInItsPlace) {
  CallProbe first, second;
  const absl::StatusOr<uint64_t> id = end_->Call(&first, "x", 1s);
  Advance(1s);
  ASSERT_TRUE(end_->Call(&second, "y").ok());
  Receive({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof, .payload = AsBytes("late")});
  EXPECT_EQ(second.outcomes, 0);
}

TEST_F(SessionCallWire, ExpiredCall_IsNeverSent) {
  CallProbe probe;
  for (const Duration timeout : {Duration(0), Duration(-1s)}) {
    const absl::StatusOr<uint64_t> id = end_->Call(&probe, "x", timeout);
    EXPECT_EQ(id.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(DeliveryOf(id.status()), Delivery::kNotSent);
  }
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_EQ(probe.outcomes, 0);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionCallWire, DeadlineField_IsWhatIsLeftRoundedUp) {
  struct Case {
    Duration timeout;
    uint32_t field;
  };
  for (const Case& c :
       {Case{1ns, 1}, Case{1ms, 1}, Case{1ms + 1ns, 2}, Case{60s, 60'000},
        Case{std::chrono::milliseconds(UINT32_MAX), UINT32_MAX}, Case{24h * 60, UINT32_MAX}}) {
    CallProbe probe;
    ASSERT_TRUE(end_->Call(&probe, "x", c.timeout).ok());
    EXPECT_EQ(SentOne().deadline_ms, c.field);
  }
}

TEST_F(SessionCallWire, RequestWithoutDeadline_GetsAMinute) {
  host().mode = Mode::kHold;
  Receive({.mux_id = 1, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  EXPECT_EQ(host().requests.back().request.deadline, now_ + 60s);
  Advance(60s);
  EXPECT_EQ(host().requests.back().cancelled, 1);
}

TEST_F(SessionCallWire, LongestDeadline_IsHonoured) {
  host().mode = Mode::kHold;
  Receive({.mux_id = 1,
           .deadline_ms = UINT32_MAX,
           .handler = kSingle,
           .op = Op::kRequest,
           .flags = kFlagEof});
  EXPECT_EQ(host().requests.back().request.deadline, now_ + std::chrono::milliseconds(UINT32_MAX));
}

// --- Cancellation ---

TEST_F(SessionCalls, Cancel_ReachesTheHandlerAndDropsItsAnswer) {
  CallProbe probe;
  b_.host.mode = Mode::kHold;
  const absl::StatusOr<uint64_t> id = a_.Call(&probe, "x");
  Pump();
  EXPECT_EQ(a_.session.CancelCall(*id), &probe);
  EXPECT_TRUE(a_.session.Idle());
  EXPECT_EQ(a_.counters.outgoing_requests.Get(), 0u);
  Pump();
  TestHost::Held& held = b_.host.requests.back();
  EXPECT_EQ(held.cancelled, 1);
  EXPECT_EQ(held.why.code(), absl::StatusCode::kCancelled);
  Advance(1min);  // its deadline cancels it no second time
  EXPECT_EQ(held.cancelled, 1);
  Answer(held, AsBytes("late"));
  EXPECT_EQ(probe.outcomes, 0);
  EXPECT_EQ(b_.Dropped(Drop::kExpiredReply), 1u);
  EXPECT_EQ(a_.Dropped(Drop::kLateResponse), 0u);
  EXPECT_TRUE(b_.session.Idle());
}

TEST_F(SessionCallWire, Cancel_SendsDisconnectServerMux) {
  CallProbe probe;
  const absl::StatusOr<uint64_t> id = end_->Call(&probe, "x");
  Sent();
  EXPECT_EQ(session().CancelCall(*id), &probe);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kDisconnectServerMux);
  EXPECT_EQ(sent.mux_id, *id);
  EXPECT_EQ(sent.seq, 0u);
  EXPECT_EQ(sent.flags, kFlagCrc);
}

TEST_F(SessionCallWire, CancelAfterTheEnd_ChangesNothing) {
  CallProbe probe;
  const absl::StatusOr<uint64_t> id = end_->Call(&probe, "x");
  Receive({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof});
  Sent();
  EXPECT_FALSE(session().CancelCall(*id));
  EXPECT_FALSE(session().CancelCall(0));
  EXPECT_FALSE(session().CancelCall(12345));
  EXPECT_FALSE(session().CanStartWrite());
}

TEST_F(SessionCallWire, CancelCall_LeavesStreamsAlone) {
  StreamProbe stream;
  const absl::StatusOr<StreamMux*> mux = end_->Open(&stream, test::kStreamOne);
  EXPECT_FALSE(session().CancelCall((*mux)->id));
  EXPECT_FALSE(session().Idle());
}

TEST_F(SessionCallWire, SecondCancel_IsNotToldAgain) {
  host().mode = Mode::kHold;
  Receive({.mux_id = 1, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
  Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
  EXPECT_EQ(host().requests.back().cancelled, 1);
}

TEST_F(SessionCallWire, CancelOfAnAnsweredRequest_IsIgnored) {
  Receive({.mux_id = 1, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
  Receive({.mux_id = 99, .op = Op::kDisconnectServerMux});
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

// --- On the wire ---

TEST_F(SessionCallWire, Request_HasEofDeadlineAndChecksum) {
  CallProbe probe;
  const absl::StatusOr<uint64_t> id = end_->Call(&probe, "hello", 60s);
  EXPECT_EQ(SentOne().bytes, test::Encoded({.mux_id = *id,
                                            .deadline_ms = 60'000,
                                            .handler = kSingle,
                                            .op = Op::kRequest,
                                            .flags = kFlagCrc | kFlagEof,
                                            .payload = AsBytes("hello")}));
}

TEST_F(SessionCallWire, EmptyRequest_NeverSetsPayloadIsZero) {
  CallProbe nil, empty;
  ASSERT_TRUE(session().StartCall({.handler = kSingle, .deadline = now_ + 1s}, &nil, now_).ok());
  ASSERT_TRUE(end_->Call(&empty, "").ok());
  for (const SentMessage& sent : Sent()) EXPECT_EQ(sent.flags, kFlagCrc | kFlagEof);
}

TEST_F(SessionCallWire, Subroute_TravelsAsTrailer) {
  CallProbe probe;
  const SubrouteId id = MakeSubrouteId(test::kSubroute, test::kSubrouted);
  ASSERT_TRUE(session()
                  .StartCall({.handler = test::kSubrouted, .subroute = &id, .deadline = now_ + 1s},
                             &probe, now_)
                  .ok());
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.flags, kFlagCrc | kFlagEof | kFlagSubroute);
  EXPECT_EQ(sent.subroute, AsText(BytesView(id.bytes)));
}

TEST_F(SessionCallWire, Response_CopiesMuxIdAndSeqOnly) {
  Receive({.mux_id = 77,
           .seq = 5,
           .deadline_ms = 1000,
           .handler = kSingle,
           .op = Op::kRequest,
           .flags = kFlagEof,
           .payload = AsBytes("x")});
  EXPECT_EQ(SentOne().bytes, test::Encoded({.mux_id = 77,
                                            .seq = 5,
                                            .op = Op::kResponse,
                                            .flags = kFlagCrc | kFlagEof,
                                            .payload = AsBytes("x")}));
}

TEST_F(SessionCallWire, Response_TellsNilFromEmptyFromError) {
  host().mode = Mode::kHold;
  for (uint64_t id = 1; id <= 3; ++id) {
    Receive({.mux_id = id, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  }
  auto& held = host().requests;
  session().Answer(held[0].request, &held[0].running, BytesView(), now_);
  session().Answer(held[1].request, &held[1].running, EmptyBytes(), now_);
  session().AnswerError(held[2].request, &held[2].running, absl::UnknownError("no"), now_);
  const std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].flags, kFlagCrc | kFlagEof);
  EXPECT_EQ(sent[1].flags, kFlagCrc | kFlagEof | kFlagPayloadIsZero);
  EXPECT_EQ(sent[2].flags, kFlagCrc | kFlagEof | kFlagPayloadIsErr);
  EXPECT_EQ(sent[2].payload, "no");
}

TEST_F(SessionCallWire, WithoutChecksums_NoneIsSent) {
  SessionConfig config = test::TestConfig();
  config.checksums = false;
  Restart(config);
  CallProbe probe;
  ASSERT_TRUE(end_->Call(&probe, "x").ok());
  // One that the peer sent with a checksum is answered without.
  Receive({.mux_id = 9, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  for (const SentMessage& sent : Sent()) EXPECT_FALSE(sent.Has(kFlagCrc));
}

TEST_F(SessionCallWire, MessagesWithoutChecksum_AreAccepted) {
  CallProbe probe;
  const absl::StatusOr<uint64_t> id = end_->Call(&probe, "x");
  ReceiveBytes(test::Encoded({.mux_id = *id, .op = Op::kResponse, .flags = kFlagEof}));
  EXPECT_TRUE(probe.replied);
}

// --- What a peer may send besides ---

TEST_F(SessionCallWire, ResponseToNothing_IsCounted) {
  StreamProbe stream;
  const absl::StatusOr<StreamMux*> mux = end_->Open(&stream, test::kStreamOne);
  Receive({.mux_id = 1, .op = Op::kResponse, .flags = kFlagEof});
  Receive({.mux_id = (*mux)->id, .op = Op::kResponse, .flags = kFlagEof});
  EXPECT_EQ(end_->Dropped(Drop::kLateResponse), 2u);
  EXPECT_EQ(stream.ends, 0);
}

TEST_F(SessionCallWire, MuxConnectError_IsToldApartByItsPrefix) {
  CallProbe unknown, other, unreadable;
  const auto refuse = [&](CallProbe* probe, std::string_view payload) {
    const absl::StatusOr<uint64_t> id = end_->Call(probe, "x");
    Receive({.mux_id = *id, .op = Op::kMuxConnectError, .payload = AsBytes(payload)});
    EXPECT_EQ(DeliveryOf(probe->status), Delivery::kRejected);
    EXPECT_TRUE(IsRemote(probe->status));
  };
  refuse(&unknown, EncodedPayload(MuxConnectError{"Invalid Handler for type: 60 (whatever)"}));
  refuse(&other, EncodedPayload(MuxConnectError{"go away"}));
  refuse(&unreadable, "\xc1");
  EXPECT_EQ(unknown.status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(other.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(other.status.message(), "go away");
  EXPECT_FALSE(unreadable.status.ok());
  EXPECT_EQ(end_->Dropped(Drop::kBadControlPayload), 1u);
  Receive({.mux_id = 1, .op = Op::kMuxConnectError});
  EXPECT_EQ(end_->Dropped(Drop::kLateResponse), 1u);
}

TEST_F(SessionCallWire, DisconnectClientMux_EndsACall) {
  CallProbe plain, reason;
  Receive({.mux_id = *end_->Call(&plain, "x"), .op = Op::kDisconnectClientMux});
  EXPECT_EQ(plain.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(DeliveryOf(plain.status), Delivery::kMaybeExecuted);
  Receive({.mux_id = *end_->Call(&reason, "x"),
           .op = Op::kDisconnectClientMux,
           .flags = kFlagPayloadIsErr,
           .payload = AsBytes("why")});
  EXPECT_EQ(reason.status.message(), "why");
  EXPECT_TRUE(IsRemote(reason.status));
}

TEST_F(SessionCallWire, DuplicateId_IsDropped) {
  host().mode = Mode::kHold;
  const Message request{.mux_id = 5, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof};
  Receive(request);
  Receive(request);
  EXPECT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(end_->Dropped(Drop::kDuplicateMux), 1u);
  EXPECT_FALSE(session().CanStartWrite());
  // Once answered the id is free again.
  session().Answer(host().requests[0].request, &host().requests[0].running, {}, now_);
  Receive(request);
  EXPECT_EQ(host().requests.size(), 2u);
}

TEST_F(SessionCallWire, SecondAnswer_IsDropped) {
  host().mode = Mode::kHold;
  Receive({.mux_id = 5, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  TestHost::Held& held = host().requests.back();
  session().Answer(held.request, &held.running, {}, now_);
  session().Answer(held.request, &held.running, {}, now_);
  EXPECT_EQ(Sent().size(), 1u);
  EXPECT_EQ(end_->Dropped(Drop::kExpiredReply), 1u);
}

}  // namespace
}  // namespace grid
