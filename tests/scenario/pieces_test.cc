// Stream messages in pieces between whole managers: with both extensions at both ends, and without
// one of them; what is in memory meanwhile.
#include <algorithm>
#include <tuple>
#include <utility>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

// The tests' own, besides the conformance service.
constexpr HandlerId kCounts{90};  // reads pieces; answers "<messages> <bytes> <pieces>"
constexpr HandlerId kEchoes{91};  // writes each piece back, read as it came
constexpr HandlerId kWhole{92};   // reads messages; answers the size of each

asio::awaitable<absl::Status> Count(Stream& stream, RequestContext&) {
  size_t messages = 0, bytes = 0, pieces = 0;
  for (;;) {
    PieceResult piece = co_await stream.ReadPiece();
    if (!piece.ok()) co_return piece.status();
    if (!piece->has_value()) break;
    messages += (*piece)->last ? 1 : 0;
    bytes += (*piece)->bytes.size();
    ++pieces;
  }
  const std::string text =
      std::to_string(messages) + " " + std::to_string(bytes) + " " + std::to_string(pieces);
  co_return co_await stream.Write(AsBytes(text));
}

asio::awaitable<absl::Status> EchoPieces(Stream& stream, RequestContext&) {
  for (;;) {
    PieceResult piece = co_await stream.ReadPiece();
    if (!piece.ok()) co_return piece.status();
    if (!piece->has_value()) co_return absl::OkStatus();
    absl::Status written = co_await stream.WritePiece((*piece)->bytes, (*piece)->last);
    if (!written.ok()) co_return written;
  }
}

asio::awaitable<absl::Status> Sizes(Stream& stream, RequestContext&) {
  for (;;) {
    ReadResult message = co_await stream.Read();
    if (!message.ok()) co_return message.status();
    if (!message->has_value()) co_return absl::OkStatus();
    const std::string size = std::to_string((*message)->size());
    absl::Status written = co_await stream.Write(AsBytes(size));
    if (!written.ok()) co_return written;
  }
}

class PiecesTest : public ScenarioTest {
 protected:
  void MakeAndStartWith(testing::ClusterOptions options = {}) {
    options.setup = [](int, Manager& manager) {
      const auto add = [&](HandlerId id, bool pieces, StreamCoroutine function) {
        EXPECT_TRUE(manager
                        .RegisterStream(
                            {.id = id, .in_capacity = 4, .out_capacity = 4, .read_pieces = pieces},
                            std::move(function))
                        .ok());
      };
      add(kCounts, true, Count);
      add(kEchoes, true, EchoPieces);
      add(kWhole, false, Sizes);
    };
    MakeAndStart(std::move(options));
  }
  Stream Open(HandlerId handler, bool read_pieces = false) {
    absl::StatusOr<Stream> stream = cluster().Peer(0, 1).OpenStream(
        handler, {},
        {.has_input = true, .in_capacity = 4, .out_capacity = 4, .read_pieces = read_pieces});
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : Stream();
  }
  uint64_t BytesInUse() {
    return std::max(cluster().manager(0).Stats().buffer_bytes_in_use,
                    cluster().manager(1).Stats().buffer_bytes_in_use);
  }
};

// Whether the node that dials, and the one that is dialled, offer both extensions; which of them
// the other lacks.
class PiecesByOffer : public PiecesTest,
                      public ::testing::WithParamInterface<std::tuple<bool, bool, bool>> {
 protected:
  static bool Both() { return std::get<0>(GetParam()) && std::get<1>(GetParam()); }
  void SetUp() override {
    testing::ClusterOptions options;
    options.names = testing::NamesForDialDirection(true);
    options.adjust = [](int node, ManagerOptions& manager) {
      const bool offers = node == 0 ? std::get<0>(GetParam()) : std::get<1>(GetParam());
      if (offers) return;
      if (std::get<2>(GetParam())) {
        manager.extensions.credits = false;
      } else {
        manager.extensions.fragment_bytes = 0;
      }
    };
    MakeAndStartWith(options);
  }
};

TEST_P(PiecesByOffer, WritersAreToldWhetherTheyMay) {
  Stream stream = Open(kCounts);
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    const std::string piece(1000, 'p');
    const absl::Status written = co_await stream.WritePiece(AsBytes(piece), false);
    EXPECT_EQ(written.code(),
              Both() ? absl::StatusCode::kOk : absl::StatusCode::kFailedPrecondition);
    if (Both()) {
      EXPECT_TRUE((co_await stream.WritePiece(AsBytes(piece), true)).ok());
    } else {
      EXPECT_TRUE((co_await stream.Write(AsBytes(piece))).ok());
    }
    stream.CloseSend();
    ReadResult reply = co_await stream.Read();
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (reply.ok()) {
      EXPECT_EQ((*reply)->text(), Both() ? "1 2000 2" : "1 1000 1");
    }
  }()));
}

TEST_P(PiecesByOffer, LargeMessagesComeEitherWay) {
  Stream stream = Open(kCounts);
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    const std::string large(3 << 20, 'l');
    EXPECT_TRUE((co_await stream.Write(AsBytes(large))).ok());
    EXPECT_TRUE((co_await stream.Write(AsBytes("small"))).ok());
    stream.CloseSend();
    ReadResult reply = co_await stream.Read();
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (reply.ok()) {
      EXPECT_EQ((*reply)->text(), Both() ? "2 3145733 50" : "2 3145733 2");
    }
  }()));
}

INSTANTIATE_TEST_SUITE_P(Offers, PiecesByOffer,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool(),
                                            ::testing::Bool()));

TEST_F(PiecesTest, LongMessageThereAndBack_IsNeverWholeInMemory) {
  MakeAndStartWith();
  constexpr size_t kPiece = 200'000;
  constexpr int kCount = 160;  // 32 MB
  Stream stream = Open(kEchoes, true);
  uint64_t most = 0;
  size_t read = 0, ends = 0;
  cluster().Spawn([](Stream& to, int count) -> asio::awaitable<void> {
    const std::string piece(kPiece, 'p');
    for (int i = 1; i <= count; ++i) {
      EXPECT_TRUE((co_await to.WritePiece(AsBytes(piece), i == count)).ok());
    }
    to.CloseSend();
  }(stream, kCount));
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    for (;;) {
      PieceResult piece = co_await stream.ReadPiece();
      EXPECT_TRUE(piece.ok()) << piece.status();
      if (!piece.ok() || !piece->has_value()) co_return;
      read += (*piece)->bytes.size();
      ends += (*piece)->last ? 1 : 0;
      most = std::max(most, BytesInUse());
      if (ends == 0 && read % 50 == 0) co_await cluster().Sleep(milliseconds(1));
    }
  }()));
  EXPECT_EQ(read, kPiece * kCount);
  EXPECT_EQ(ends, 1u);
  // A window in each direction, what is being written, and the pieces in the hands of the two.
  EXPECT_LE(most, 4u << 20);
}

TEST_F(PiecesTest, ReaderThatIsSlow_HoldsTheWriterUp) {
  MakeAndStartWith();
  Stream stream = Open(kEchoes, true);
  const std::string piece(100'000, 'p');
  int written = 0;
  cluster().Spawn([](Stream& to, const std::string& text, int& count) -> asio::awaitable<void> {
    while ((co_await to.WritePiece(AsBytes(text), false)).ok()) ++count;
  }(stream, piece, written));
  cluster().RunFor(seconds(10));
  // Nobody reads the echo: two windows fill up.
  EXPECT_GT(written, 2);
  EXPECT_LE(written, 12);
  const int before = written;
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE((co_await stream.ReadPiece()).ok());
  }()));
  cluster().RunFor(seconds(10));
  EXPECT_GT(written, before);
  stream.Cancel();
  cluster().RunFor(seconds(1));
  ExpectIdle();
}

TEST_F(PiecesTest, EndInsideAMessage_IsDataLoss) {
  MakeAndStartWith();
  Stream stream = Open(kCounts);
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    EXPECT_TRUE((co_await stream.WritePiece(AsBytes("begun"), false)).ok());
    EXPECT_EQ((co_await stream.Write(AsBytes("x"))).code(), absl::StatusCode::kFailedPrecondition);
    stream.CloseSend();
    ReadResult end = co_await stream.Read();
    EXPECT_EQ(end.status().code(), absl::StatusCode::kDataLoss) << end.status();
  }()));
  EXPECT_EQ(Drops(1, 0, "bad-fragment"), 1u);
}

TEST_F(PiecesTest, PeerThatReadsMessages_TakesNoPieces) {
  MakeAndStartWith();
  Stream stream = Open(kWhole);
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    EXPECT_EQ((co_await stream.WritePiece(AsBytes("x"), true)).code(),
              absl::StatusCode::kFailedPrecondition);
    const std::string large(1 << 20, 'l');
    EXPECT_TRUE((co_await stream.Write(AsBytes(large))).ok());
    // ReadPiece is for any stream: what is whole is one piece.
    PieceResult size = co_await stream.ReadPiece();
    EXPECT_TRUE(size.ok());
    if (size.ok()) {
      EXPECT_EQ((*size)->bytes.text(), "1048576");
      EXPECT_TRUE((*size)->last);
    }
  }()));
}

TEST_F(PiecesTest, Read_IsNotForPieces) {
  MakeAndStartWith();
  Stream stream = Open(kEchoes, true);
  ASSERT_TRUE(cluster().Run([&]() -> asio::awaitable<void> {
    EXPECT_EQ((co_await stream.Read()).status().code(), absl::StatusCode::kFailedPrecondition);
  }()));
}

}  // namespace
}  // namespace grid
