// How streams between two of our ends come to an early end, or stay alive; and callbacks that call
// back.
#include <gtest/gtest.h>

#include "tests/unit/mux/stream_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::StreamProbe;
using test::TestHost;
using Result = Session::SendResult;

class SessionStreamEnds : public test::StreamPairTest {};

// --- Cancel and deadline ---

TEST_F(SessionStreamEnds, Cancel_ReachesTheHandler) {
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
  b_.session.Consumed(served().mux, 1, 1, now_);
  EXPECT_FALSE(b_.session.CanStartWrite());
  EXPECT_FALSE(b_.session.Idle());
  b_.session.Finish(served().mux, absl::OkStatus());
  EXPECT_FALSE(b_.session.CanStartWrite());
  ExpectAllOver();
}

TEST_F(SessionStreamEnds, CancelWithMessagesOnTheirWay_DropsThem) {
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

TEST_F(SessionStreamEnds, CancelAndFinishAtOnce_Cross) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  b_.session.Finish(served().mux, absl::OkStatus());
  a_.session.CancelStream(mux);
  ExpectAllOver();
  EXPECT_EQ(probe.ends, 0);
  EXPECT_EQ(served().probe.ends, 0);
}

TEST_F(SessionStreamEnds, Deadline_EndsBothEnds) {
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

// --- Abort ---

TEST_F(SessionStreamEnds, AbortAtTheHandler_TellsBothEnds) {
  StreamProbe probe;
  Open(&probe, test::kStreamOne);
  b_.session.Abort(served().mux, absl::ResourceExhaustedError("no room"));
  EXPECT_EQ(served().probe.end.code(), absl::StatusCode::kResourceExhausted);
  Pump();
  EXPECT_EQ(probe.end.message(), "no room");
  EXPECT_TRUE(IsRemote(probe.end));
  // A second one has nothing to end.
  b_.session.Abort(served().mux, absl::ResourceExhaustedError("no room"));
  EXPECT_FALSE(b_.session.CanStartWrite());
  b_.session.Finish(served().mux, absl::OkStatus());
  ExpectAllOver();
}

TEST_F(SessionStreamEnds, AbortAtTheCaller_TellsBothEnds) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  a_.session.Abort(mux, absl::ResourceExhaustedError("no room"));
  EXPECT_EQ(probe.end.code(), absl::StatusCode::kResourceExhausted);
  Pump();
  EXPECT_EQ(served().probe.end.code(), absl::StatusCode::kCancelled);
  b_.session.Finish(served().mux, absl::OkStatus());
  ExpectAllOver();
}

TEST_F(SessionStreamEnds, AbortInsideOnData_EndsOnce) {
  StreamProbe caller;
  StreamMux* mux = Open(&caller, test::kStreamSixteen);
  TestHost::Served& s = served();
  s.probe.on_data = [&] { b_.session.Abort(s.mux, absl::ResourceExhaustedError("no room")); };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(SendA(mux, "x"), Result::kSent);
  a_.session.CloseSend(mux);
  Pump();
  EXPECT_EQ(s.probe.data.size(), 1u);
  EXPECT_EQ(s.probe.ends, 1);
  EXPECT_EQ(s.probe.eofs, 0);
  EXPECT_EQ(caller.ends, 1);
  b_.session.Finish(s.mux, absl::OkStatus());
  ExpectAllOver();
}

TEST_F(SessionStreamEnds, AbortWhileFinishWaits_ForgetsTheStream) {
  StreamProbe probe;
  Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendB("data"), Result::kSent);
  b_.session.Finish(served().mux, absl::OkStatus());
  b_.session.Abort(served().mux, absl::ResourceExhaustedError("no room"));
  EXPECT_TRUE(b_.session.Idle());
  Pump();
  EXPECT_EQ(probe.ends, 1);
  EXPECT_EQ(served().probe.ends, 0);
  ExpectAllOver();
}

// --- Liveness ---

TEST_F(SessionStreamEnds, IdleStream_StaysAliveByItsPings) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  Advance(10min);
  EXPECT_EQ(probe.ends + served().probe.ends, 0);
  EXPECT_EQ(SendA(mux, "still in sequence"), Result::kSent);
  Pump();
  EXPECT_EQ(served().probe.data.size(), 1u);
  ExpectNoProtocolErrors();
}

TEST_F(SessionStreamEnds, StreamBlockedOnCredit_StaysAlive) {
  StreamProbe probe;
  StreamMux* mux = Open(&probe, test::kStreamOne);
  EXPECT_EQ(SendA(mux, "x"), Result::kSent);
  EXPECT_EQ(SendA(mux, "x"), Result::kNoCredit);
  EXPECT_EQ(SendB("y"), Result::kSent);
  EXPECT_EQ(SendB("y"), Result::kNoCredit);
  b_.session.Finish(served().mux, absl::OkStatus());
  Advance(10min);
  EXPECT_EQ(probe.ends, 0);
  a_.session.Consumed(mux, 1, 1, now_);
  Pump();
  EXPECT_TRUE(probe.end.ok());
  ExpectAllOver();
}

// --- Re-entrancy ---

TEST_F(SessionStreamEnds, CancelInsideOnData_Works) {
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

TEST_F(SessionStreamEnds, FinishInsideOnDataOnEofAndOnEnd_Works) {
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

TEST_F(SessionStreamEnds, OpenInsideOnEnd_GetsAFreshStream) {
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
