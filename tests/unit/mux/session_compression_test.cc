// Compressed payloads: a session against hand-made ones, and two sessions that send them to each
// other.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "serialization/zstd_codec.h"
#include "tests/json_payload.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid::test {
namespace {

const std::shared_ptr<ZstdCodec>& Codec() {
  static const std::shared_ptr<ZstdCodec> codec = *ZstdCodec::Create({});
  return codec;
}

SessionConfig ZstdConfig(Extensions extensions = {.zstd = 1}) {
  SessionConfig config = With(extensions);
  config.codec = Codec();
  return config;
}

struct Packed {
  explicit Packed(const std::string& payload) : original(payload) {
    how = Codec()->Compress(AsBytes(payload), 1, 0, *BufferPool::Create(), &frame);
    EXPECT_GT(how.original_bytes, 0u);
  }
  std::string original;
  Buffer frame;
  Compressed how;
};

class SessionCompression : public WireTest {
 protected:
  SessionCompression() : WireTest(ZstdConfig()), packed_(JsonPayload(2000)) {}

  void ReceiveCompressed(Message message, const ExtensionFields& fields) {
    message.flags |= kFlagCompressed;
    ReceiveWith(message, fields);
  }
  void ReceivePacked(const Message& message) {
    ReceiveCompressed(message, {.original_bytes = packed_.how.original_bytes});
  }
  Message Request() const {
    return {.mux_id = 1,
            .handler = kSingle,
            .op = Op::kRequest,
            .flags = kFlagEof,
            .payload = packed_.frame};
  }
  Message Response(uint64_t id) const {
    return {.mux_id = id, .op = Op::kResponse, .flags = kFlagEof, .payload = packed_.frame};
  }
  Message ClientMsg(uint32_t seq = 1) const {
    return {.mux_id = 1, .seq = seq, .op = Op::kMuxClientMsg, .payload = packed_.frame};
  }
  uint64_t Call() {
    const auto id = end_->Call(&probe_, "hi");
    EXPECT_TRUE(id.ok());
    Sent();
    return *id;
  }
  TestHost::Served& Serve() {
    Receive({.mux_id = 1, .handler = kStreamSixteen, .op = Op::kConnectMux});
    Sent();
    return host().streams.back();
  }
  void ExpectRefused(Drop why, absl::string_view text) {
    const SentMessage sent = SentOne();
    EXPECT_EQ(sent.op, Op::kMuxConnectError);
    EXPECT_FALSE(sent.Has(kFlagCompressed));
    EXPECT_NE(absl::string_view(sent.payload).find(text), absl::string_view::npos) << sent.payload;
    EXPECT_EQ(end_->Dropped(why), 1u);
    EXPECT_EQ(end_->DroppedInAll(), 1u);
    EXPECT_TRUE(host().requests.empty());
    EXPECT_TRUE(host().ends.empty());
    EXPECT_TRUE(session().Idle());
  }

  const Packed packed_;
  CallProbe probe_;
};

TEST_F(SessionCompression, RequestToAWorker_IsLeftToIt) {
  host().mode = TestHost::Mode::kHold;
  ReceivePacked(Request());
  ASSERT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(host().requests[0].request.compressed.original_bytes, packed_.original.size());
  EXPECT_EQ(host().requests[0].payload, packed_.frame.text());
  EXPECT_EQ(end_->counters.compressed_in.Get(), 1u);
  EXPECT_EQ(end_->counters.saved_bytes_in.Get(), packed_.original.size() - packed_.frame.size());
}

TEST_F(SessionCompression, WorkerThatCannotDecompress_HasItRefused) {
  host().mode = TestHost::Mode::kHold;
  ReceivePacked(Request());
  TestHost::Held& held = host().requests[0];
  session().RefuseCompressed(held.request, &held.running, CompressionFault::kCorrupt, now_);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kMuxConnectError);
  EXPECT_EQ(sent.mux_id, 1u);
  EXPECT_EQ(end_->Dropped(Drop::kBadCompression), 1u);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionCompression, Response_IsDecompressed) {
  const uint64_t id = Call();
  ReceivePacked(Response(id));
  EXPECT_EQ(probe_.reply, packed_.original);
  EXPECT_TRUE(session().TakePayload().is_nil());
}

TEST_F(SessionCompression, StreamMessages_AreDecompressed) {
  ReceivePacked(
      {.mux_id = 1, .handler = kStreamSixteen, .op = Op::kConnectMux, .payload = packed_.frame});
  ASSERT_EQ(host().streams.size(), 1u);
  EXPECT_EQ(host().streams[0].initial, packed_.original);
  ReceivePacked(ClientMsg(1));
  Receive({.mux_id = 1, .seq = 2, .op = Op::kMuxClientMsg, .payload = AsBytes("plain")});
  ReceivePacked(ClientMsg(3));
  EXPECT_EQ(host().streams[0].probe.data,
            (std::vector<std::string>{packed_.original, "plain", packed_.original}));
}

TEST_F(SessionCompression, WindowsCountWhatTheReceiverKeeps) {
  Restart(ZstdConfig({.credits = 1, .zstd = 1}));
  StreamMux* const mux = Serve().mux;
  const uint64_t before = mux->receive.size().bytes;
  ReceivePacked(ClientMsg());
  session().Consumed(mux, 1, packed_.original.size(), now_);
  EXPECT_EQ(mux->receive.TakeGrant().bytes, packed_.original.size());
  EXPECT_EQ(mux->receive.size().bytes, before);
}

TEST_F(SessionCompression, Lies_EndTheRequestAlone) {
  const struct {
    ExtensionFields fields;
    Drop why;
    const char* text;
  } kCases[] = {
      {{.original_bytes = packed_.original.size() + 1}, Drop::kBadCompression, "no zstd frame"},
      {{}, Drop::kBadCompression, "no zstd frame"},
      {{.original_bytes = uint64_t{1} << 40}, Drop::kPayloadTooBig, "max_message_bytes (33554432)"},
      {{.original_bytes = packed_.original.size(), .dictionary = 77},
       Drop::kUnknownDictionary,
       "does not have: 77"},
  };
  for (const auto& one : kCases) {
    Restart(ZstdConfig());
    ReceiveCompressed(Request(), one.fields);
    ExpectRefused(one.why, one.text);
  }
}

TEST_F(SessionCompression, NoBlock_EndsTheRequestAlone) {
  Message message = Request();
  message.flags |= kFlagCompressed;
  Receive(message);
  ExpectRefused(Drop::kBadCompression, "no zstd frame");
}

TEST_F(SessionCompression, NotAgreedUpon_EndsTheRequestAlone) {
  Restart(ZstdConfig({.status = 1}));
  ReceivePacked(Request());
  EXPECT_EQ(end_->Dropped(Drop::kUnknownFlags), 1u);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.op, Op::kMuxConnectError);
  EXPECT_EQ(end_->Dropped(Drop::kBadCompression), 1u);
  EXPECT_TRUE(host().requests.empty());
  EXPECT_TRUE(host().ends.empty());
}

// Of version 1, which ignores flags that it does not know.
TEST_F(SessionCompression, NoExtensions_FlagIsUnknown) {
  Restart(TestConfig());
  Message message = Request();
  message.flags |= kFlagCompressed;
  Receive(message);
  EXPECT_EQ(host().requests.size(), 1u);
  EXPECT_EQ(end_->Dropped(Drop::kUnknownFlags), 1u);
}

TEST_F(SessionCompression, CorruptResponse_EndsTheCall) {
  const uint64_t id = Call();
  std::string broken(packed_.frame.text());
  broken.resize(broken.size() / 2);
  Message message = Response(id);
  message.payload = AsBytes(broken);
  ReceivePacked(message);
  EXPECT_EQ(probe_.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DeliveryOf(probe_.status), Delivery::kMaybeExecuted);
  EXPECT_EQ(SentOne().op, Op::kDisconnectServerMux);
  EXPECT_EQ(end_->Dropped(Drop::kBadCompression), 1u);
  EXPECT_TRUE(host().ends.empty());
  // The next is fine.
  CallProbe next;
  const auto second = end_->Call(&next, "hi");
  ReceivePacked(Response(*second));
  EXPECT_EQ(next.reply, packed_.original);
}

TEST_F(SessionCompression, CorruptStreamMessage_EndsTheStream) {
  TestHost::Served& served = Serve();
  std::string broken(packed_.frame.text());
  broken.back() = static_cast<char>(~broken.back());
  broken += "x";
  Message message = ClientMsg();
  message.payload = AsBytes(broken);
  ReceivePacked(message);
  EXPECT_EQ(served.probe.end.code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(served.probe.data.empty());
  EXPECT_EQ(end_->Dropped(Drop::kBadCompression), 1u);
  EXPECT_EQ(end_->counters.resets.Get(), 1u);
  EXPECT_TRUE(host().ends.empty());
}

TEST_F(SessionCompression, NobodyWaits_IsNotDecompressed) {
  ReceivePacked(Response(12345));
  EXPECT_EQ(end_->Dropped(Drop::kLateResponse), 1u);
  ReceivePacked(ClientMsg());
  EXPECT_EQ(end_->Dropped(Drop::kLateStreamMessage), 1u);
  EXPECT_EQ(end_->counters.compressed_in.Get(), 0u);
}

TEST_F(SessionCompression, CopiedFlag_IsNoPayload) {
  const uint64_t id = Call();
  Receive({.mux_id = id,
           .op = Op::kMuxConnectError,
           .flags = kFlagCompressed,
           .payload = AsBytes("\x81\xa5"
                              "Error\xa2no")});
  EXPECT_EQ(probe_.status.message(), "no");
}

TEST_F(SessionCompression, Limit_IsOfTheOriginal) {
  SessionConfig config = ZstdConfig();
  config.max_message_bytes = 1024 + kMaxMessageOverhead;
  Restart(config);
  ReceivePacked(Request());
  EXPECT_EQ(end_->Dropped(Drop::kPayloadTooBig), 1u);
  const auto id = session().StartCall({.handler = kSingle,
                                       .payload = packed_.frame,
                                       .deadline = now_ + 1s,
                                       .compressed = packed_.how},
                                      &probe_, now_);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument);
}

// --- Two sessions ---

class CompressionPair : public PairTest {
 protected:
  explicit CompressionPair(Extensions extensions = {.zstd = 1})
      : PairTest(ZstdConfig(extensions)), packed_(JsonPayload(5000)) {}

  void ExpectBothWays(uint64_t payloads) {
    for (SessionEndpoint* end : {&a_, &b_}) {
      EXPECT_EQ(end->counters.compressed_out.Get(), payloads);
      EXPECT_EQ(end->counters.compressed_in.Get(), payloads);
      EXPECT_EQ(end->counters.saved_bytes_in.Get(), end->counters.saved_bytes_out.Get());
      EXPECT_EQ(end->DroppedInAll(), 0u);
    }
    ExpectNoProtocolErrors();
  }
  void EchoACall() {
    CallProbe probe;
    b_.host.mode = TestHost::Mode::kHold;
    ASSERT_TRUE(a_.session
                    .StartCall({.handler = kSingle,
                                .payload = packed_.frame,
                                .deadline = now_ + 10s,
                                .priority = Priority::kUrgent,
                                .compressed = packed_.how},
                               &probe, now_)
                    .ok());
    Pump();
    ASSERT_EQ(b_.host.requests.size(), 1u);
    TestHost::Held& held = b_.host.requests[0];
    EXPECT_EQ(held.payload, packed_.frame.text());
    b_.session.Answer(held.request, &held.running, packed_.frame, now_, packed_.how);
    Pump();
    EXPECT_EQ(probe.reply, packed_.original);
    ExpectBothWays(1);
  }
  void EchoAStream() {
    StreamProbe probe;
    const auto mux = a_.session.OpenStream({.handler = kStreamSixteen,
                                            .initial = packed_.frame,
                                            .has_input = true,
                                            .in_capacity = 16,
                                            .out_capacity = 16,
                                            .compressed = packed_.how},
                                           &probe, now_);
    ASSERT_TRUE(mux.ok());
    Pump();
    TestHost::Served& served = b_.host.streams.back();
    EXPECT_EQ(served.initial, packed_.original);
    for (int i = 0; i < 40; ++i) {
      ASSERT_EQ(a_.session.Send(*mux, packed_.frame, packed_.how), Session::SendResult::kSent);
      Pump();
      ASSERT_EQ(b_.session.Send(served.mux, packed_.frame, packed_.how),
                Session::SendResult::kSent);
      b_.session.Consumed(served.mux, 1, packed_.original.size(), now_);
      Pump();
      a_.session.Consumed(*mux, 1, packed_.original.size(), now_);
      Pump();
    }
    EXPECT_EQ(served.probe.data, std::vector<std::string>(40, packed_.original));
    EXPECT_EQ(probe.data, served.probe.data);
    a_.session.CancelStream(*mux);
    Pump();
    EXPECT_EQ(a_.counters.compressed_out.Get(), 41u);
    EXPECT_EQ(b_.counters.compressed_in.Get(), 41u);
    EXPECT_EQ(b_.counters.compressed_out.Get(), 40u);
    ExpectNoProtocolErrors();
  }

  const Packed packed_;
};

TEST_F(CompressionPair, CallsBothWays) { EchoACall(); }
TEST_F(CompressionPair, StreamsBothWays) { EchoAStream(); }

TEST_F(CompressionPair, Skipped_IsCounted) {
  CallProbe probe;
  ASSERT_TRUE(a_.session
                  .StartCall({.handler = kSingle,
                              .payload = AsBytes("noise"),
                              .deadline = now_ + 10s,
                              .compressed = {.skipped = true}},
                             &probe, now_)
                  .ok());
  Pump();
  EXPECT_EQ(probe.reply, "noise");
  EXPECT_EQ(a_.counters.compression_skipped.Get(), 1u);
  EXPECT_EQ(a_.counters.compressed_out.Get(), 0u);
}

// Compressed, then cut: the frame has several fragments of 100 bytes.
class CompressionInFragments : public CompressionPair {
 protected:
  CompressionInFragments()
      : CompressionPair({.credits = 1, .fragments = 100, .zstd = 1, .status = 1}) {}
};

TEST_F(CompressionInFragments, CallsBothWays) {
  EXPECT_GT(packed_.frame.size(), 300u);
  EchoACall();
}
TEST_F(CompressionInFragments, StreamsBothWays) { EchoAStream(); }

}  // namespace
}  // namespace grid::test
