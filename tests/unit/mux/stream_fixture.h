// StreamPairTest: a stream between two of our ends, a (the caller) and b (the handler).
#ifndef GRID_TESTS_UNIT_MUX_STREAM_FIXTURE_H_
#define GRID_TESTS_UNIT_MUX_STREAM_FIXTURE_H_

#include <gtest/gtest.h>

#include <string_view>

#include "tests/unit/mux/session_fixture.h"

namespace grid::test {

class StreamPairTest : public PairTest {
 protected:
  using PairTest::PairTest;

  // Opens a stream from a to b; its other end is served().
  StreamMux* Open(StreamProbe* probe, uint8_t handler, TimePoint deadline = TimePoint::max()) {
    const absl::StatusOr<StreamMux*> mux = a_.Open(probe, handler, deadline);
    EXPECT_TRUE(mux.ok()) << mux.status();
    Pump();
    return *mux;
  }
  TestHost::Served& served() { return b_.host.streams.back(); }

  Session::SendResult SendA(StreamMux* mux, std::string_view text) {
    return a_.session.Send(mux, AsBytes(text));
  }
  Session::SendResult SendB(std::string_view text) {
    return b_.session.Send(served().mux, AsBytes(text));
  }

  void ExpectAllOver() {
    Pump();
    EXPECT_TRUE(a_.session.Idle());
    EXPECT_TRUE(b_.session.Idle());
    EXPECT_EQ(a_.counters.outgoing_streams.Get(), 0u);
    EXPECT_EQ(b_.counters.incoming_streams.Get(), 0u);
    ExpectNoProtocolErrors();
  }
};

}  // namespace grid::test

#endif  // GRID_TESTS_UNIT_MUX_STREAM_FIXTURE_H_
