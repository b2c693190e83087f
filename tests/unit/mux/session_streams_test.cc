// Streams between two of our ends: section 5 of the protocol as its users see it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/mux/stream_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::StreamProbe;
using test::TestHost;
using Result = Session::SendResult;

class SessionStreams : public test::StreamPairTest {};

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
  b_.session.Consumed(served().mux, 1, 1, now_);
  b_.session.Consumed(served().mux, 1, 1, now_);
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
  a_.session.Consumed(mux, 1, 1, now_);
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
  b_.session.Consumed(served().mux, 1, 1, now_);
  Pump();
  EXPECT_EQ(probe.sendables, 1);
}

TEST_F(SessionStreams, SendableWithoutWaiting_IsNotTold) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendA(mux, "x"), Result::kSent);
  Pump();
  b_.session.Consumed(served().mux, 1, 1, now_);
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
  probe.on_data = [&] { a_.session.Consumed(mux, 1, 1, now_); };
  size_t echoed = 0;
  b_.host.on_stream = [&](TestHost::Served& s) {
    const auto echo = [&] {
      while (echoed < s.probe.data.size()) {
        const Result sent = b_.session.Send(s.mux, AsBytes(s.probe.data[echoed]));
        if (sent != Result::kSent) return;
        ++echoed;
        b_.session.Consumed(s.mux, 1, 1, now_);
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
  b_.session.Consumed(served().mux, 1, 1, now_);
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
    EXPECT_EQ(probe.end.message(), text.empty() ? "UNKNOWN" : "stream failed");
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
  a_.session.Consumed(mux, 1, 1, now_);
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
  a_.session.Consumed(mux, 1, 1, now_);
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
  a_.session.Consumed(mux, 1, 1, now_);
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

}  // namespace
}  // namespace grid
