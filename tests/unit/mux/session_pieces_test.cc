// Stream messages in pieces: a session against hand-made fragments, and two sessions.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "serialization/zstd_codec.h"
#include "tests/json_payload.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid::test {
namespace {

using Result = Session::SendResult;
using Pieces = std::vector<StreamProbe::Piece>;

constexpr uint32_t kFragment = 1024;

SessionConfig PiecesConfig(uint32_t fragment = kFragment) {
  return With({.credits = 1, .fragments = fragment});
}

// --- Against hand-made fragments ---

class SessionPieces : public WireTest {
 protected:
  SessionPieces() : WireTest(PiecesConfig()) {}

  // A stream of the peer's, which reads in pieces too.
  StreamMux* Serve(bool peer_reads_pieces = true, uint64_t window = 1 << 20) {
    ReceiveWith({.mux_id = 1, .handler = kStreamPieces, .op = Op::kConnectMux},
                {.window_messages = 4, .window_bytes = window, .pieces = peer_reads_pieces});
    opened_ = Sent();
    return host().streams.back().mux;
  }
  void Fragment(std::string_view payload, uint64_t offset, bool more, uint32_t seq = 1) {
    ReceiveWith({.mux_id = 1, .seq = seq, .op = Op::kMuxClientMsg, .payload = AsBytes(payload)},
                {.offset = offset, .more = more});
  }
  StreamProbe& probe() { return host().streams.back().probe; }
  void ExpectAborted(Drop why = Drop::kBadFragment) {
    EXPECT_EQ(probe().ends, 1);
    EXPECT_EQ(end_->Dropped(why), 1u);
    EXPECT_TRUE(host().ends.empty());
  }
  Result Piece(StreamMux* mux, std::string_view text, bool last) {
    size_t sent = 0;
    return session().SendPiece(mux, AsBytes(text), last, &sent);
  }

  std::vector<SentMessage> opened_;
};

TEST_F(SessionPieces, BothEndsSayThatTheyReadThem) {
  Serve();
  EXPECT_EQ(opened_.back().op, Op::kAckMux);
  EXPECT_TRUE(FieldsOf(opened_.back()).pieces);

  StreamProbe reads, does_not;
  ASSERT_TRUE(
      session().OpenStream({.handler = kStreamOne, .read_pieces = true}, &reads, now_).ok());
  EXPECT_TRUE(FieldsOf(SentOne()).pieces);
  ASSERT_TRUE(session().OpenStream({.handler = kStreamOne}, &does_not, now_).ok());
  EXPECT_FALSE(FieldsOf(SentOne()).pieces);
}

TEST_F(SessionPieces, WithoutBothExtensions_NobodySaysSo) {
  for (const bool credits : {false, true}) {
    SessionConfig config = PiecesConfig(credits ? 0 : kFragment);
    config.extensions.credits = credits ? 1 : 0;
    Restart(config);
    StreamProbe probe;
    StreamMux* mux = *session().OpenStream(
        {.handler = kStreamOne, .has_input = true, .read_pieces = true}, &probe, now_);
    EXPECT_FALSE(FieldsIfAny(Sent()[0]).pieces);
    EXPECT_EQ(Piece(mux, "x", true), Result::kNoPieces);
    session().CancelStream(mux);
  }
}

// However long its text is, and inside a message too.
TEST_F(SessionPieces, ErrorInFragments_EndsTheStream) {
  for (const bool inside : {false, true}) {
    StreamProbe probe;
    StreamMux* mux = *session().OpenStream(
        {.handler = kStreamOne, .window = {.bytes = 1 << 20}, .read_pieces = true}, &probe, now_);
    Sent();
    ReceiveWith({.mux_id = mux->id, .op = Op::kAckMux}, {});
    uint32_t seq = 1;
    if (inside) {
      ReceiveWith(
          {.mux_id = mux->id, .seq = seq++, .op = Op::kMuxServerMsg, .payload = AsBytes("a")},
          {.more = true});
    }
    const std::string text(kFragment + 10, 'e');
    const std::string_view parts[] = {std::string_view(text).substr(0, kFragment),
                                      std::string_view(text).substr(kFragment)};
    for (const bool more : {true, false}) {
      ReceiveWith({.mux_id = mux->id,
                   .seq = seq,
                   .op = Op::kMuxServerMsg,
                   .flags = kFlagEof | kFlagPayloadIsErr,
                   .payload = AsBytes(parts[more ? 0 : 1])},
                  {.offset = more ? 0 : uint64_t{kFragment}, .more = more});
    }
    EXPECT_EQ(probe.pieces.size(), inside ? 1u : 0u);
    EXPECT_EQ(probe.ends, 1);
    EXPECT_EQ(probe.end.message(), absl::string_view(text.data(), text.size()));
  }
}

// What is compressed has to be whole before it can be read.
class SessionPiecesWithZstd : public SessionPieces {
 protected:
  SessionPiecesWithZstd() : payload_(JsonPayload(40'000)) {
    SessionConfig config = PiecesConfig();
    config.extensions.zstd = 1;
    config.codec = *ZstdCodec::Create({});
    how_ = config.codec->Compress(AsBytes(payload_), 1, 0, *BufferPool::Create(), &frame_);
    EXPECT_GT(frame_.size(), kFragment);
    Restart(config);
  }
  void CompressedFragment(size_t begin, size_t end, uint32_t seq = 1) {
    const bool more = end < frame_.size();
    ReceiveWith({.mux_id = 1,
                 .seq = seq,
                 .op = Op::kMuxClientMsg,
                 .flags = kFlagCompressed,
                 .payload = frame_.view().subspan(begin, end - begin)},
                {.offset = begin, .more = more, .original_bytes = more ? 0 : how_.original_bytes});
  }

  std::string payload_;
  Buffer frame_;
  Compressed how_;
};

TEST_F(SessionPiecesWithZstd, CompressedMessages_ComeWhole) {
  Serve();
  for (size_t begin = 0; begin < frame_.size(); begin += kFragment) {
    EXPECT_TRUE(probe().data.empty());
    CompressedFragment(begin, std::min(begin + kFragment, frame_.size()));
  }
  EXPECT_EQ(probe().data, (std::vector<std::string>{payload_}));
  EXPECT_TRUE(probe().pieces.empty());
  Fragment("abc", 0, true, 2);
  EXPECT_EQ(probe().pieces, (Pieces{{"abc", false}}));
}

TEST_F(SessionPiecesWithZstd, CompressedMessages_AreSentInFragments) {
  StreamMux* mux = Serve();
  EXPECT_EQ(session().Send(mux, AsBytes(payload_)), Result::kInPieces);
  EXPECT_EQ(session().Send(mux, frame_, how_), Result::kSent);
  const std::vector<SentMessage> sent = Sent();
  ASSERT_GT(sent.size(), 1u);
  for (const SentMessage& fragment : sent) EXPECT_TRUE(fragment.Has(kFlagCompressed));
  EXPECT_EQ(FieldsOf(sent.back()).original_bytes, payload_.size());
}

TEST_F(SessionPiecesWithZstd, CompressedMessageInsideAnother_EndsTheStream) {
  Serve();
  Fragment("abc", 0, true);
  CompressedFragment(0, kFragment, 2);
  ExpectAborted();
}

TEST_F(SessionPieces, AreGivenAsTheyCome) {
  Serve();
  Fragment("abc", 0, true);
  EXPECT_EQ(probe().pieces, (Pieces{{"abc", false}}));
  Fragment("de", 3, true);
  Fragment("f", 5, false);
  EXPECT_EQ(probe().pieces, (Pieces{{"abc", false}, {"de", false}, {"f", true}}));
  Receive({.mux_id = 1, .seq = 2, .op = Op::kMuxClientMsg, .payload = AsBytes("whole")});
  EXPECT_EQ(probe().data, (std::vector<std::string>{"whole"}));
  EXPECT_EQ(end_->DroppedInAll(), 0u);
}

TEST_F(SessionPieces, LastMayBeEmpty) {
  Serve();
  Fragment("abc", 0, true);
  Fragment("", 3, false);
  EXPECT_EQ(probe().pieces, (Pieces{{"abc", false}, {"", true}}));
}

TEST_F(SessionPieces, CreditsAndPingsMayComeInBetween) {
  StreamMux* mux = Serve();
  Fragment("abc", 0, true);
  ReceiveWith({.mux_id = 1, .seq = 2, .op = Op::kUnblockSrvMux}, {.grant_bytes = 5});
  Receive({.mux_id = 1, .seq = 3, .op = Op::kPing});
  EXPECT_EQ(SentOne().op, Op::kPong);
  Fragment("def", 3, false);
  EXPECT_EQ(probe().pieces, (Pieces{{"abc", false}, {"def", true}}));
  EXPECT_FALSE(mux->over);
}

TEST_F(SessionPieces, Gap_EndsTheStream) {
  Serve();
  Fragment("abc", 0, true);
  Fragment("f", 5, false);
  ExpectAborted();
}

TEST_F(SessionPieces, MissingBeginning_EndsTheStream) {
  Serve();
  Fragment("abc", 3, true);
  ExpectAborted();
}

TEST_F(SessionPieces, AnotherNumber_EndsTheStream) {
  Serve();
  Fragment("abc", 0, true);
  Fragment("def", 3, false, 2);
  ExpectAborted();
}

TEST_F(SessionPieces, WrongFirstNumber_EndsTheStream) {
  Serve();
  Fragment("abc", 0, true, 2);
  ExpectAborted(Drop::kOutOfSequence);
}

TEST_F(SessionPieces, TooLargeOrEmpty_EndsTheStream) {
  Serve();
  Fragment(std::string(kFragment + 1, 'x'), 0, true);
  ExpectAborted();
  Restart(PiecesConfig());
  Serve();
  Fragment("", 0, true);
  ExpectAborted();
}

TEST_F(SessionPieces, WholeMessageInBetween_EndsTheStream) {
  Serve();
  Fragment("abc", 0, true);
  Receive({.mux_id = 1, .seq = 2, .op = Op::kMuxClientMsg, .payload = AsBytes("x")});
  ExpectAborted();
}

TEST_F(SessionPieces, EndInsideAMessage_EndsTheStream) {
  Serve();
  Fragment("abc", 0, true);
  Receive({.mux_id = 1, .seq = 2, .op = Op::kMuxClientMsg, .flags = kFlagEof});
  ExpectAborted();
  EXPECT_EQ(probe().end.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(probe().eofs, 0);
}

// The handler has returned, and waits for the credit for its end.
TEST_F(SessionPieces, ThatComeAfterTheHandler_AreLate) {
  StreamMux* mux = Serve(true, 2);
  EXPECT_EQ(Piece(mux, "xy", true), Result::kSent);
  Sent();
  Fragment("abc", 0, true);
  session().Finish(mux, absl::OkStatus());
  Fragment("def", 3, false);
  Fragment("ghi", 0, true, 2);
  Fragment("jkl", 3, false, 2);
  EXPECT_EQ(end_->Dropped(Drop::kLateStreamMessage), 3u);
  EXPECT_EQ(end_->DroppedInAll(), 3u);
  ReceiveWith({.mux_id = 1, .seq = 3, .op = Op::kUnblockSrvMux},
              {.grant_messages = 1, .grant_bytes = 9});
  EXPECT_EQ(Sent()[0].flags & kFlagEof, kFlagEof);
  EXPECT_TRUE(session().Idle());
}

TEST_F(SessionPieces, BeyondTheWindow_EndTheStream) {
  Serve();
  const size_t window = StreamWindow().bytes;
  size_t offset = 0;
  for (; offset < window; offset += kFragment) {
    Fragment(std::string(kFragment, 'x'), offset, true);
  }
  EXPECT_EQ(probe().ends, 0);
  Fragment("x", offset, true);
  ExpectAborted(Drop::kCreditExceeded);
}

TEST_F(SessionPieces, WriterWaitsForTheWindow) {
  StreamMux* mux = Serve(true, 3000);
  const std::string payload(5000, 'p');
  size_t sent = 0;
  EXPECT_EQ(session().SendPiece(mux, AsBytes(payload), true, &sent), Result::kNoCredit);
  EXPECT_EQ(sent, 3 * kFragment);  // the last of them begins within the window
  EXPECT_EQ(session().Send(mux, AsBytes("x")), Result::kInPieces);
  probe().on_sendable = [&] {
    EXPECT_EQ(session().SendPiece(mux, AsBytes(payload), true, &sent), Result::kSent);
  };
  ReceiveWith({.mux_id = 1, .seq = 1, .op = Op::kUnblockSrvMux}, {.grant_bytes = 3000});
  EXPECT_EQ(sent, payload.size());
  std::vector<uint64_t> offsets;
  for (const SentMessage& part : Sent()) {
    EXPECT_EQ(part.seq, 1u);
    EXPECT_EQ(FieldsOf(part).more, offsets.size() < 4);
    offsets.push_back(FieldsOf(part).offset);
  }
  EXPECT_EQ(offsets, (std::vector<uint64_t>{0, 1024, 2048, 3072, 4096}));
}

TEST_F(SessionPieces, OneThatIsWhole_IsAnOrdinaryMessage) {
  StreamMux* mux = Serve();
  EXPECT_EQ(Piece(mux, "all of it", true), Result::kSent);
  const SentMessage sent = SentOne();
  EXPECT_EQ(sent.payload, "all of it");
  EXPECT_FALSE(sent.Has(kFlagExtended));
}

TEST_F(SessionPieces, PeerThatDoesNotReadThem_IsSentNone) {
  StreamMux* mux = Serve(false);
  EXPECT_EQ(Piece(mux, "abc", false), Result::kNoPieces);
  EXPECT_TRUE(Sent().empty());
  EXPECT_EQ(session().Send(mux, AsBytes(std::string(3000, 'x'))), Result::kSent);
}

TEST_F(SessionPieces, LargeWholeMessage_IsForPiecesToo) {
  StreamMux* mux = Serve();
  EXPECT_EQ(session().Send(mux, AsBytes(std::string(3000, 'x'))), Result::kInPieces);
  EXPECT_EQ(session().Send(mux, AsBytes(std::string(1000, 'x'))), Result::kSent);
}

// --- Two sessions ---

class PiecesPair : public PairTest {
 protected:
  PiecesPair() : PairTest(PiecesConfig(64 << 10)) {}
};

// 64 MiB through a window of 256 KiB: neither end ever holds more than the window.
TEST_F(PiecesPair, LongMessage_IsNeverWholeInMemory) {
  constexpr size_t kPiece = 100'000;
  constexpr size_t kPieces = 64 * 1024 * 1024 / kPiece;
  StreamProbe probe;
  StreamMux* mux = *a_.Open(&probe, kStreamPieces);
  Pump();
  auto& served = b_.host.streams.back();
  const std::string piece(kPiece, 'p');
  size_t written = 0, sent = 0, read = 0, most = 0;
  bool ended = false;
  const auto write = [&] {
    while (written < kPieces) {
      const bool last = written + 1 == kPieces;
      if (a_.session.SendPiece(mux, AsBytes(piece), last, &sent) != Result::kSent) return;
      sent = 0;
      ++written;
    }
  };
  probe.on_sendable = write;
  served.probe.on_data = [&] {
    for (const StreamProbe::Piece& one : served.probe.pieces) {
      read += one.text.size();
      ended |= one.last;
      b_.session.Consumed(served.mux, one.last ? 1 : 0, one.text.size(), now_);
    }
    served.probe.pieces.clear();
    most = std::max({most, a_.pool->Stats().bytes_in_use, b_.pool->Stats().bytes_in_use});
  };
  write();
  for (int i = 0; i < 10'000 && !ended; ++i) {
    Move(a_, b_);
    Move(b_, a_);
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(read, kPieces * kPiece);
  EXPECT_LE(most, 1u << 20);
  ExpectNoProtocolErrors();
  a_.session.CloseSend(mux);
  Pump();
  EXPECT_EQ(served.probe.eofs, 1);
}

}  // namespace
}  // namespace grid::test
