// The contract of Transport (grid/transport/transport.h), as MemoryNetwork keeps it.
#include "grid/testing/memory_link.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/unit/testing/memory_network_fixture.h"

namespace grid::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

MemoryNetworkOptions SmallWindow() {
  MemoryNetworkOptions options;
  options.window_bytes = 1000;
  return options;
}

class MemoryTransportTest : public MemoryNetworkTest {
 protected:
  MemoryTransportTest() : MemoryNetworkTest(SmallWindow()) {}
  void SetUp() override { Connect(); }
};

TEST_F(MemoryTransportTest, MessagesArriveWholeInOrderAndLater) {
  std::vector<std::string> sent;
  for (int i = 0; i < 20; ++i) {
    sent.push_back("message " + std::to_string(i));
    dialer_.Write(sent.back());
    EXPECT_EQ(acceptor_.handler.messages.size() + 1, sent.size());
    RunUntil(
        io_, *clock_, [&] { return dialer_.handler.written == i + 1; }, seconds(1));
    RunUntil(
        io_, *clock_, [&] { return acceptor_.handler.messages.size() == sent.size(); }, seconds(1));
  }
  EXPECT_EQ(acceptor_.handler.messages, sent);
  acceptor_.Write("answer");
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.handler.messages, std::vector<std::string>{"answer"});
  EXPECT_EQ(network_.stats().messages, 21u);
}

TEST_F(MemoryTransportTest, WritesOnOnWritten_StayInOrder) {
  int next = 0;
  dialer_.handler.on_written = [&] {
    if (++next < 100) dialer_.Write(std::to_string(next));
  };
  dialer_.Write("0");
  RunFor(seconds(1));
  ASSERT_EQ(acceptor_.handler.messages.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(acceptor_.handler.messages[i], std::to_string(i));
}

TEST_F(MemoryTransportTest, AnEmptyMessageArrives) {
  dialer_.Write("");
  RunFor(seconds(1));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{""});
  EXPECT_EQ(dialer_.handler.written, 1);
}

TEST_F(MemoryTransportTest, TheWritersBytesAreSpoiled) {
  dialer_.Write("hello");
  RunFor(seconds(1));
  EXPECT_NE(*dialer_.sent[0], "hello");
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"hello"});
}

TEST_F(MemoryTransportTest, AMessageLargerThanTheWindowGoesInParts) {
  const std::string large(10'500, 'x');
  dialer_.Write(large);
  EXPECT_EQ(dialer_.transport->write_progress(), 1000u);
  RunFor(milliseconds(1));
  EXPECT_GT(dialer_.transport->write_progress(), 1000u);
  EXPECT_TRUE(acceptor_.handler.messages.empty());
  EXPECT_EQ(dialer_.handler.written, 0);
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.transport->write_progress(), 10'500u);
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{large});
  EXPECT_EQ(dialer_.handler.written, 1);
}

TEST_F(MemoryTransportTest, AStalledReceiver_StopsTheWriterAtTheWindow) {
  network_.Stall(kNode1, kNode2);
  dialer_.Write(std::string(700, 'a'));
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.handler.written, 1);
  dialer_.Write(std::string(700, 'b'));
  RunFor(seconds(60));
  EXPECT_EQ(dialer_.handler.written, 1);
  EXPECT_EQ(dialer_.transport->write_progress(), 1000u);
  network_.Heal(kNode1, kNode2);
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.handler.written, 2);
  EXPECT_EQ(acceptor_.handler.messages.size(), 2u);
}

TEST_F(MemoryTransportTest, Close_EndsBothSidesAfterWhatWasWritten) {
  dialer_.Write("last words");
  dialer_.Close(CloseCode::kProtocolError, "bad checksum");
  dialer_.Close(CloseCode::kNormal, "again");
  RunFor(seconds(5));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"last words"});
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
  EXPECT_EQ(acceptor_.handler.detail, "close frame 1002 bad checksum");
  EXPECT_EQ(dialer_.handler.cause, CloseCause::kLocalClose);
}

TEST_F(MemoryTransportTest, AfterClose_WhatArrivesIsDropped) {
  acceptor_.Write("late");
  dialer_.Close(CloseCode::kNormal, "");
  RunFor(seconds(5));
  EXPECT_TRUE(dialer_.handler.messages.empty());
}

TEST_F(MemoryTransportTest, CloseOnBothSides_IsALocalCloseForBoth) {
  dialer_.Close(CloseCode::kNormal, "");
  acceptor_.Close(CloseCode::kGoingAway, "");
  RunFor(seconds(5));
  EXPECT_EQ(dialer_.handler.cause, CloseCause::kLocalClose);
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kLocalClose);
}

TEST_F(MemoryTransportTest, CloseTowardsAStalledPeer_EndsAfterASecond) {
  network_.Stall(kNode1, kNode2);
  dialer_.Write(std::string(5000, 'x'));  // never all written
  const TimePoint start = clock_->Now();
  dialer_.Close(CloseCode::kNormal, "");
  RunUntil(
      io_, *clock_, [&] { return dialer_.handler.closed(); }, seconds(60));
  EXPECT_EQ(clock_->Now() - start, seconds(1));
  EXPECT_EQ(dialer_.handler.cause, CloseCause::kLocalClose);
  dialer_.transport.reset();
  network_.Heal(kNode1, kNode2);
  RunFor(seconds(1));
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
  EXPECT_TRUE(acceptor_.handler.messages.empty());
}

TEST_F(MemoryTransportTest, Destroyed_IsSilentAndEndsThePeerAfterWhatWasTaken) {
  dialer_.Write("taken");
  acceptor_.Write("to nobody");
  dialer_.transport.reset();
  RunFor(seconds(5));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"taken"});
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
  EXPECT_EQ(acceptor_.handler.detail, "end of file");
  EXPECT_EQ(dialer_.handler.written, 0);
  EXPECT_TRUE(dialer_.handler.messages.empty());
  EXPECT_FALSE(dialer_.handler.closed());
}

TEST_F(MemoryTransportTest, DestroyedInEveryCallback_IsSilentAfterwards) {
  acceptor_.handler.on_message = [&](BytesView message) {
    const std::string copy(AsText(message));
    acceptor_.transport.reset();
    EXPECT_EQ(AsText(message), copy);  // valid during the call all the same
  };
  dialer_.handler.on_closed = [&] { dialer_.transport.reset(); };
  dialer_.Write("one");
  RunFor(seconds(5));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"one"});
  EXPECT_EQ(dialer_.handler.cause, CloseCause::kPeerClosed);
  EXPECT_EQ(dialer_.transport, nullptr);
}

TEST_F(MemoryTransportTest, WriteAfterTheEnd_IsIgnored) {
  acceptor_.transport.reset();
  RunFor(seconds(1));
  ASSERT_TRUE(dialer_.handler.closed());
  dialer_.Write("too late");
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.handler.written, 0);
}

TEST_F(MemoryTransportTest, SetHandler_RedirectsWhatComesNext) {
  RecordingHandler other;
  acceptor_.handler.on_message = [&](BytesView) { acceptor_.transport->SetHandler(&other); };
  dialer_.Write("first");
  RunFor(seconds(1));
  dialer_.Write("second");
  RunFor(seconds(1));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"first"});
  EXPECT_EQ(other.messages, std::vector<std::string>{"second"});
  acceptor_.transport.reset();
}

TEST_F(MemoryTransportTest, ASecondWriteBeforeOnWritten_IsReported) {
  dialer_.Write("one");
  EXPECT_THROW(dialer_.Write("two"), std::logic_error);
  dialer_.handler.inside_call = false;
}

using MemoryTransportStartTest = MemoryNetworkTest;

TEST_F(MemoryTransportStartTest, WhatArrivesBeforeStart_WaitsForIt) {
  Listen();
  DialResult dialled = Dial(To(kNode2));
  ASSERT_TRUE(dialled.ok());
  dialer_.transport = *std::move(dialled);
  dialer_.Start();
  dialer_.Write("early");
  RunFor(seconds(1));
  dialer_.transport.reset();
  RunFor(seconds(1));
  acceptor_.transport = std::move(accepted_[0].transport);
  acceptor_.handler.inside_call = true;
  acceptor_.Start();
  acceptor_.handler.inside_call = false;
  RunFor(seconds(1));
  EXPECT_EQ(acceptor_.handler.messages, std::vector<std::string>{"early"});
  EXPECT_EQ(acceptor_.handler.cause, CloseCause::kPeerClosed);
}

TEST_F(MemoryTransportStartTest, SeveredBeforeStart_EndsAfterIt) {
  Listen();
  DialResult dialled = Dial(To(kNode2));
  ASSERT_TRUE(dialled.ok());
  network_.Sever(kNode1, kNode2);
  RunFor(seconds(1));
  dialer_.transport = *std::move(dialled);
  dialer_.Start();
  EXPECT_FALSE(dialer_.handler.closed());
  RunFor(seconds(1));
  EXPECT_EQ(dialer_.handler.cause, CloseCause::kPeerClosed);
}

class FaultyNetworkTest : public MemoryNetworkTest {
 protected:
  static MemoryNetworkOptions Faulty() {
    MemoryNetworkOptions options;
    options.sever_per_million = 100'000;
    return options;
  }
  FaultyNetworkTest() : MemoryNetworkTest(Faulty()) {}
};

TEST_F(FaultyNetworkTest, RandomFaults_SeverSoonerOrLater) {
  Connect();
  dialer_.handler.on_written = [&] { dialer_.Write("m"); };
  dialer_.Write("m");
  EXPECT_TRUE(RunUntil(
      io_, *clock_, [&] { return dialer_.handler.closed(); }, seconds(10)));
  EXPECT_FALSE(acceptor_.handler.messages.empty());
}

}  // namespace
}  // namespace grid::testing
