// What a session makes of single messages: malformed, merged, unknown or out of place.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "serialization/control_payloads.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::Encoded;
using test::kSingle;
using test::Merge;
using test::SentMessage;

class SessionWire : public test::WireTest {
 protected:
  static std::string Request(uint64_t id) {
    return Encoded({.mux_id = id,
                    .handler = kSingle,
                    .op = Op::kRequest,
                    .flags = kFlagCrc | kFlagEof,
                    .payload = AsBytes("x")});
  }
  // The connection was ended, once, and nothing more is taken in.
  void ExpectEnded(SessionEnd why) {
    ASSERT_EQ(host().ends.size(), 1u);
    EXPECT_EQ(host().ends[0].why, why) << SessionEndName(host().ends[0].why);
    EXPECT_FALSE(host().ends[0].detail.empty());
    const size_t before = host().requests.size();
    ReceiveBytes(Request(1000));
    ReceiveBytes("\xc1");
    EXPECT_EQ(host().requests.size(), before);
    EXPECT_EQ(host().ends.size(), 1u);
  }
};

TEST_F(SessionWire, MalformedMessage_EndsTheConnection) {
  const std::string good = Request(1);
  const std::vector<std::string> bad = {
      "",
      "\xc1",
      "hello",
      std::string(1, '\x97'),
      good.substr(0, 5),
      Encoded({.mux_id = 1, .op = Op::kRequest, .flags = kFlagEof}).substr(0, 7)};
  for (const std::string& bytes : bad) {
    Restart(test::TestConfig());
    ReceiveBytes(bytes);
    ExpectEnded(SessionEnd::kMalformedMessage);
  }
}

TEST_F(SessionWire, EveryTruncation_EndsTheConnection) {
  const std::string good = Request(1);
  for (size_t size = 0; size < good.size(); ++size) {
    Restart(test::TestConfig());
    ReceiveBytes(good.substr(0, size));
    EXPECT_EQ(host().ends.size(), 1u) << size;
    EXPECT_TRUE(host().requests.empty());
  }
}

TEST_F(SessionWire, WrongOrMissingChecksum_EndsTheConnection) {
  std::string wrong = Request(1);
  wrong.back() ^= 1;
  ReceiveBytes(wrong);
  ExpectEnded(SessionEnd::kBadChecksum);
  Restart(test::TestConfig());
  const std::string good = Request(1);
  ReceiveBytes(good.substr(0, good.size() - 2));
  ExpectEnded(SessionEnd::kBadChecksum);
}

// --- Merged ---

TEST_F(SessionWire, Merged_IsTakenApartInOrder) {
  ReceiveBytes(Merge({Request(1), Request(2), Request(3)}));
  ASSERT_EQ(host().requests.size(), 3u);
  for (uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(host().requests[id - 1].request.mux_id, id);
  EXPECT_EQ(end_->counters.messages_in.Get(), 3u);
  EXPECT_EQ(end_->counters.merged_in.Get(), 3u);
  EXPECT_EQ(end_->counters.bytes_in.Get(), Merge({Request(1), Request(2), Request(3)}).size());
}

TEST_F(SessionWire, Merged_MayHoldAnyCount) {
  ReceiveBytes(Merge({}));
  ReceiveBytes(Merge({Request(1)}));
  std::vector<std::string> many;
  for (uint64_t id = 1; id <= 5000; ++id) many.push_back(Request(id));
  ReceiveBytes(Merge(many));
  EXPECT_EQ(host().requests.size(), 5001u);
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionWire, MergedAnswers_GoOutMerged) {
  ReceiveBytes(Merge({Request(1), Request(2), Request(3)}));
  EXPECT_EQ(end_->TakeOutput().size(), 1u);
}

TEST_F(SessionWire, MergedInsideMerged_EndsTheConnection) {
  ReceiveBytes(Merge({Request(1), Merge({Request(2)}), Request(3)}));
  ASSERT_EQ(host().requests.size(), 1u);
  ExpectEnded(SessionEnd::kNestedMerged);
}

TEST_F(SessionWire, MergedThatAnnouncesTooMany_IsRefusedUnread) {
  for (const uint32_t count : {3u, 1000u, UINT32_MAX}) {
    Restart(test::TestConfig());
    std::string bytes = Encoded({.seq = count, .op = Op::kMerged});
    bytes += std::string("\xc4\x00\xc4\x00", 4);
    ReceiveBytes(bytes);
    EXPECT_EQ(end_->counters.merged_in.Get(), 0u);
    ExpectEnded(SessionEnd::kBadMerged);
  }
}

TEST_F(SessionWire, MergedThatIsTooShort_EndsTheConnection) {
  const std::string two = Merge({Request(1), Request(2)});
  ReceiveBytes(two.substr(0, two.size() - 1));
  EXPECT_EQ(host().requests.size(), 1u);
  ExpectEnded(SessionEnd::kBadMerged);
}

TEST_F(SessionWire, MergedWithSomethingElseThanBins_EndsTheConnection) {
  std::string bytes = Encoded({.seq = 2, .op = Op::kMerged});
  bytes += std::string("\xa2hi\xa2hi", 6);
  ReceiveBytes(bytes);
  ExpectEnded(SessionEnd::kBadMerged);
}

TEST_F(SessionWire, MalformedInsideMerged_EndsTheConnectionThere) {
  std::string wrong = Request(2);
  wrong.back() ^= 1;
  ReceiveBytes(Merge({Request(1), wrong, Request(3)}));
  EXPECT_EQ(host().requests.size(), 1u);
  ExpectEnded(SessionEnd::kBadChecksum);
}

TEST_F(SessionWire, BytesBehindTheLastOfAMerged_AreIgnored) {
  ReceiveBytes(Merge({Request(1)}) + "what a newer peer knows");
  EXPECT_EQ(host().requests.size(), 1u);
  EXPECT_TRUE(host().ends.empty());
}

// --- Unknown, and out of place ---

TEST_F(SessionWire, UnknownOps_AreIgnoredAndCounted) {
  for (const int op : {0, 18, 42, 127, 255}) Receive({.mux_id = 1, .op = static_cast<Op>(op)});
  EXPECT_EQ(end_->Dropped(Drop::kUnknownOp), 5u);
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionWire, UnknownFlags_AreIgnoredAndCounted) {
  Receive({.mux_id = 1,
           .handler = kSingle,
           .op = Op::kRequest,
           .flags = kFlagEof | 64 | 128,
           .payload = AsBytes("x")});
  EXPECT_EQ(end_->Dropped(Drop::kUnknownFlags), 1u);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kResponse);
  EXPECT_EQ(sent.flags, kFlagCrc | kFlagEof);
}

TEST_F(SessionWire, UnknownFlagsOfAMerged_AreIgnoredAndCounted) {
  std::string bytes = Encoded({.seq = 1, .op = Op::kMerged, .flags = 64});
  bytes += Merge({Request(1)}).substr(Encoded({.seq = 1, .op = Op::kMerged}).size());
  ReceiveBytes(bytes);
  EXPECT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(end_->Dropped(Drop::kUnknownFlags), 1u);
}

TEST_F(SessionWire, ConnectOnAnEstablishedSession_IsIgnoredAndCounted) {
  Receive({.op = Op::kConnect, .payload = AsBytes("x")});
  Receive({.op = Op::kConnectResponse});
  EXPECT_EQ(end_->Dropped(Drop::kUnexpectedOp), 2u);
  EXPECT_FALSE(session().CanStartWrite());
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionWire, Disconnect_EndsTheConnection) {
  Receive({.op = Op::kDisconnect});
  ExpectEnded(SessionEnd::kPeerDisconnect);
}

TEST_F(SessionWire, MuxConnectError_CopiesEveryFieldButTheSubroute) {
  const SubrouteId id = MakeSubrouteId("no/such", kSingle);
  const uint8_t flags = kFlagCrc | kFlagEof | kFlagPayloadIsZero | 0xc0;
  for (const Op op : {Op::kRequest, Op::kConnectMux}) {
    Receive({.mux_id = 7,
             .seq = 3,
             .deadline_ms = 4,
             .handler = kSingle,
             .op = op,
             .flags = flags | kFlagSubroute,
             .payload = {},
             .subroute = id.bytes.data()});
    const SentMessage sent = SentOne();
    EXPECT_EQ(sent.op, Op::kMuxConnectError);
    EXPECT_EQ(sent.mux_id, 7u);
    EXPECT_EQ(sent.seq, 3u);
    EXPECT_EQ(sent.deadline_ms, 4u);
    EXPECT_EQ(sent.handler, kSingle);
    EXPECT_EQ(sent.flags, flags);
    EXPECT_TRUE(sent.subroute.empty());
    MuxConnectError error;
    ASSERT_TRUE(Decode(AsBytes(sent.payload), &error).ok());
    EXPECT_EQ(error.error.substr(0, 26), "Invalid Handler for type: ");
  }
}

TEST_F(SessionWire, InputAfterShutdown_IsIgnored) {
  session().Shutdown(DisconnectedError("over", Delivery::kMaybeExecuted));
  ReceiveBytes(Request(1));
  ReceiveBytes("\xc1");
  EXPECT_TRUE(host().requests.empty());
  EXPECT_TRUE(host().ends.empty());
  EXPECT_FALSE(session().CanStartWrite());
}

}  // namespace
}  // namespace grid
