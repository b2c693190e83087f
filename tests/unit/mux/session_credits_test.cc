// The extension `credits`: windows in messages and bytes, credit in batches.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "tests/unit/mux/stream_fixture.h"

namespace grid::test {
namespace {

using Result = Session::SendResult;

SessionConfig WithCredits(uint64_t max_window_bytes = uint64_t{256} << 20) {
  SessionConfig config = With({.credits = 1});
  config.max_window_bytes = max_window_bytes;
  return config;
}

// One session; the test is the peer.
class SessionCredits : public WireTest {
 protected:
  SessionCredits() : WireTest(WithCredits()) {}

  // A stream of ours, acknowledged with that window.
  StreamMux* Open(const ExtensionFields& window, StreamWindow ours = {}) {
    const auto mux = session().OpenStream(
        {.handler = kStreamOne, .has_input = true, .in_capacity = 1, .window = ours}, &probe_,
        now_);
    EXPECT_TRUE(mux.ok());
    ReceiveWith({.mux_id = (*mux)->id, .op = Op::kAckMux}, window);
    Sent();
    return *mux;
  }
  // A stream of the peer's.
  StreamMux* Serve(const ExtensionFields& window, uint64_t id = 1) {
    ReceiveWith({.mux_id = id, .handler = kStreamOne, .op = Op::kConnectMux}, window);
    Sent();
    return host().streams.back().mux;
  }
  Result Send(StreamMux* mux, std::string_view text) { return session().Send(mux, AsBytes(text)); }

  StreamProbe probe_;
};

TEST_F(SessionCredits, ConnectMux_StatesTheCallersWindow) {
  ASSERT_TRUE(
      session()
          .OpenStream(
              {.handler = kStreamOne, .out_capacity = 3, .window = {.messages = 40, .bytes = 5000}},
              &probe_, now_)
          .ok());
  const std::vector<SentMessage> sent = Sent();
  EXPECT_EQ(sent[0].op, Op::kConnectMux);
  EXPECT_EQ(FieldsOf(sent[0]).window_messages, 40u);
  EXPECT_EQ(FieldsOf(sent[0]).window_bytes, 5000u);
}

TEST_F(SessionCredits, FirstStream_AsksForTheRoundTrip) {
  StreamProbe other;
  ASSERT_TRUE(session().OpenStream({.handler = kStreamOne}, &probe_, now_).ok());
  std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[1].op, Op::kPing);
  EXPECT_EQ(sent[1].mux_id, 0u);
  ASSERT_TRUE(session().OpenStream({.handler = kStreamOne}, &other, now_).ok());
  EXPECT_EQ(Sent().size(), 1u);
}

TEST_F(SessionCredits, AckMux_StatesTheHandlersWindow) {
  ReceiveWith({.mux_id = 1, .handler = kStreamOne, .op = Op::kConnectMux},
              {.window_messages = 1, .window_bytes = 1});
  std::vector<SentMessage> sent = Sent();
  EXPECT_EQ(sent[0].op, Op::kAckMux);
  EXPECT_EQ(FieldsOf(sent[0]).window_messages, StreamWindow().messages);
  EXPECT_EQ(FieldsOf(sent[0]).window_bytes, StreamWindow().bytes);

  // A caller that sends nothing needs none; nor is there one for a handler that takes nothing.
  ReceiveWith({.mux_id = 2, .handler = kStreamOne, .op = Op::kConnectMux, .flags = kFlagEof},
              {.window_messages = 1, .window_bytes = 1});
  EXPECT_FALSE(SentOne().Has(kFlagExtended));
  ReceiveWith({.mux_id = 3, .handler = kStreamNoInput, .op = Op::kConnectMux},
              {.window_messages = 1, .window_bytes = 1});
  EXPECT_FALSE(SentOne().Has(kFlagExtended));
  Receive({.mux_id = 3, .seq = 1, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  EXPECT_EQ(end_->Dropped(Drop::kCreditExceeded), 1u);
}

TEST_F(SessionCredits, None_SendsNoBlock) {
  Restart(TestConfig());
  ASSERT_TRUE(session().OpenStream({.handler = kStreamOne, .has_input = true}, &probe_, now_).ok());
  Receive({.mux_id = 1, .handler = kStreamSixteen, .op = Op::kConnectMux});
  for (uint32_t seq = 1; seq <= 16; ++seq) {
    Receive({.mux_id = 1, .seq = seq, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  }
  session().Consumed(host().streams[0].mux, 16, 16, now_);
  const std::vector<SentMessage> sent = Sent();
  EXPECT_EQ(sent.size(), 18u);
  for (const SentMessage& one : sent) {
    EXPECT_FALSE(one.Has(kFlagExtended));
    EXPECT_NE(one.op, Op::kPing);
  }
}

TEST_F(SessionCredits, CallersWindow_LimitsTheHandler) {
  StreamMux* mux = Serve({.window_messages = 2, .window_bytes = 1000});
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);

  StreamMux* small = Serve({.window_messages = 9, .window_bytes = 2}, 2);
  EXPECT_EQ(Send(small, "x"), Result::kSent);
  EXPECT_EQ(Send(small, "larger than what is left"), Result::kSent);
  EXPECT_EQ(Send(small, ""), Result::kNoCredit);
}

TEST_F(SessionCredits, HandlersWindow_LimitsTheCaller) {
  StreamMux* mux = Open({.window_messages = 1, .window_bytes = 100});
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
}

TEST_F(SessionCredits, ZeroWindow_WaitsForAGrant) {
  for (const ExtensionFields& window : {ExtensionFields{}, ExtensionFields{.window_messages = 5},
                                        ExtensionFields{.window_bytes = 5}}) {
    probe_.sendables = 0;
    StreamMux* mux = Open(window);
    EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
    ReceiveWith({.mux_id = mux->id, .seq = 1, .op = Op::kUnblockClMux}, {});  // of nothing
    EXPECT_EQ(probe_.sendables, 0);
    ReceiveWith({.mux_id = mux->id, .seq = 2, .op = Op::kUnblockClMux},
                {.grant_messages = 1, .grant_bytes = 1});
    EXPECT_EQ(probe_.sendables, 1);
    EXPECT_EQ(Send(mux, "x"), Result::kSent);
  }
}

TEST_F(SessionCredits, HugeWindowsAndGrants_Saturate) {
  StreamMux* mux = Open({.window_messages = UINT32_MAX, .window_bytes = UINT64_MAX});
  for (uint32_t seq = 1; seq <= 3; ++seq) {
    ReceiveWith({.mux_id = mux->id, .seq = seq, .op = Op::kUnblockClMux},
                {.grant_messages = UINT32_MAX, .grant_bytes = UINT64_MAX});
    EXPECT_EQ(Send(mux, "x"), Result::kSent);
  }
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionCredits, Grant_ComesWithHalfOfTheMessages) {
  StreamMux* mux = Open({}, {.messages = 6, .bytes = 1000});
  for (uint32_t seq = 1; seq <= 6; ++seq) {
    Receive({.mux_id = mux->id, .seq = seq, .op = Op::kMuxServerMsg, .payload = AsBytes("four")});
  }
  session().Consumed(mux, 2, 8, now_);
  EXPECT_TRUE(Sent().empty());
  session().Consumed(mux, 1, 4, now_);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kUnblockSrvMux);
  EXPECT_EQ(sent.seq, 1u);
  EXPECT_EQ(FieldsOf(sent).grant_messages, 3u);
  EXPECT_EQ(FieldsOf(sent).grant_bytes, 12u);
  session().Consumed(mux, 3, 12, now_);
  EXPECT_EQ(FieldsOf(SentOne()).grant_messages, 3u);
}

TEST_F(SessionCredits, Grant_ComesWithHalfOfTheBytes) {
  StreamMux* mux = Open({}, {.messages = 1000, .bytes = 16});
  Receive({.mux_id = mux->id, .seq = 1, .op = Op::kMuxServerMsg, .payload = AsBytes("four")});
  Receive({.mux_id = mux->id, .seq = 2, .op = Op::kMuxServerMsg, .payload = AsBytes("four")});
  session().Consumed(mux, 1, 4, now_);
  EXPECT_TRUE(Sent().empty());
  session().Consumed(mux, 1, 4, now_);
  EXPECT_EQ(FieldsOf(SentOne()).grant_bytes, 8u);
}

TEST_F(SessionCredits, Grant_RidesWithData) {
  StreamMux* mux = Open({.window_messages = 10, .window_bytes = 100}, {.messages = 8});
  for (uint32_t seq = 1; seq <= 2; ++seq) {
    Receive({.mux_id = mux->id, .seq = seq, .op = Op::kMuxServerMsg, .payload = AsBytes("x")});
  }
  session().Consumed(mux, 2, 2, now_);
  EXPECT_EQ(Send(mux, "data"), Result::kSent);
  EXPECT_EQ(Send(mux, "data"), Result::kSent);
  const std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].op, Op::kMuxClientMsg);
  EXPECT_EQ(FieldsOf(sent[0]).grant_messages, 2u);
  EXPECT_EQ(FieldsOf(sent[0]).grant_bytes, 2u);
  EXPECT_FALSE(sent[1].Has(kFlagExtended));
}

TEST_F(SessionCredits, GrantWithData_IsTaken) {
  StreamMux* mux = Open({.window_messages = 1, .window_bytes = 100});
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
  ReceiveWith({.mux_id = mux->id, .seq = 1, .op = Op::kMuxServerMsg, .payload = AsBytes("data")},
              {.grant_messages = 1, .grant_bytes = 1});
  EXPECT_EQ(probe_.data.size(), 1u);
  EXPECT_EQ(probe_.sendables, 1);
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
}

TEST_F(SessionCredits, GrantOfBytesWithTheEndOfInput_IsTaken) {
  StreamMux* mux = Serve({.window_messages = 1});
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
  ReceiveWith({.mux_id = 1, .seq = 1, .op = Op::kMuxClientMsg, .flags = kFlagEof},
              {.grant_bytes = 1});
  EXPECT_EQ(host().streams[0].probe.eofs, 1);
  EXPECT_EQ(host().streams[0].probe.sendables, 1);
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
}

// Of a peer that was not told that we speak it.
TEST_F(SessionCredits, GrantWithoutTheExtension_IsIgnored) {
  SessionConfig config = TestConfig();
  config.extensions.status = 1;
  Restart(config);
  Receive({.mux_id = 1, .handler = kStreamOne, .op = Op::kConnectMux});
  Sent();
  StreamMux* mux = host().streams[0].mux;
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
  ReceiveWith({.mux_id = 1, .seq = 1, .op = Op::kMuxClientMsg, .payload = AsBytes("x")},
              {.grant_messages = 5, .grant_bytes = 5});
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
  ReceiveWith({.mux_id = 1, .seq = 2, .op = Op::kUnblockSrvMux},
              {.grant_messages = 5, .grant_bytes = 5});
  EXPECT_EQ(Send(mux, "x"), Result::kSent);
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
}

TEST_F(SessionCredits, GrantWithData_FreesTheEndThatWaits) {
  StreamMux* mux = Serve({});
  session().Finish(mux, absl::OkStatus());
  EXPECT_TRUE(Sent().empty());
  ReceiveWith({.mux_id = 1, .seq = 1, .op = Op::kMuxClientMsg, .payload = AsBytes("data")},
              {.grant_messages = 1, .grant_bytes = 1});
  EXPECT_EQ(Sent().size(), 2u);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionCredits, DataBeyondTheWindow_EndsTheStream) {
  StreamMux* mux = Open({}, {.messages = 2, .bytes = 10});
  Receive({.mux_id = mux->id, .seq = 1, .op = Op::kMuxServerMsg, .payload = AsBytes("nine byte")});
  // One that is larger than what is left still passes.
  Receive({.mux_id = mux->id, .seq = 2, .op = Op::kMuxServerMsg, .payload = AsBytes("nine byte")});
  EXPECT_EQ(probe_.data.size(), 2u);
  EXPECT_EQ(probe_.ends, 0);
  Receive({.mux_id = mux->id, .seq = 3, .op = Op::kMuxServerMsg, .payload = AsBytes("x")});
  EXPECT_EQ(probe_.end.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(end_->Dropped(Drop::kCreditExceeded), 1u);
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionCredits, Budget_LeavesSomethingForTheNext) {
  Restart(WithCredits(100'000));
  std::deque<StreamProbe> probes;
  const auto window = [&] {
    EXPECT_TRUE(session()
                    .OpenStream({.handler = kStreamOne, .window = {.bytes = 60'000}},
                                &probes.emplace_back(), now_)
                    .ok());
    return FieldsOf(Sent()[0]).window_bytes;
  };
  EXPECT_EQ(window(), 50'000u);
  EXPECT_EQ(window(), 25'000u);
  for (int i = 0; i < 20; ++i) EXPECT_GE(window(), 4096u);
  EXPECT_EQ(window(), 4096u);
  EXPECT_EQ(end_->Dropped(Drop::kWindowLimit), 23u);
}

TEST_F(SessionCredits, Budget_ComesBackWithTheEndOfAStream) {
  Restart(WithCredits(100'000));
  for (int i = 0; i < 20; ++i) {
    StreamProbe probe;
    const auto mux =
        session().OpenStream({.handler = kStreamOne, .window = {.bytes = 50'000}}, &probe, now_);
    EXPECT_EQ(FieldsOf(Sent()[0]).window_bytes, 50'000u);
    session().CancelStream(*mux);
    Sent();
    Receive({.mux_id = 1, .handler = kStreamOne, .op = Op::kConnectMux});
    Sent();
    Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
    session().Finish(host().streams.back().mux, absl::OkStatus());
  }
  EXPECT_EQ(end_->Dropped(Drop::kWindowLimit), 20u);  // of the handler's ends, which want more
}

TEST_F(SessionCredits, FullOutput_LetsStreamsWait) {
  SessionConfig config = WithCredits();
  config.max_output_bytes = 4000;
  Restart(config);
  StreamProbe ended;
  StreamMux* mux = Open({.window_messages = 100, .window_bytes = 100'000});
  const auto other = session().OpenStream({.handler = kStreamOne, .has_input = true}, &ended, now_);
  ReceiveWith({.mux_id = (*other)->id, .op = Op::kAckMux},
              {.window_messages = 100, .window_bytes = 100'000});
  Sent();
  const std::string text(900, 'x');
  EXPECT_EQ(Send(mux, text), Result::kSent);
  (void)session().StartWrite();
  EXPECT_EQ(Send(mux, text), Result::kSent);
  EXPECT_EQ(Send(mux, text), Result::kNoCredit);
  EXPECT_EQ(Send(*other, text), Result::kNoCredit);
  session().CancelStream(*other);
  // Requests still fit.
  CallProbe call;
  EXPECT_TRUE(end_->Call(&call, "hi").ok());
  EXPECT_EQ(probe_.sendables, 0);
  session().FinishWrite();  // 900 and more are left
  EXPECT_EQ(probe_.sendables, 1);
  EXPECT_EQ(Send(mux, text), Result::kSent);
  EXPECT_EQ(end_->Dropped(Drop::kOutputLimit), 0u);
  // One that is larger than all of it passes when there is nothing else.
  Sent();
  EXPECT_EQ(Send(mux, std::string(5000, 'x')), Result::kSent);
  EXPECT_EQ(Send(mux, "x"), Result::kNoCredit);
  Sent();
  EXPECT_EQ(probe_.sendables, 2);
}

// Two sessions.
class SessionCreditsPair : public StreamPairTest {
 protected:
  SessionCreditsPair() : StreamPairTest(WithCredits()) {}
};

TEST_F(SessionCreditsPair, NeitherEndKnowsTheOthersCapacity) {
  StreamProbe probe;
  const auto opened = a_.session.OpenStream(
      {.handler = kStreamOne, .has_input = true, .in_capacity = 99, .out_capacity = 99}, &probe,
      now_);
  ASSERT_TRUE(opened.ok());
  Pump();
  StreamMux* mux = *opened;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(SendA(mux, "x"), Result::kSent);
    EXPECT_EQ(SendB("x"), Result::kSent);
  }
  Pump();
  EXPECT_EQ(probe.data.size(), 100u);
  EXPECT_EQ(served().probe.data.size(), 100u);
  ExpectNoProtocolErrors();
}

// However small windows and messages are, whoever waits is let go on once all is read.
TEST_F(SessionCreditsPair, SmallWindows_NeverStick) {
  for (const uint32_t messages : {1u, 2u, 3u, 7u}) {
    for (const uint64_t bytes : {1u, 2u, 5u, 100u}) {
      StreamProbe probe;
      const auto opened = a_.session.OpenStream(
          {.handler = kStreamOne, .window = {.messages = messages, .bytes = bytes}}, &probe, now_);
      ASSERT_TRUE(opened.ok());
      probe.on_data = [&] { a_.session.Consumed(*opened, 1, probe.data.back().size(), now_); };
      Pump();
      int sent = 0;
      for (; sent < 50; ++sent) {
        const std::string text(sent % 12, 'x');
        if (SendB(text) != Result::kSent) {
          Pump();
          ASSERT_EQ(SendB(text), Result::kSent) << messages << " messages, " << bytes << " bytes";
        }
      }
      Pump();
      EXPECT_EQ(probe.data.size(), 50u);
      b_.session.Finish(served().mux, absl::OkStatus());
      ExpectAllOver();
      EXPECT_TRUE(probe.end.ok());
    }
  }
}

// 10 ms each way, and what comes is read at once; at most 50 messages are written in 20 ms.
TEST_F(SessionCreditsPair, Window_GrowsToThreeRoundTrips) {
  StreamProbe probe;
  const auto opened = a_.session.OpenStream(
      {.handler = kStreamOne, .window = {.bytes = 10'000, .max_bytes = 1'000'000}}, &probe, now_);
  ASSERT_TRUE(opened.ok());
  StreamMux* mux = *opened;
  probe.on_data = [&] { a_.session.Consumed(mux, 1, 1000, now_); };
  const std::string text(1000, 'x');
  int sent_in_step = 0;
  for (int step = 0; step < 100; ++step) {
    now_ += 10ms;
    Move(a_, b_);
    for (sent_in_step = 0; sent_in_step < 50; ++sent_in_step) {
      if (SendB(text) != Result::kSent) break;
    }
    now_ += 10ms;
    Move(b_, a_);
  }
  EXPECT_EQ(sent_in_step, 50);
  EXPECT_GE(mux->receive.size().bytes, 150'000u);
  EXPECT_LE(mux->receive.size().bytes, 320'000u);
  ExpectNoProtocolErrors();
}

}  // namespace
}  // namespace grid::test
