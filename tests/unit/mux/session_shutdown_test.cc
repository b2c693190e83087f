// The end of a session: everything completes exactly once, with the right class, whatever the
// callbacks do.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::CallProbe;
using test::kSingle;
using test::StreamProbe;
using test::TestHost;
using Mode = test::TestHost::Mode;

absl::Status Lost() { return DisconnectedError("the link broke", Delivery::kMaybeExecuted); }

class SessionShutdown : public test::WireTest {
 protected:
  void RequestFromPeer(uint64_t id) {
    host().mode = Mode::kHold;
    Receive({.mux_id = id,
             .deadline_ms = 1000,
             .handler = kSingle,
             .op = Op::kRequest,
             .flags = kFlagEof});
  }
  void StreamFromPeer(uint64_t id) {
    Receive({.mux_id = id, .handler = test::kStreamOne, .op = Op::kConnectMux});
  }
};

TEST_F(SessionShutdown, Calls_EndByWhetherTheyLeft) {
  CallProbe written, writing, waiting;
  StreamProbe stream_written, stream_waiting;
  ASSERT_TRUE(end_->Call(&written, "x").ok());
  ASSERT_TRUE(end_->Open(&stream_written, test::kStreamOne).ok());
  Sent();
  ASSERT_TRUE(end_->Call(&writing, "x").ok());
  session().StartWrite();
  ASSERT_TRUE(end_->Call(&waiting, "x").ok());
  ASSERT_TRUE(end_->Open(&stream_waiting, test::kStreamOne).ok());
  session().Shutdown(Lost());
  EXPECT_EQ(DeliveryOf(written.status), Delivery::kMaybeExecuted);
  EXPECT_EQ(DeliveryOf(writing.status), Delivery::kMaybeExecuted);
  EXPECT_EQ(DeliveryOf(waiting.status), Delivery::kNotSent);
  EXPECT_EQ(DeliveryOf(stream_written.end), Delivery::kMaybeExecuted);
  EXPECT_EQ(DeliveryOf(stream_waiting.end), Delivery::kNotSent);
  for (const absl::Status& status :
       {written.status, writing.status, waiting.status, stream_written.end, stream_waiting.end}) {
    EXPECT_TRUE(IsDisconnected(status)) << status;
  }
  EXPECT_TRUE(session().Idle());
  EXPECT_TRUE(session().ended());
  EXPECT_EQ(end_->counters.outgoing_requests.Get(), 0u);
  EXPECT_EQ(end_->counters.outgoing_streams.Get(), 0u);
  // The writer's bytes stay until it is done; nothing follows.
  session().FinishWrite();
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_EQ(session().output_bytes(), 0u);
}

TEST_F(SessionShutdown, Handlers_AreToldAndMayStillAnswer) {
  RequestFromPeer(1);
  StreamFromPeer(2);
  Sent();
  session().Shutdown(Lost());
  TestHost::Held& held = host().requests.back();
  TestHost::Served& served = host().streams.back();
  EXPECT_EQ(held.cancelled, 1);
  EXPECT_TRUE(IsDisconnected(held.why));
  EXPECT_EQ(served.probe.ends, 1);
  EXPECT_TRUE(IsDisconnected(served.probe.end));
  EXPECT_EQ(session().Send(served.mux, AsBytes("x")), Session::SendResult::kClosed);
  session().Consumed(served.mux, 1, 1, now_);
  EXPECT_FALSE(session().Idle());
  session().Answer(held.request, &held.running, AsBytes("late"), now_);
  session().Finish(served.mux, absl::UnknownError("late"));
  EXPECT_TRUE(session().Idle());
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_EQ(end_->counters.incoming_requests.Get(), 0u);
  EXPECT_EQ(end_->counters.incoming_streams.Get(), 0u);
}

TEST_F(SessionShutdown, HandlersThatWereToldBefore_AreNotToldAgain) {
  RequestFromPeer(1);
  StreamFromPeer(2);
  Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
  Receive({.mux_id = 2, .op = Op::kDisconnectServerMux});
  session().Shutdown(Lost());
  EXPECT_EQ(host().requests.back().cancelled, 1);
  EXPECT_EQ(host().streams.back().probe.ends, 1);
}

TEST_F(SessionShutdown, StreamWhoseFinishWaits_IsForgotten) {
  StreamFromPeer(2);
  TestHost::Served& served = host().streams.back();
  EXPECT_EQ(session().Send(served.mux, AsBytes("x")), Session::SendResult::kSent);
  session().Finish(served.mux, absl::OkStatus());
  EXPECT_FALSE(session().Idle());
  session().Shutdown(Lost());
  EXPECT_TRUE(session().Idle());
  EXPECT_EQ(served.probe.ends, 0);
}

TEST_F(SessionShutdown, Twice_IsOnce) {
  CallProbe probe;
  ASSERT_TRUE(end_->Call(&probe, "x").ok());
  session().Shutdown(Lost());
  session().Shutdown(absl::InternalError("another"));
  EXPECT_EQ(probe.outcomes, 1);
  EXPECT_TRUE(IsDisconnected(probe.status));
}

TEST_F(SessionShutdown, Afterwards_EverythingIsRefused) {
  session().Shutdown(Lost());
  CallProbe probe;
  StreamProbe stream;
  const absl::Status call = end_->Call(&probe, "x").status();
  const absl::Status open = end_->Open(&stream, test::kStreamOne).status();
  for (const absl::Status& status : {call, open}) {
    EXPECT_TRUE(IsDisconnected(status));
    EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
  }
  EXPECT_FALSE(session().CancelCall(1));
  EXPECT_EQ(session().NextTimer(), TimePoint::max());
  session().OnTimer(now_ + 1h);
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionShutdown, NoTimerIsLeft) {
  CallProbe probe;
  StreamProbe stream;
  ASSERT_TRUE(end_->Call(&probe, "x").ok());
  ASSERT_TRUE(end_->Open(&stream, test::kStreamOne, now_ + 1min).ok());
  RequestFromPeer(1);
  StreamFromPeer(2);
  session().Shutdown(Lost());
  EXPECT_EQ(session().NextTimer(), TimePoint::max());
}

// --- Callbacks that call back ---

TEST_F(SessionShutdown, CallbacksThatStartOver_AreRefused) {
  std::deque<CallProbe> probes(20);
  int refused = 0;
  for (CallProbe& probe : probes) {
    ASSERT_TRUE(end_->Call(&probe, "x").ok());
    probe.then = [&] {
      CallProbe again;
      if (!end_->Call(&again, "y").ok()) ++refused;
    };
  }
  session().Shutdown(Lost());
  EXPECT_EQ(refused, 20);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionShutdown, CallbacksThatCancelOthers_SpareThem) {
  std::deque<CallProbe> probes(20);
  std::vector<uint64_t> ids;
  for (CallProbe& probe : probes) ids.push_back(*end_->Call(&probe, "x"));
  int cancelled = 0;
  for (CallProbe& probe : probes) {
    probe.then = [&] {
      for (const uint64_t id : ids) cancelled += session().CancelCall(id) ? 1 : 0;
    };
  }
  session().Shutdown(Lost());
  int ended = 0;
  for (const CallProbe& probe : probes) ended += probe.outcomes;
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(cancelled, 19);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionShutdown, CallbacksThatEndEverythingElse_AreSurvived) {
  CallProbe call;
  StreamProbe first, second;
  ASSERT_TRUE(end_->Call(&call, "x").ok());
  ASSERT_TRUE(end_->Open(&first, test::kStreamOne).ok());
  StreamMux* mux = *end_->Open(&second, test::kStreamOne);
  RequestFromPeer(1);
  StreamFromPeer(2);
  StreamFromPeer(3);
  auto& streams = host().streams;
  TestHost::Held& held = host().requests.back();
  call.then = [&] {
    session().CancelStream(mux);
    session().Shutdown(absl::InternalError("another"));
    session().Answer(held.request, &held.running, {}, now_);
    session().Finish(streams[0].mux, absl::OkStatus());
  };
  streams[1].probe.on_end = [&] { session().Finish(streams[1].mux, absl::OkStatus()); };
  session().Shutdown(Lost());
  EXPECT_EQ(call.outcomes, 1);
  EXPECT_EQ(first.ends, 1);
  EXPECT_EQ(second.ends, 0);
  EXPECT_EQ(held.cancelled, 0);  // had answered
  EXPECT_EQ(streams[0].probe.ends, 0);
  EXPECT_EQ(streams[1].probe.ends, 1);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionShutdown, AnswerInsideOnRequestCancelled_Works) {
  host().on_cancelled = [&](TestHost::Held& held) {
    session().Answer(held.request, &held.running, {}, now_);
  };
  // By the caller, at the deadline, and at the end.
  RequestFromPeer(1);
  Receive({.mux_id = 1, .op = Op::kDisconnectServerMux});
  EXPECT_TRUE(session().Idle());
  RequestFromPeer(2);
  Advance(1s);
  EXPECT_TRUE(session().Idle());
  RequestFromPeer(3);
  session().Shutdown(Lost());
  EXPECT_TRUE(session().Idle());
  EXPECT_EQ(end_->Dropped(Drop::kExpiredReply), 3u);
}

TEST_F(SessionShutdown, CallbacksInOnTimer_MayStartAndCancel) {
  std::deque<CallProbe> probes(10);
  std::deque<CallProbe> next(10);
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < probes.size(); ++i) {
    ids.push_back(*end_->Call(&probes[i], "x", 1s));
    probes[i].then = [&, i] {
      EXPECT_TRUE(end_->Call(&next[i], "y", 1s).ok());
      // The one behind it is due as well, and is taken out.
      const bool last = i + 1 == ids.size();
      EXPECT_EQ(session().CancelCall(last ? 0 : ids[i + 1]), last ? nullptr : &probes[i + 1]);
    };
  }
  Advance(1s);
  int ended = 0;
  for (const CallProbe& probe : probes) ended += probe.outcomes;
  EXPECT_EQ(ended, 5);
  Advance(1s);
  for (size_t i = 0; i < next.size(); ++i) EXPECT_EQ(next[i].outcomes, i % 2 == 0 ? 1 : 0);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionShutdown, CallbacksInsideAMerged_MayCancelWhatFollows) {
  CallProbe first, second;
  const uint64_t a = *end_->Call(&first, "x");
  const uint64_t b = *end_->Call(&second, "x");
  first.then = [&] { EXPECT_TRUE(session().CancelCall(b)); };
  const auto reply = [](uint64_t id) {
    return test::Encoded({.mux_id = id, .op = Op::kResponse, .flags = kFlagEof});
  };
  ReceiveBytes(test::Merge({reply(a), reply(b)}));
  EXPECT_EQ(first.outcomes, 1);
  EXPECT_EQ(second.outcomes, 0);
  EXPECT_EQ(end_->Dropped(Drop::kLateResponse), 1u);
}

TEST_F(SessionShutdown, CallInsideOnReply_ReusesThePlace) {
  CallProbe first, second;
  const uint64_t id = *end_->Call(&first, "x");
  absl::StatusOr<uint64_t> next = uint64_t{0};
  first.then = [&] { next = end_->Call(&second, "y"); };
  Receive({.mux_id = id, .op = Op::kResponse, .flags = kFlagEof});
  ASSERT_TRUE(next.ok());
  EXPECT_NE(*next, id);
  Receive({.mux_id = *next, .op = Op::kResponse, .flags = kFlagEof});
  EXPECT_TRUE(second.replied);
}

}  // namespace
}  // namespace grid
