// What a session says and understands beyond version 1, by what was agreed upon.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mux/session_fixture.h"

namespace grid::test {
namespace {

class SessionExtensions : public WireTest {
 protected:
  uint64_t Call() {
    const auto id = end_->Call(&probe_, "hi");
    EXPECT_TRUE(id.ok());
    Sent();
    return *id;
  }

  CallProbe probe_;
};

TEST_F(SessionExtensions, None_FlagIsUnknownAndItsBlockIgnored) {
  const uint64_t id = Call();
  ReceiveWith({.mux_id = id,
               .op = Op::kResponse,
               .flags = kFlagEof | kFlagPayloadIsErr,
               .payload = AsBytes("no")},
              {.code = 5, .delivery = 2});
  EXPECT_EQ(probe_.status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DeliveryOf(probe_.status), Delivery::kExecuted);
  EXPECT_EQ(end_->Dropped(Drop::kUnknownFlags), 1u);
}

TEST_F(SessionExtensions, None_NothingExtendedIsSent) {
  host().mode = TestHost::Mode::kHold;
  Receive({.mux_id = 1, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  session().AnswerError(host().requests[0].request, &host().requests[0].running,
                        absl::NotFoundError("no such drive"), now_);
  Receive({.mux_id = 2, .handler = kUnknown, .op = Op::kRequest, .flags = kFlagEof});
  for (const SentMessage& sent : Sent()) EXPECT_LT(sent.flags, kFlagExtended);
}

TEST_F(SessionExtensions, None_UnknownFlagsAreCopiedAsTheyAre) {
  Receive(
      {.mux_id = 2, .handler = kUnknown, .op = Op::kRequest, .flags = kFlagEof | kFlagExtended});
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kMuxConnectError);
  EXPECT_TRUE(sent.Has(kFlagExtended));
}

TEST_F(SessionExtensions, BlockThatCannotBeRead_EndsTheConnection) {
  Restart(With({.status = 1}));
  Receive({.op = Op::kPong, .flags = kFlagExtended});  // no block at all
  ASSERT_EQ(host().ends.size(), 1u);
  EXPECT_EQ(host().ends[0].why, SessionEnd::kMalformedMessage);

  Restart(With({.status = 1}));
  Receive({.op = Op::kPong, .flags = kFlagExtended, .extension = AsBytes("\x90")});
  ASSERT_EQ(host().ends.size(), 1u);
  EXPECT_EQ(host().ends[0].why, SessionEnd::kMalformedMessage);
}

TEST_F(SessionExtensions, Status_ErrorOfAHandlerCarriesItsCode) {
  Restart(With({.status = 1}));
  host().mode = TestHost::Mode::kHold;
  Receive({.mux_id = 1, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  // Whatever a call of the handler's own has met with, the handler has run.
  session().AnswerError(host().requests[0].request, &host().requests[0].running,
                        WithDelivery(absl::NotFoundError("no such drive"), Delivery::kNotSent),
                        now_);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.payload, "no such drive");
  EXPECT_EQ(FieldsOf(sent).code, 5);
  EXPECT_EQ(FieldsOf(sent).delivery, 4);
}

TEST_F(SessionExtensions, Status_RefusalSaysThatNothingRan) {
  Restart(With({.status = 1}));
  Receive({.mux_id = 1, .handler = kUnknown, .op = Op::kRequest, .flags = kFlagEof});
  EXPECT_EQ(FieldsOf(SentOne()).code, 12);
  host().mode = TestHost::Mode::kRefuse;
  Receive({.mux_id = 2, .handler = kSingle, .op = Op::kRequest, .flags = kFlagEof});
  const SentMessage sent = SentOne();
  EXPECT_EQ(FieldsOf(sent).code, 8);
  EXPECT_EQ(FieldsOf(sent).delivery, 2);
}

TEST_F(SessionExtensions, Status_CallerSeesCodeAndDelivery) {
  Restart(With({.status = 1}));
  const uint64_t id = Call();
  ReceiveWith({.mux_id = id,
               .op = Op::kResponse,
               .flags = kFlagEof | kFlagPayloadIsErr,
               .payload = AsBytes("not now")},
              {.code = 14, .delivery = 3});
  EXPECT_EQ(probe_.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(probe_.status.message(), "not now");
  EXPECT_EQ(DeliveryOf(probe_.status), Delivery::kMaybeExecuted);
  EXPECT_TRUE(IsRemote(probe_.status));
}

TEST_F(SessionExtensions, Status_CodesThatThereAreNot_AreUnknown) {
  Restart(With({.status = 1}));
  const uint64_t id = Call();
  ReceiveWith({.mux_id = id, .op = Op::kResponse, .flags = kFlagEof | kFlagPayloadIsErr},
              {.code = 17, .delivery = 5});
  EXPECT_EQ(probe_.status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DeliveryOf(probe_.status), Delivery::kExecuted);
}

TEST_F(SessionExtensions, Status_OfOneMessageIsNotThatOfTheNext) {
  Restart(With({.status = 1}));
  CallProbe second;
  const uint64_t id = Call();
  const uint64_t next = *end_->Call(&second, "hi");
  ReceiveWith({.mux_id = id, .op = Op::kResponse, .flags = kFlagEof | kFlagPayloadIsErr},
              {.code = 5, .delivery = 2});
  Receive({.mux_id = next, .op = Op::kResponse, .flags = kFlagEof | kFlagPayloadIsErr});
  EXPECT_EQ(second.status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DeliveryOf(second.status), Delivery::kExecuted);
}

TEST_F(SessionExtensions, Status_StreamsEndWithCodeAndDelivery) {
  Restart(With({.status = 1}));
  Receive({.mux_id = 1, .handler = kStreamOne, .op = Op::kConnectMux});
  Sent();
  session().Finish(host().streams[0].mux, absl::NotFoundError("no such drive"));
  std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(FieldsOf(sent[0]).code, 5);
  EXPECT_EQ(FieldsOf(sent[0]).delivery, 4);
  EXPECT_FALSE(sent[1].Has(kFlagExtended));

  // Out of sequence: an end of ours, not the handler's.
  Receive({.mux_id = 2, .handler = kStreamOne, .op = Op::kConnectMux});
  Sent();
  Receive({.mux_id = 2, .seq = 9, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  sent = Sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(FieldsOf(sent[0]).code, 15);
  EXPECT_EQ(FieldsOf(sent[0]).delivery, 3);
}

}  // namespace
}  // namespace grid::test
