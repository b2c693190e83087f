// Payloads in fragments: a session against hand-made ones, and two sessions that send them to each
// other.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "serialization/control_payloads.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid::test {
namespace {

constexpr uint32_t kFragment = 1000;

SessionConfig FragmentConfig(uint32_t fragment = kFragment) {
  return With({.fragments = fragment});
}

// --- Against hand-made fragments ---

class SessionFragments : public WireTest {
 protected:
  SessionFragments() : WireTest(FragmentConfig()) {}

  void ReceiveFragment(const Message& message, uint64_t offset, bool more) {
    ReceiveWith(message, {.offset = offset, .more = more});
  }
  static Message Request(std::string_view payload, uint64_t id = 1) {
    return {.mux_id = id,
            .deadline_ms = 5000,
            .handler = kSingle,
            .op = Op::kRequest,
            .flags = kFlagEof,
            .payload = AsBytes(payload)};
  }
  StreamMux* Serve(uint8_t handler = kStreamOne) {
    Receive({.mux_id = 1, .handler = handler, .op = Op::kConnectMux});
    Sent();
    return host().streams.back().mux;
  }
  static Message ClientMsg(std::string_view payload, uint32_t seq = 1) {
    return {.mux_id = 1, .seq = seq, .op = Op::kMuxClientMsg, .payload = AsBytes(payload)};
  }
  void ExpectRefused(Drop why, int requests = 0) {
    const SentMessage sent = SentOne();
    EXPECT_EQ(sent.op, Op::kMuxConnectError);
    EXPECT_EQ(end_->Dropped(why), 1u);
    EXPECT_EQ(host().requests.size(), static_cast<size_t>(requests));
    EXPECT_TRUE(host().ends.empty());
    EXPECT_TRUE(session().Idle());
  }
  void ExpectAborted(Drop why) {
    EXPECT_EQ(host().streams.back().probe.ends, 1);
    EXPECT_EQ(end_->Dropped(why), 1u);
    EXPECT_TRUE(host().ends.empty());
    EXPECT_TRUE(host().streams.back().probe.data.empty());
  }
};

TEST_F(SessionFragments, InOrder_AreOneMessage) {
  ReceiveFragment(Request("abc"), 0, true);
  EXPECT_TRUE(host().requests.empty());
  EXPECT_FALSE(session().Idle());
  ReceiveFragment(Request("de"), 3, true);
  ReceiveFragment(Request("f"), 5, false);
  ASSERT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(host().requests[0].payload, "abcdef");
  EXPECT_EQ(SentOne().payload, "abcdef");
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionFragments, TimeThatTheyTake_Counts) {
  host().mode = TestHost::Mode::kHold;
  ReceiveFragment(Request("abc"), 0, true);
  const TimePoint deadline = now_ + 5000ms;
  Advance(3s);
  ReceiveFragment(Request("def"), 3, false);
  ASSERT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(host().requests[0].request.deadline, deadline);
}

TEST_F(SessionFragments, DeadlineOfTheRequest_GivesThemUp) {
  ReceiveFragment(Request("abc"), 0, true);
  Advance(5s);
  EXPECT_TRUE(session().Idle());
  ReceiveFragment(Request("def"), 3, false);
  EXPECT_TRUE(host().requests.empty());
  EXPECT_EQ(end_->Dropped(Drop::kLateFragment), 1u);
  EXPECT_TRUE(Sent().empty());
}

TEST_F(SessionFragments, CancelledRequest_GivesThemUp) {
  ReceiveFragment(Request("abc"), 0, true);
  Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
  EXPECT_TRUE(session().Idle());
  ReceiveFragment(Request("def"), 3, false);
  EXPECT_EQ(end_->Dropped(Drop::kLateFragment), 1u);
  EXPECT_TRUE(host().requests.empty());
}

TEST_F(SessionFragments, Gap_EndsTheRequest) {
  ReceiveFragment(Request("abc"), 0, true);
  ReceiveFragment(Request("f"), 5, false);
  ExpectRefused(Drop::kBadFragment);
}

TEST_F(SessionFragments, Repeat_EndsTheRequest) {
  ReceiveFragment(Request("abc"), 0, true);
  ReceiveFragment(Request("abc"), 0, true);
  ExpectRefused(Drop::kBadFragment);
}

TEST_F(SessionFragments, LargerThanAgreed_EndsTheRequest) {
  ReceiveFragment(Request(std::string(kFragment, 'x')), 0, true);
  EXPECT_TRUE(Sent().empty());
  ReceiveFragment(Request(std::string(kFragment + 1, 'x')), kFragment, true);
  ExpectRefused(Drop::kBadFragment);
}

TEST_F(SessionFragments, Empty_EndsTheRequest) {
  ReceiveFragment(Request(""), 0, true);
  ExpectRefused(Drop::kBadFragment);
}

TEST_F(SessionFragments, OtherFlags_EndTheRequest) {
  ReceiveFragment(Request("abc"), 0, true);
  Message other = Request("def");
  other.flags |= kFlagPayloadIsErr;
  ReceiveFragment(other, 3, false);
  ExpectRefused(Drop::kBadFragment);
}

TEST_F(SessionFragments, WholeMessageInBetween_EndsTheRequest) {
  ReceiveFragment(Request("abc"), 0, true);
  Receive(Request("whole"));
  ExpectRefused(Drop::kBadFragment);
}

TEST_F(SessionFragments, OtherMuxesInBetween_AreTheirOwn) {
  ReceiveFragment(Request("abc", 1), 0, true);
  ReceiveFragment(Request("123", 2), 0, true);
  Receive(Request("whole", 3));
  ReceiveFragment(Request("456", 2), 3, false);
  ReceiveFragment(Request("def", 1), 3, false);
  ASSERT_EQ(host().requests.size(), 3u);
  EXPECT_EQ(host().requests[0].payload, "whole");
  EXPECT_EQ(host().requests[1].payload, "123456");
  EXPECT_EQ(host().requests[2].payload, "abcdef");
}

TEST_F(SessionFragments, UnknownHandler_IsRefusedAtOnce) {
  Message request = Request("abc");
  request.handler = kUnknown;
  ReceiveFragment(request, 0, true);
  EXPECT_EQ(SentOne().op, Op::kMuxConnectError);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionFragments, OfAStream_ShareNumberAndCredit) {
  StreamMux* mux = Serve();
  ReceiveFragment(ClientMsg("abc"), 0, true);
  ReceiveFragment(ClientMsg("def"), 3, false);
  session().Consumed(mux, 1, 6, now_);
  ReceiveFragment(ClientMsg("ghi", 2), 0, true);
  ReceiveFragment(ClientMsg("jkl", 2), 3, false);
  EXPECT_EQ(host().streams[0].probe.data, (std::vector<std::string>{"abcdef", "ghijkl"}));
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionFragments, WithoutCredit_EndTheStreamAtTheFirst) {
  Serve();
  Receive(ClientMsg("one"));
  host().streams[0].probe.data.clear();
  ReceiveFragment(ClientMsg("abc", 2), 0, true);
  ExpectAborted(Drop::kCreditExceeded);
}

TEST_F(SessionFragments, WrongNumber_EndsTheStreamAtTheFirst) {
  Serve();
  ReceiveFragment(ClientMsg("abc", 3), 0, true);
  ExpectAborted(Drop::kOutOfSequence);
}

TEST_F(SessionFragments, MissingBeginning_EndsTheStream) {
  Serve();
  ReceiveFragment(ClientMsg("abc"), 3, true);
  ExpectAborted(Drop::kBadFragment);
}

TEST_F(SessionFragments, CreditInBetween_EndsTheStream) {
  Serve();
  ReceiveFragment(ClientMsg("abc"), 0, true);
  Receive({.mux_id = 1, .seq = 2, .op = Op::kUnblockSrvMux});
  ExpectAborted(Drop::kBadFragment);
}

TEST_F(SessionFragments, EndOfTheStream_GivesThemUp) {
  StreamMux* mux = Serve();
  ReceiveFragment(ClientMsg("abc"), 0, true);
  session().Finish(mux, absl::OkStatus());
  EXPECT_TRUE(session().Idle());
  ReceiveFragment(ClientMsg("def"), 3, false);
  EXPECT_EQ(end_->Dropped(Drop::kLateFragment), 1u);
}

TEST_F(SessionFragments, OfAnAnswer_AreOneAnswer) {
  CallProbe probe;
  const uint64_t id = *end_->Call(&probe, "x");
  const auto response = [&](std::string_view payload) {
    return Message{
        .mux_id = id, .op = Op::kResponse, .flags = kFlagEof, .payload = AsBytes(payload)};
  };
  ReceiveFragment(response("abc"), 0, true);
  EXPECT_EQ(probe.outcomes, 0);
  ReceiveFragment(response("def"), 3, false);
  EXPECT_EQ(probe.reply, "abcdef");
}

TEST_F(SessionFragments, OfAnAnswerThatNobodyAwaits_AreLate) {
  CallProbe probe;
  const uint64_t id = *end_->Call(&probe, "x");
  const Message response{
      .mux_id = id, .op = Op::kResponse, .flags = kFlagEof, .payload = AsBytes("abc")};
  ReceiveFragment(response, 0, true);
  EXPECT_TRUE(session().CancelCall(id));
  EXPECT_TRUE(session().Idle());
  ReceiveFragment(response, 3, false);
  EXPECT_EQ(end_->Dropped(Drop::kLateFragment), 1u);
}

TEST_F(SessionFragments, BadAnswer_EndsTheCall) {
  CallProbe probe;
  const uint64_t id = *end_->Call(&probe, "x");
  Sent();
  ReceiveFragment({.mux_id = id, .op = Op::kResponse, .flags = kFlagEof, .payload = AsBytes("abc")},
                  7, false);
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DeliveryOf(probe.status), Delivery::kMaybeExecuted);
  EXPECT_EQ(SentOne().op, Op::kDisconnectServerMux);
}

TEST_F(SessionFragments, PayloadLimit_EndsTheRequest) {
  SessionConfig config = FragmentConfig();
  config.reassembly.max_payload_bytes = 5;
  Restart(config);
  ReceiveFragment(Request("abc"), 0, true);
  ReceiveFragment(Request("def"), 3, true);
  ExpectRefused(Drop::kPayloadTooBig);
}

TEST_F(SessionFragments, ReassemblyLimits_EndTheRequestThatNeedsMore) {
  SessionConfig config = FragmentConfig();
  config.reassembly.max_reassembly_bytes = 7;
  config.reassembly.max_reassemblies = 2;
  Restart(config);
  ReceiveFragment(Request("abc", 1), 0, true);
  ReceiveFragment(Request("abc", 2), 0, true);
  ReceiveFragment(Request("abc", 3), 0, true);
  EXPECT_EQ(SentOne().mux_id, 3u);
  ReceiveFragment(Request("def", 2), 3, true);
  EXPECT_EQ(SentOne().mux_id, 2u);
  EXPECT_EQ(end_->Dropped(Drop::kReassemblyLimit), 2u);
  ReceiveFragment(Request("def", 1), 3, false);
  ASSERT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(host().requests[0].payload, "abcdef");
}

TEST_F(SessionFragments, Shutdown_ForgetsThem) {
  ReceiveFragment(Request("abc"), 0, true);
  session().Shutdown(absl::UnavailableError("over"));
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionFragments, NotAgreed_TheirFieldsMeanNothing) {
  Restart(TestConfig());
  ReceiveFragment(Request("abc"), 3, true);
  ASSERT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(host().requests[0].payload, "abc");
  EXPECT_EQ(end_->Dropped(Drop::kUnknownFlags), 1u);
}

// --- Two sessions ---

class FragmentPair : public PairTest {
 protected:
  FragmentPair() : PairTest(FragmentConfig(64 << 10)) {}

  std::string Pattern(size_t size) {
    std::string out(size, '\0');
    for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
    return out;
  }
};

TEST_F(FragmentPair, LargeRequestAndAnswer) {
  const std::string large = Pattern(10 << 20);
  CallProbe probe;
  ASSERT_TRUE(a_.Call(&probe, large).ok());
  Pump();
  EXPECT_TRUE(probe.reply == large);
  ExpectNoProtocolErrors();
  EXPECT_TRUE(a_.session.Idle() && b_.session.Idle());
}

// A Buffer that is given away goes from hand to hand: the only other memory is what is being
// written, and what the other end collects.
TEST_F(FragmentPair, OwnedPayload_IsNotCopied) {
  b_.host.mode = TestHost::Mode::kHold;
  Buffer large = a_.pool->Take(4 << 20);
  std::fill_n(large.data(), large.size(), uint8_t{'x'});
  CallProbe probe;
  ASSERT_TRUE(
      a_.session
          .StartCall({.handler = kSingle, .payload = std::move(large), .deadline = now_ + 10s},
                     &probe, now_)
          .ok());
  EXPECT_TRUE(large.is_nil());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(a_.pool->Stats().bytes_in_use, size_t{4} << 20);
  Pump();
  EXPECT_EQ(a_.pool->Stats().bytes_in_use, 0u);
  auto& held = b_.host.requests.back();
  ASSERT_EQ(held.payload.size(), size_t{4} << 20);
  Buffer reply = b_.pool->Take(4 << 20);
  std::fill_n(reply.data(), reply.size(), uint8_t{'y'});
  b_.session.Answer(held.request, &held.running, std::move(reply), now_);
  EXPECT_TRUE(reply.is_nil());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(b_.pool->Stats().bytes_in_use, size_t{4} << 20);
  Pump();
  EXPECT_EQ(b_.pool->Stats().bytes_in_use, 0u);
  EXPECT_EQ(probe.reply, std::string(4 << 20, 'y'));
}

// What is small is encoded as it is; the Buffer stays with whoever had it.
TEST_F(FragmentPair, OwnedPayloadThatIsSmall_IsNotTaken) {
  Buffer small = Buffer::CopyOf("small");
  CallProbe probe;
  ASSERT_TRUE(
      a_.session
          .StartCall({.handler = kSingle, .payload = std::move(small), .deadline = now_ + 10s},
                     &probe, now_)
          .ok());
  EXPECT_EQ(small.text(), "small");  // NOLINT(bugprone-use-after-move)
  Pump();
  EXPECT_EQ(probe.reply, "small");
}

// The second payload of a size moves less of what has come.
TEST_F(FragmentPair, Reassembly_KnowsTheUsualSize) {
  std::vector<uint64_t> taken;
  for (int i = 0; i < 2; ++i) {
    CallProbe probe;
    b_.host.mode = TestHost::Mode::kHold;
    ASSERT_TRUE(a_.Call(&probe, Pattern(4 << 20)).ok());
    const uint64_t before = b_.pool->Stats().taken;
    Pump();
    taken.push_back(b_.pool->Stats().taken - before);
    a_.session.CancelCall(b_.host.requests.back().request.mux_id);
  }
  EXPECT_LE(taken[1], 3u);
  EXPECT_GT(taken[0], taken[1]);
}

TEST_F(FragmentPair, SmallRequestsPassALargeOne) {
  const std::string large = Pattern(10 << 20);
  CallProbe slow;
  ASSERT_TRUE(a_.Call(&slow, large).ok());
  for (int i = 0; i < 20; ++i) {
    CallProbe quick;
    ASSERT_TRUE(a_.Call(&quick, "small").ok());
    // One write there and one back.
    for (SessionEndpoint* end : {&a_, &b_}) {
      ASSERT_TRUE(end->session.CanStartWrite());
      const std::string bytes(AsText(end->session.StartWrite()));
      end->session.FinishWrite();
      (end == &a_ ? b_ : a_).session.OnMessage(AsBytes(bytes), now_);
    }
    EXPECT_EQ(quick.reply, "small");
  }
  EXPECT_EQ(slow.outcomes, 0);
  Pump();
  EXPECT_TRUE(slow.reply == large);
}

TEST_F(FragmentPair, StreamKeepsItsOrder) {
  StreamProbe probe;
  StreamMux* mux = *a_.Open(&probe, kStreamSixteen);
  Pump();
  std::vector<std::string> sent;
  for (size_t i = 0; i < 12; ++i) {
    sent.push_back(Pattern(i % 3 == 0 ? (200 << 10) + i : 10 + i));
    ASSERT_EQ(a_.session.Send(mux, AsBytes(sent.back())), Session::SendResult::kSent);
  }
  a_.session.CloseSend(mux);
  Pump();
  EXPECT_TRUE(b_.host.streams[0].probe.data == sent);
  EXPECT_EQ(b_.host.streams[0].probe.eofs, 1);
  ExpectNoProtocolErrors();
}

TEST_F(FragmentPair, StreamEndsBehindItsLastMessage) {
  StreamProbe probe;
  ASSERT_TRUE(a_.Open(&probe, kStreamSixteen).ok());
  Pump();
  const std::string large = Pattern(300 << 10);
  StreamMux* mux = b_.host.streams[0].mux;
  ASSERT_EQ(b_.session.Send(mux, AsBytes(large)), Session::SendResult::kSent);
  b_.session.Finish(mux, absl::NotFoundError("gone"));
  Pump();
  ASSERT_EQ(probe.data.size(), 1u);
  EXPECT_TRUE(probe.data[0] == large);
  EXPECT_EQ(probe.end.message(), "gone");
  ExpectNoProtocolErrors();
}

TEST_F(FragmentPair, CancelledCall_SendsNoMoreOfItsRequest) {
  CallProbe probe;
  const uint64_t id = *a_.Call(&probe, Pattern(10 << 20));
  const std::string first(AsText(a_.session.StartWrite()));
  a_.session.FinishWrite();
  b_.session.OnMessage(AsBytes(first), now_);
  EXPECT_TRUE(a_.session.CancelCall(id));
  EXPECT_LT(a_.session.output_bytes(), 1000u);
  Pump();
  EXPECT_TRUE(b_.session.Idle());
  EXPECT_TRUE(b_.host.requests.empty());
}

TEST_F(FragmentPair, CancelledCall_StopsItsAnswer) {
  b_.host.mode = TestHost::Mode::kHold;
  CallProbe probe;
  const uint64_t id = *a_.Call(&probe, "x");
  Pump();
  auto& held = b_.host.requests[0];
  b_.session.Answer(held.request, &held.running, AsBytes(Pattern(10 << 20)), now_);
  EXPECT_TRUE(a_.session.CancelCall(id));
  Move(a_, b_);
  EXPECT_EQ(b_.session.output_bytes(), 0u);
}

TEST_F(FragmentPair, PartlySentRequest_IsNotSentWhenTheConnectionIsLost) {
  CallProbe large, small;
  ASSERT_TRUE(a_.Call(&large, Pattern(1 << 20)).ok());
  a_.session.StartWrite();
  a_.session.FinishWrite();
  ASSERT_TRUE(a_.Call(&small, "x").ok());
  a_.session.StartWrite();
  a_.session.FinishWrite();
  a_.session.Shutdown(DisconnectedError("lost", Delivery::kMaybeExecuted));
  // Without its last fragment nothing can have run.
  EXPECT_EQ(DeliveryOf(large.status), Delivery::kNotSent);
  EXPECT_EQ(DeliveryOf(small.status), Delivery::kMaybeExecuted);
}

// A slow connection: the stream's own pings wait behind its message.
TEST_F(FragmentPair, StreamLivesAsLongAsItsMessageIsOnItsWay) {
  StreamProbe probe;
  StreamMux* mux = *a_.Open(&probe, kStreamSixteen);
  Pump();
  ASSERT_EQ(a_.session.Send(mux, AsBytes(Pattern(1 << 20))), Session::SendResult::kSent);
  for (int i = 0; i < 100 && b_.host.streams[0].probe.data.empty(); ++i) {
    ASSERT_TRUE(a_.session.CanStartWrite());
    const std::string bytes(AsText(a_.session.StartWrite()));
    a_.session.FinishWrite();
    b_.session.OnMessage(AsBytes(bytes), now_);
    Move(b_, a_);
    now_ += 9s;
    a_.session.OnTimer(now_);
    b_.session.OnTimer(now_);
    Move(b_, a_);
  }
  Pump();
  EXPECT_EQ(probe.ends, 0);
  EXPECT_EQ(b_.host.streams[0].probe.ends, 0);
  EXPECT_EQ(b_.host.streams[0].probe.data.size(), 1u);
  EXPECT_TRUE(a_.host.ends.empty());
}

TEST(FragmentDrain, AnswerLeavesBehindEveryCall) {
  SessionConfig config = FragmentConfig();
  config.extensions.goaway = 1;
  TimePoint now = kStart;
  SessionEndpoint end(config, &now);
  CallProbe bulk, small;
  ASSERT_TRUE(end.Call(&bulk, std::string(300'000, 'x')).ok());
  ASSERT_TRUE(end.Call(&small, "x").ok());
  end.session.OnMessage(AsBytes(Encoded({.deadline_ms = 1000, .op = Op::kDisconnect})), now);
  std::vector<SentMessage> sent;
  for (const std::string& message : end.TakeOutput()) {
    for (SentMessage& one : Unmerge(AsBytes(message))) sent.push_back(std::move(one));
  }
  ASSERT_GT(sent.size(), 300u);
  EXPECT_EQ(sent.back().op, Op::kDisconnect);
}

TEST_F(FragmentPair, Priorities_OrderRequestsAndAnswers) {
  b_.host.mode = TestHost::Mode::kHold;
  CallProbe bulk, normal, urgent;
  const auto call = [&](CallProbe* probe, std::string_view payload, Priority priority) {
    ASSERT_TRUE(a_.session
                    .StartCall({.handler = kSingle,
                                .payload = AsBytes(payload),
                                .deadline = now_ + 10s,
                                .priority = priority},
                               probe, now_)
                    .ok());
  };
  call(&bulk, "bulk", Priority::kBulk);
  call(&normal, "normal", Priority::kDefault);
  call(&urgent, "urgent", Priority::kUrgent);
  Move(a_, b_);
  ASSERT_EQ(b_.host.requests.size(), 3u);
  EXPECT_EQ(b_.host.requests[0].payload, "urgent");
  EXPECT_EQ(b_.host.requests[1].payload, "normal");
  EXPECT_EQ(b_.host.requests[2].payload, "bulk");
  for (const int i : {2, 1, 0}) {
    auto& held = b_.host.requests[static_cast<size_t>(i)];
    b_.session.Answer(held.request, &held.running, AsBytes(held.payload), now_);
  }
  std::vector<std::string> answers;
  for (const std::string& message : b_.TakeOutput()) {
    for (const SentMessage& one : Unmerge(AsBytes(message))) answers.push_back(one.payload);
  }
  EXPECT_EQ(answers, (std::vector<std::string>{"urgent", "normal", "bulk"}));
}

TEST(FragmentLimits, SmallestSizeThatIsAgreedUpon) {
  EXPECT_EQ(Agree({.fragments = 4096}, {.fragments = 1024}).fragments, 1024u);
  EXPECT_EQ(Agree({.fragments = 4096}, {.fragments = 1023}).fragments, 0u);
}

TEST(FragmentLimits, ErrorsNameTheOptionThatCounts) {
  for (const bool fragments : {false, true}) {
    SessionConfig config = fragments ? FragmentConfig() : TestConfig();
    config.max_message_bytes = 3000;
    config.reassembly.max_payload_bytes = 5000;
    TimePoint now = kStart;
    SessionEndpoint end(config, &now);
    CallProbe probe;
    EXPECT_EQ(end.Call(&probe, std::string(4000, 'x')).ok(), fragments);
    const absl::Status refused = end.Call(&probe, std::string(6000, 'x')).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(
        refused.message().find(fragments ? "max_payload_bytes (5000)" : "max_message_bytes (3000)"),
        absl::string_view::npos)
        << refused;
  }
}

}  // namespace
}  // namespace grid::test
