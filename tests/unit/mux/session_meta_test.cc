// What the extensions meta and handlers16 say of a call, at both ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mux/session_fixture.h"

namespace grid::test {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kTraceText = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class SessionMeta : public WireTest {
 protected:
  SessionMeta() { EXPECT_TRUE(metadata_.Add("tenant", "blue").ok()); }

  absl::Status Call(uint16_t handler, const CallMeta& meta, const SubrouteId* subroute = nullptr,
                    std::string_view payload = "hi") {
    return session()
        .StartCall({.handler = handler,
                    .subroute = subroute,
                    .payload = AsBytes(payload),
                    .deadline = now_ + 10s,
                    .meta = meta},
                   &probe_, now_)
        .status();
  }
  absl::Status Open(uint16_t handler, const CallMeta& meta) {
    return session().OpenStream({.handler = handler, .meta = meta}, &stream_, now_).status();
  }
  // A request or ConnectMux whose block holds `fields`.
  void ReceiveOpening(Op op, uint16_t handler, const ExtensionFields& fields,
                      const SubrouteId* subroute = nullptr) {
    uint8_t flags = 0;
    if (op == Op::kRequest) flags |= kFlagEof;
    if (subroute != nullptr) flags |= kFlagSubroute;
    ReceiveWith({.mux_id = ++next_id_,
                 .handler = handler,
                 .op = op,
                 .flags = flags,
                 .payload = AsBytes("hi"),
                 .subroute = subroute == nullptr ? nullptr : subroute->bytes.data()},
                fields);
  }
  void ExpectRefused(const std::string& why, Drop drop) {
    const SentMessage sent = SentOne();
    EXPECT_EQ(sent.op, Op::kMuxConnectError);
    MuxConnectError error;
    ASSERT_TRUE(Decode(AsBytes(sent.payload), &error).ok());
    EXPECT_THAT(error.error, HasSubstr(why));
    EXPECT_GT(end_->Dropped(drop), 0u);
    EXPECT_TRUE(host().ends.empty());
  }

  const TraceContext trace_ = *TraceContext::Parse(kTraceText);
  Metadata metadata_;
  CallProbe probe_;
  StreamProbe stream_;
  uint64_t next_id_ = 0;
};

// --- meta ---

TEST_F(SessionMeta, IsSentWithRequestsAndStreams) {
  Restart(With({.meta = 1}));
  ASSERT_TRUE(Call(kSingle, {trace_, metadata_}).ok());
  ASSERT_TRUE(Open(kStreamOne, {trace_, metadata_}).ok());
  for (const SentMessage& sent : Sent()) {
    EXPECT_EQ(FieldsOf(sent).traceparent, kTraceText);
    EXPECT_EQ(AsText(FieldsOf(sent).metadata),
              "\x81\xa6tenant\xa4"
              "blue");
  }
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionMeta, CallsWithoutAny_AreThoseOfVersion1) {
  Restart(With({.meta = 1, .handlers16 = 1}));
  ASSERT_TRUE(Call(kSingle, {}).ok());
  ASSERT_TRUE(Open(kStreamOne, {}).ok());
  for (const SentMessage& sent : Sent()) EXPECT_LT(sent.flags, kFlagExtended);
}

TEST_F(SessionMeta, WithoutTheExtension_IsLeftOutAndCounted) {
  ASSERT_TRUE(Call(kSingle, {trace_, {}}).ok());
  ASSERT_TRUE(Open(kStreamOne, {{}, metadata_}).ok());
  const std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 2u);
  for (const SentMessage& one : sent) EXPECT_LT(one.flags, kFlagExtended);
  EXPECT_EQ(end_->Dropped(Drop::kMetadataNotSent), 2u);

  // Other extensions go on as ever.
  Restart(With({.credits = 1, .fragments = 4096}));
  ASSERT_TRUE(Open(kStreamOne, {trace_, metadata_}).ok());
  ExtensionFields fields;
  for (const SentMessage& one : Sent()) {
    if (one.op == Op::kConnectMux) fields = FieldsOf(one);
  }
  EXPECT_GT(fields.window_messages, 0u);
  EXPECT_TRUE(fields.traceparent.empty());
  EXPECT_TRUE(fields.metadata.empty());
}

TEST_F(SessionMeta, HandlersAreTold) {
  Restart(With({.meta = 1}));
  host().mode = TestHost::Mode::kHold;
  CallMeta seen;
  std::string tenant;
  host().on_meta = [&](const CallMeta& meta) {
    seen.trace = meta.trace;
    tenant = meta.metadata.Find("tenant").value_or("none");
  };
  for (const Op op : {Op::kRequest, Op::kConnectMux}) {
    tenant.clear();
    ReceiveOpening(op, op == Op::kRequest ? kSingle : kStreamOne,
                   {.traceparent = kTraceText, .metadata = metadata_.view().bytes()});
    EXPECT_EQ(seen.trace, trace_);
    EXPECT_EQ(tenant, "blue");
    ReceiveOpening(op, op == Op::kRequest ? kSingle : kStreamOne, {.priority = 1});
    EXPECT_FALSE(seen.trace);
    EXPECT_EQ(tenant, "none");
  }
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionMeta, WhatWasNotAgreedUpon_IsNotTold) {
  Restart(With({.status = 1}));
  bool empty = false;
  host().on_meta = [&](const CallMeta& meta) { empty = meta.empty(); };
  ReceiveOpening(Op::kRequest, kSingle,
                 {.traceparent = "nonsense", .metadata = AsBytes("nonsense")});
  EXPECT_TRUE(empty);
  EXPECT_EQ(SentOne().op, Op::kResponse);
}

TEST_F(SessionMeta, WhatCannotBeRead_EndsThatCallAlone) {
  Restart(With({.meta = 1}));
  for (const Op op : {Op::kRequest, Op::kConnectMux}) {
    const uint8_t handler = op == Op::kRequest ? kSingle : kStreamOne;
    ReceiveOpening(op, handler, {.traceparent = "00-0-0-0"});
    ExpectRefused("traceparent: 8 characters", Drop::kBadMetadata);
    ReceiveOpening(op, handler, {.traceparent = kTraceText, .metadata = AsBytes("\x81\xa1k\x05")});
    ExpectRefused("metadata: a key or a value is no text", Drop::kBadMetadata);
  }
  EXPECT_EQ(end_->Dropped(Drop::kBadMetadata), 4u);
  EXPECT_TRUE(host().requests.empty());
  EXPECT_TRUE(host().streams.empty());
  EXPECT_TRUE(session().Idle());
  ReceiveOpening(Op::kRequest, kSingle, {.traceparent = kTraceText});
  EXPECT_EQ(SentOne().op, Op::kResponse);
}

TEST_F(SessionMeta, CountsTowardsTheLimitOfAMessage) {
  SessionConfig config = With({.meta = 1});
  config.max_message_bytes = 4000;
  Restart(config);
  const std::string most(config.max_message_bytes - kMaxMessageOverhead, 'x');
  EXPECT_TRUE(Call(kSingle, {}, nullptr, most).ok());
  EXPECT_EQ(Call(kSingle, {trace_, metadata_}, nullptr, most).code(),
            absl::StatusCode::kInvalidArgument);
}

// --- handlers16 ---

TEST_F(SessionMeta, HandlersAbove255_AreInTheBlock) {
  Restart(With({.handlers16 = 1}));
  const SubrouteId subroute = MakeSubrouteId(kSubroute, kSingleAbove);
  ASSERT_TRUE(Call(kSingleAbove, {}).ok());
  ASSERT_TRUE(Call(kSingleAbove, {}, &subroute).ok());
  ASSERT_TRUE(Open(kStreamAbove, {}).ok());
  const std::vector<SentMessage> sent = Sent();
  ASSERT_EQ(sent.size(), 3u);
  for (const SentMessage& one : sent) EXPECT_EQ(one.handler, 0);
  EXPECT_EQ(FieldsOf(sent[0]).handler, kSingleAbove);
  EXPECT_EQ(FieldsOf(sent[1]).handler, kSingleAbove);
  EXPECT_EQ(sent[1].subroute.substr(0, 2), "\x2c\x01");
  EXPECT_EQ(FieldsOf(sent[2]).handler, kStreamAbove);
}

TEST_F(SessionMeta, HandlersAbove255_AreFound) {
  Restart(With({.handlers16 = 1}));
  ReceiveOpening(Op::kRequest, 0, {.handler = kSingleAbove});
  EXPECT_EQ(SentOne().op, Op::kResponse);
  EXPECT_EQ(host().requests.back().entry->id.value(), kSingleAbove);
  const SubrouteId subroute = MakeSubrouteId(kSubroute, kSingleAbove);
  ReceiveOpening(Op::kRequest, 0, {.handler = kSingleAbove}, &subroute);
  EXPECT_EQ(SentOne().op, Op::kResponse);
  EXPECT_EQ(host().requests.back().entry->subroute, kSubroute);
  ReceiveOpening(Op::kConnectMux, 0, {.handler = kStreamAbove});
  EXPECT_EQ(SentOne().op, Op::kAckMux);
  // The block's is the one that counts.
  ReceiveOpening(Op::kRequest, kUnknown, {.handler = kSingle});
  EXPECT_EQ(SentOne().op, Op::kResponse);
}

TEST_F(SessionMeta, UnknownHandlersAbove255_AreRefusedByTheirId) {
  Restart(With({.handlers16 = 1}));
  for (const uint16_t handler : {301, 512, 65535}) {
    ReceiveOpening(Op::kRequest, 0, {.handler = handler});
    ExpectRefused("Invalid Handler for type: " + std::to_string(handler), Drop::kUnknownHandler);
  }
}

TEST_F(SessionMeta, HandlersAbove255_NeedTheExtension) {
  Restart(With({.meta = 1}));
  const absl::Status call = Call(kSingleAbove, {});
  const absl::Status open = Open(kStreamAbove, {});
  for (const absl::Status& status : {call, open}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
    EXPECT_THAT(std::string(status.message()), HasSubstr("handlers16"));
  }
  EXPECT_EQ(end_->Dropped(Drop::kHandlerNotSent), 2u);
  EXPECT_TRUE(Sent().empty());
  ReceiveOpening(Op::kRequest, 0, {.handler = kSingleAbove});
  ExpectRefused("Invalid Handler", Drop::kUnknownHandler);
}

// --- both, in fragments ---

class SessionMetaPair : public PairTest {
 protected:
  SessionMetaPair() : PairTest(With({.fragments = 1024, .meta = 1, .handlers16 = 1})) {}
};

TEST_F(SessionMetaPair, LargeRequest_ArrivesWithAllThatIsSaidOfIt) {
  Metadata metadata;
  ASSERT_TRUE(metadata.Add("tenant", "blue").ok());
  const TraceContext trace = *TraceContext::Parse(kTraceText);
  CallMeta seen;
  std::string tenant;
  b_.host.on_meta = [&](const CallMeta& meta) {
    seen.trace = meta.trace;
    tenant = meta.metadata.Find("tenant").value_or("none");
  };
  const std::string large(5000, 'x');
  CallProbe probe;
  ASSERT_TRUE(a_.session
                  .StartCall({.handler = kSingleAbove,
                              .payload = AsBytes(large),
                              .deadline = now_ + 10s,
                              .priority = Priority::kBulk,
                              .meta = {trace, metadata}},
                             &probe, now_)
                  .ok());
  Pump();
  EXPECT_EQ(probe.reply, large);
  EXPECT_EQ(b_.host.requests.back().entry->id.value(), kSingleAbove);
  EXPECT_EQ(b_.host.requests.back().request.priority, Priority::kBulk);
  EXPECT_EQ(seen.trace, trace);
  EXPECT_EQ(tenant, "blue");
}

TEST_F(SessionMetaPair, LargeRequestForAnUnknownHandler_IsRefusedAtItsFirstFragment) {
  CallProbe probe;
  const std::string large(5000, 'x');
  ASSERT_TRUE(a_.session
                  .StartCall({.handler = 999, .payload = AsBytes(large), .deadline = now_ + 10s},
                             &probe, now_)
                  .ok());
  Pump();
  EXPECT_EQ(probe.status.message(), "Invalid Handler for type: 999");
  EXPECT_EQ(DeliveryOf(probe.status), Delivery::kRejected);
  EXPECT_TRUE(a_.session.Idle());
  EXPECT_TRUE(b_.session.Idle());
}

}  // namespace
}  // namespace grid::test
