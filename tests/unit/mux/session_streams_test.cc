// Streams between two of our ends: section 5 of the protocol as its users see it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::StreamProbe;
using test::TestHost;
using Result = Session::SendResult;

class SessionStreams : public test::PairTest {
 protected:
  // Opens a stream from a to b; its other end is served().
  StreamMux* Open(StreamProbe* probe, uint8_t handler, TimePoint deadline = TimePoint::max()) {
    const absl::StatusOr<StreamMux*> mux = a_.Open(probe, handler, deadline);
    EXPECT_TRUE(mux.ok()) << mux.status();
    Pump();
    return *mux;
  }
  TestHost::Served& served() { return b_.host.streams.back(); }

  Result SendA(StreamMux* mux, std::string_view text) {
    return a_.session.Send(mux, AsBytes(text));
  }
  Result SendB(std::string_view text) { return b_.session.Send(served().mux, AsBytes(text)); }

  void ExpectAllOver() {
    Pump();
    EXPECT_TRUE(a_.session.Idle());
    EXPECT_TRUE(b_.session.Idle());
    EXPECT_EQ(a_.counters.outgoing_streams.Get(), 0u);
    EXPECT_EQ(b_.counters.incoming_streams.Get(), 0u);
    ExpectNoProtocolErrors();
  }
};

// --- Opening ---

TEST_F(SessionStreams, Open_ReachesTheHandler) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne, now_ + 5s);
  ASSERT_EQ(b_.host.streams.size(), 1u);
  EXPECT_EQ(served().initial, "init");
  EXPECT_FALSE(served().input_closed);
  EXPECT_EQ(served().deadline, now_ + 5s);
  EXPECT_EQ(served().entry->id.value(), test::kStreamOne);
  EXPECT_EQ(a_.counters.outgoing_streams.Get(), 1u);
  EXPECT_EQ(b_.counters.incoming_streams.Get(), 1u);
  EXPECT_EQ(b_.counters.incoming_requests.Get(), 0u);
  a_.session.CancelStream(mux);
  Pump();
  b_.session.Finish(served().mux, absl::OkStatus());
  ExpectAllOver();
}

TEST_F(SessionStreams, InitialPayload_TellsNilFromEmpty) {
  StreamProbe nil, empty;
  ASSERT_TRUE(a_.session.OpenStream({.handler = test::kStreamNoInput}, &nil, now_).ok());
  Pump();
  EXPECT_TRUE(served().nil);
  EXPECT_TRUE(served().input_closed);
  ASSERT_TRUE(
      a_.session
          .OpenStream({.handler = test::kStreamNoInput, .initial = EmptyBytes()}, &empty, now_)
          .ok());
  Pump();
  EXPECT_FALSE(served().nil);
}

TEST_F(SessionStreams, Subroute_ChoosesTheHandler) {
  const SubrouteId id = MakeSubrouteId(test::kSubroute, test::kStreamSubrouted);
  StreamProbe probe;
  ASSERT_TRUE(
      a_.session.OpenStream({.handler = test::kStreamOne, .subroute = &id}, &probe, now_).ok());
  Pump();
  EXPECT_EQ(served().entry->id.value(), test::kStreamSubrouted);
}

TEST_F(SessionStreams, UnknownHandler_EndsTheStream) {
  for (const uint8_t handler : {test::kUnknown, test::kSingle, test::kStreamSubrouted}) {
    StreamProbe probe;
    ASSERT_TRUE(a_.session.OpenStream({.handler = handler}, &probe, now_).ok());
    Pump();
    EXPECT_EQ(probe.end.code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(DeliveryOf(probe.end), Delivery::kRejected);
    EXPECT_TRUE(IsRemote(probe.end));
  }
  EXPECT_EQ(b_.Dropped(Drop::kUnknownHandler), 3u);
  ExpectAllOver();
}

TEST_F(SessionStreams, RefusedByTheHost_EndsTheStream) {
  b_.host.mode = TestHost::Mode::kRefuse;
  StreamProbe probe;
  Open(&probe, test::kStreamOne);
  EXPECT_EQ(DeliveryOf(probe.end), Delivery::kRejected);
  EXPECT_EQ(b_.Dropped(Drop::kHandlerRefused), 1u);
  ExpectAllOver();
}

TEST_F(SessionStreams, ExpiredDeadline_OpensNothing) {
  StreamProbe probe;
  const absl::StatusOr<StreamMux*> mux = a_.Open(&probe, test::kStreamOne, now_);
  EXPECT_EQ(mux.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DeliveryOf(mux.status()), Delivery::kNotSent);
  EXPECT_FALSE(a_.session.CanStartWrite());
  EXPECT_TRUE(a_.session.Idle());
}

// --- Data and credits ---

TEST_F(SessionStreams, Credit_ToTheHandlerComesWithTheAcknowledgement) {
  StreamProbe probe;
  const absl::StatusOr<StreamMux*> mux = a_.Open(&probe, test::kStreamSixteen);
  EXPECT_EQ(SendA(*mux, "x"), Result::kNoCredit);
  EXPECT_EQ(probe.sendables, 0);
  Pump();
  EXPECT_EQ(probe.sendables, 1);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(SendA(*mux, "x"), Result::kSent);
  EXPECT_EQ(SendA(*mux, "x"), Result::kNoCredit);
  Pump();
  EXPECT_EQ(served().probe.data.size(), 16u);
  EXPECT_EQ(probe.sendables, 1);
  b_.session.Consumed(served().mux);
  b_.session.Consumed(served().mux);
  Pump();
  EXPECT_EQ(probe.sendables, 2);  // once for each kNoCredit
  EXPECT_EQ(SendA(*mux, "x"), Result::kSent);
  EXPECT_EQ(SendA(*mux, "x"), Result::kSent);
  EXPECT_EQ(SendA(*mux, "x"), Result::kNoCredit);
  ExpectNoProtocolErrors();
}

TEST_F(SessionStreams, Credit_ToTheCallerIsThereFromTheStart) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamSixteen);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(SendB("x"), Result::kSent);
  EXPECT_EQ(SendB("x"), Result::kNoCredit);
  Pump();
  EXPECT_EQ(probe.data.size(), 16u);
  a_.session.Consumed(mux);
  Pump();
  EXPECT_EQ(served().probe.sendables, 1);
  EXPECT_EQ(SendB("x"), Result::kSent);
  EXPECT_EQ(SendB("x"), Result::kNoCredit);
  ExpectNoProtocolErrors();
}

TEST_F(SessionStreams, Sendable_IsToldOncePerWait) {
  StreamProbe probe;
  const absl::StatusOr<StreamMux*> mux = a_.Open(&probe, test::kStreamSixteen);
  EXPECT_EQ(SendA(*mux, "x"), Result::kNoCredit);
  Pump();
  EXPECT_EQ(probe.sendables, 1);
  // It waits no longer, so further credits are no news.
  EXPECT_EQ(SendA(*mux, "x"), Result::kSent);
  Pump();
  b_.session.Consumed(served().mux);
  Pump();
  EXPECT_EQ(probe.sendables, 1);
}

TEST_F(SessionStreams, SendableWithoutWaiting_IsNotTold) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendA(mux, "x"), Result::kSent);
  Pump();
  b_.session.Consumed(served().mux);
  Pump();
  EXPECT_EQ(probe.sendables, 0);
}

TEST_F(SessionStreams, TwoWayEcho_KeepsOrderAndContents) {
  StreamProbe probe;
  constexpr int kMessages = 500;
  int next = 0;
  StreamMux* mux = nullptr;
  const auto send = [&] {
    while (next < kMessages &&
           SendA(mux, std::string(next % 7, 'x') + std::to_string(next)) == Result::kSent) {
      ++next;
    }
    if (next == kMessages) a_.session.CloseSend(mux);
  };
  probe.on_sendable = send;
  probe.on_data = [&] { a_.session.Consumed(mux); };
  size_t echoed = 0;
  b_.host.on_stream = [&](TestHost::Served& s) {
    const auto echo = [&] {
      while (echoed < s.probe.data.size()) {
        const Result sent = b_.session.Send(s.mux, AsBytes(s.probe.data[echoed]));
        if (sent != Result::kSent) return;
        ++echoed;
        b_.session.Consumed(s.mux);
      }
      if (s.probe.eofs == 1) b_.session.Finish(s.mux, absl::OkStatus());
    };
    s.probe.on_data = s.probe.on_sendable = s.probe.on_eof = echo;
  };
  mux = *a_.Open(&probe, test::kStreamSixteen);
  send();
  Pump();
  ASSERT_EQ(probe.data.size(), static_cast<size_t>(kMessages));
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_EQ(probe.data[i], std::string(i % 7, 'x') + std::to_string(i));
  }
  EXPECT_EQ(probe.ends, 1);
  EXPECT_TRUE(probe.end.ok());
  ExpectAllOver();
}

TEST_F(SessionStreams, NilAndEmptyMessages_ArriveEmpty) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamSixteen);
  EXPECT_EQ(a_.session.Send(mux, BytesView()), Result::kSent);
  EXPECT_EQ(a_.session.Send(mux, EmptyBytes()), Result::kSent);
  EXPECT_EQ(SendA(mux, "after"), Result::kSent);
  Pump();
  EXPECT_EQ(served().probe.data, (std::vector<std::string>{"", "", "after"}));
  ExpectNoProtocolErrors();
}

TEST_F(SessionStreams, ConsumedMoreOftenThanReceived_GivesNoCredit) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  b_.session.Consumed(served().mux);
  EXPECT_FALSE(b_.session.CanStartWrite());
  EXPECT_EQ(SendA(mux, "x"), Result::kSent);
  EXPECT_EQ(SendA(mux, "x"), Result::kNoCredit);
  Pump();
  ExpectNoProtocolErrors();
}

// --- The end of a direction ---

TEST_F(SessionStreams, CloseSend_NeedsNoCredit) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendA(mux, "only"), Result::kSent);
  a_.session.CloseSend(mux);
  a_.session.CloseSend(mux);
  EXPECT_EQ(SendA(mux, "x"), Result::kClosed);
  Pump();
  EXPECT_EQ(served().probe.data.size(), 1u);
  EXPECT_EQ(served().probe.eofs, 1);
  // The other direction stays open.
  EXPECT_EQ(SendB("reply"), Result::kSent);
  Pump();
  EXPECT_EQ(probe.data, std::vector<std::string>{"reply"});
  EXPECT_EQ(probe.ends, 0);
}

TEST_F(SessionStreams, CloseSendBeforeTheAcknowledgement_IsInSequence) {
  StreamProbe probe;
  const absl::StatusOr<StreamMux*> mux = a_.Open(&probe, test::kStreamOne);
  a_.session.CloseSend(*mux);
  Pump();
  EXPECT_EQ(served().probe.eofs, 1);
  b_.session.Finish(served().mux, absl::OkStatus());
  Pump();
  EXPECT_TRUE(probe.end.ok());
  ExpectAllOver();
}

TEST_F(SessionStreams, OpenedWithoutInput_IsClosedFromTheStart) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamNoInput);
  EXPECT_TRUE(served().input_closed);
  EXPECT_EQ(SendA(mux, "x"), Result::kClosed);
  a_.session.CloseSend(mux);
  EXPECT_FALSE(a_.session.CanStartWrite());
}

// --- The end of the stream ---

TEST_F(SessionStreams, Finish_EndsTheCallerWithOk) {
  StreamProbe probe;
  Open(&probe, test::kStreamOne);
  b_.session.Finish(served().mux, absl::OkStatus());
  EXPECT_TRUE(b_.session.Idle());
  Pump();
  EXPECT_EQ(probe.ends, 1);
  EXPECT_TRUE(probe.end.ok());
  EXPECT_EQ(served().probe.ends, 0);
  ExpectAllOver();
}

TEST_F(SessionStreams, FinishWithAnError_CarriesTheText) {
  for (const std::string_view text : {"stream failed", ""}) {
    StreamProbe probe;
    Open(&probe, test::kStreamOne);
    b_.session.Finish(served().mux,
                      absl::UnknownError(absl::string_view(text.data(), text.size())));
    Pump();
    EXPECT_EQ(probe.ends, 1);
    EXPECT_FALSE(probe.end.ok());
    EXPECT_EQ(probe.end.message(), absl::string_view(text.data(), text.size()));
    EXPECT_EQ(DeliveryOf(probe.end), Delivery::kExecuted);
    EXPECT_TRUE(IsRemote(probe.end));
  }
  ExpectAllOver();
}

TEST_F(SessionStreams, FinishWithoutCredit_WaitsForOne) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendB("data"), Result::kSent);
  b_.session.Finish(served().mux, absl::UnknownError("stream failed"));
  Pump();
  EXPECT_EQ(probe.ends, 0);
  EXPECT_FALSE(b_.session.Idle());
  a_.session.Consumed(mux);
  Pump();
  EXPECT_EQ(probe.ends, 1);
  EXPECT_EQ(probe.end.message(), "stream failed");
  EXPECT_EQ(served().probe.ends, 0);
  ExpectAllOver();
}

TEST_F(SessionStreams, InputWhileFinishWaits_IsDropped) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendB("data"), Result::kSent);
  b_.session.Finish(served().mux, absl::OkStatus());
  EXPECT_EQ(SendA(mux, "nobody reads this"), Result::kSent);
  a_.session.CloseSend(mux);
  Pump();
  EXPECT_TRUE(served().probe.data.empty());
  EXPECT_EQ(served().probe.eofs, 0);
  a_.session.Consumed(mux);
  Pump();
  EXPECT_TRUE(probe.end.ok());
  ExpectAllOver();
}

TEST_F(SessionStreams, CancelWhileFinishWaits_EndsBoth) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendB("data"), Result::kSent);
  b_.session.Finish(served().mux, absl::OkStatus());
  Pump();
  a_.session.CancelStream(mux);
  EXPECT_EQ(probe.ends, 0);
  ExpectAllOver();
  EXPECT_EQ(served().probe.ends, 0);
}

TEST_F(SessionStreams, DeadlineWhileFinishWaits_EndsBoth) {
  StreamProbe probe;
  Open(&probe, test::kStreamOne, now_ + 1s);
  EXPECT_EQ(SendB("data"), Result::kSent);
  b_.session.Finish(served().mux, absl::OkStatus());
  Pump();
  Advance(1s);
  EXPECT_EQ(probe.end.code(), absl::StatusCode::kDeadlineExceeded);
  ExpectAllOver();
}

TEST_F(SessionStreams, FinishInsideOnStream_Works) {
  b_.host.on_stream = [&](TestHost::Served& s) {
    EXPECT_EQ(b_.session.Send(s.mux, AsBytes("one")), Result::kSent);
    b_.session.Finish(s.mux, absl::UnknownError("failed at once"));
  };
  StreamProbe blocked;
  StreamMux* mux = Open(&blocked, test::kStreamOne);
  EXPECT_EQ(blocked.data.size(), 1u);
  EXPECT_EQ(blocked.ends, 0);
  a_.session.Consumed(mux);
  Pump();
  EXPECT_EQ(blocked.end.message(), "failed at once");
  StreamProbe at_once;
  Open(&at_once, test::kStreamSixteen);
  EXPECT_EQ(at_once.end.message(), "failed at once");
  ExpectAllOver();
}

TEST_F(SessionStreams, ErrorTextTooBig_IsCutToFit) {
  StreamProbe probe;
  Open(&probe, test::kStreamOne);
  b_.session.Finish(served().mux, absl::UnknownError(std::string(33 << 20, 'x')));
  Pump();
  EXPECT_EQ(probe.end.message().size() + kMaxMessageOverhead, size_t{32} << 20);
}

// --- Cancel and deadline ---

TEST_F(SessionStreams, Cancel_ReachesTheHandler) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  a_.session.CancelStream(mux);
  EXPECT_TRUE(a_.session.Idle());
  Pump();
  EXPECT_EQ(probe.ends, 0);
  EXPECT_EQ(served().probe.ends, 1);
  EXPECT_EQ(served().probe.end.code(), absl::StatusCode::kCancelled);
  // The handler still has its mux, and can do nothing with it but finish.
  EXPECT_EQ(SendB("x"), Result::kClosed);
  b_.session.Consumed(served().mux);
  EXPECT_FALSE(b_.session.CanStartWrite());
  EXPECT_FALSE(b_.session.Idle());
  b_.session.Finish(served().mux, absl::OkStatus());
  EXPECT_FALSE(b_.session.CanStartWrite());
  ExpectAllOver();
}

TEST_F(SessionStreams, CancelWithMessagesOnTheirWay_DropsThem) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamSixteen);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(SendB("x"), Result::kSent);
  a_.session.CancelStream(mux);
  Pump();
  EXPECT_TRUE(probe.data.empty());
  EXPECT_EQ(a_.Dropped(Drop::kLateStreamMessage), 16u);
  b_.session.Finish(served().mux, absl::OkStatus());
  ExpectAllOver();
}

TEST_F(SessionStreams, CancelAndFinishAtOnce_Cross) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  b_.session.Finish(served().mux, absl::OkStatus());
  a_.session.CancelStream(mux);
  ExpectAllOver();
  EXPECT_EQ(probe.ends, 0);
  EXPECT_EQ(served().probe.ends, 0);
}

TEST_F(SessionStreams, Deadline_EndsBothEnds) {
  StreamProbe probe;
  Open(&probe, test::kStreamOne, now_ + 1234ms);
  Advance(1234ms - 1ns);
  EXPECT_EQ(probe.ends + served().probe.ends, 0);
  Advance(1ns);
  EXPECT_EQ(probe.end.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DeliveryOf(probe.end), Delivery::kMaybeExecuted);
  EXPECT_EQ(served().probe.ends, 1);
  b_.session.Finish(served().mux, absl::OkStatus());
  ExpectAllOver();
}

// --- Liveness ---

TEST_F(SessionStreams, IdleStream_StaysAliveByItsPings) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  Advance(10min);
  EXPECT_EQ(probe.ends + served().probe.ends, 0);
  EXPECT_EQ(SendA(mux, "still in sequence"), Result::kSent);
  Pump();
  EXPECT_EQ(served().probe.data.size(), 1u);
  ExpectNoProtocolErrors();
}

TEST_F(SessionStreams, StreamBlockedOnCredit_StaysAlive) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendA(mux, "x"), Result::kSent);
  EXPECT_EQ(SendA(mux, "x"), Result::kNoCredit);
  EXPECT_EQ(SendB("y"), Result::kSent);
  EXPECT_EQ(SendB("y"), Result::kNoCredit);
  b_.session.Finish(served().mux, absl::OkStatus());
  Advance(10min);
  EXPECT_EQ(probe.ends, 0);
  a_.session.Consumed(mux);
  Pump();
  EXPECT_TRUE(probe.end.ok());
  ExpectAllOver();
}

// --- Re-entrancy ---

TEST_F(SessionStreams, CancelInsideOnData_Works) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamSixteen);
  probe.on_data = [&] { a_.session.CancelStream(mux); };
  for (int i = 0; i < 16; ++i) EXPECT_EQ(SendB("x"), Result::kSent);
  Pump();
  EXPECT_EQ(probe.data.size(), 1u);
  EXPECT_EQ(served().probe.ends, 1);
  b_.session.Finish(served().mux, absl::OkStatus());
  ExpectAllOver();
}

TEST_F(SessionStreams, FinishInsideOnDataOnEofAndOnEnd_Works) {
  for (int hook = 0; hook < 3; ++hook) {
    StreamProbe probe;
    StreamMux* mux = Open(&probe, test::kStreamOne);
    TestHost::Served& s = served();
    const auto finish = [&] { b_.session.Finish(s.mux, absl::OkStatus()); };
    if (hook == 0) s.probe.on_data = finish;
    if (hook == 1) s.probe.on_eof = finish;
    if (hook == 2) s.probe.on_end = finish;
    if (hook == 2) {
      a_.session.CancelStream(mux);
    } else {
      EXPECT_EQ(SendA(mux, "x"), Result::kSent);
      a_.session.CloseSend(mux);
    }
    Pump();
    EXPECT_EQ(probe.ends, hook == 2 ? 0 : 1);
    EXPECT_EQ(s.probe.eofs, hook == 1 ? 1 : 0);
    ExpectAllOver();
  }
}

TEST_F(SessionStreams, OpenInsideOnEnd_GetsAFreshStream) {
  StreamProbe first, second;
  Open(&first, test::kStreamOne);
  absl::StatusOr<StreamMux*> next = nullptr;
  first.on_end = [&] { next = a_.Open(&second, test::kStreamOne); };
  b_.session.Finish(served().mux, absl::OkStatus());
  Pump();
  ASSERT_TRUE(next.ok());
  ASSERT_EQ(b_.host.streams.size(), 2u);
  EXPECT_EQ(SendA(*next, "x"), Result::kSent);
  Pump();
  EXPECT_EQ(served().probe.data.size(), 1u);
  b_.session.Finish(served().mux, absl::OkStatus());
  Pump();
  EXPECT_TRUE(second.end.ok());
  ExpectAllOver();
}

}  // namespace
}  // namespace grid
