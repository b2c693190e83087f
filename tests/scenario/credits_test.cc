// Windows of streams between whole managers: both sides with the extension `credits`, neither, and
// either one alone; unread streams beside others; growth.
#include <tuple>

#include "tests/scenario/scenario.h"

namespace grid {
namespace {

// The tests' own, besides the conformance service.
constexpr HandlerId kNeverReads{90};  // keeps the stream, reads nothing
constexpr HandlerId kReads{91};       // reads to the end; capacity 4
constexpr HandlerId kSends{92};       // as many messages of 1000 bytes as the opening text says

asio::awaitable<absl::Status> ReadToTheEnd(Stream& stream, RequestContext&) {
  for (;;) {
    ReadResult message = co_await stream.Read();
    if (!message.ok()) co_return message.status();
    if (!message->has_value()) co_return absl::OkStatus();
  }
}

asio::awaitable<absl::Status> SendMany(Stream& stream, RequestContext&) {
  const std::string payload(1000, 'x');
  const int count = std::stoi(std::string(AsText(stream.initial())));
  for (int i = 0; i < count; ++i) {
    absl::Status status = co_await stream.Write(AsBytes(payload));
    if (!status.ok()) co_return status;
  }
  co_return absl::OkStatus();
}

class CreditsTest : public ScenarioTest {
 protected:
  void MakeAndStartWith(testing::ClusterOptions options, StreamWindow window = {}) {
    options.setup = [this, window](int, Manager& manager) {
      ASSERT_TRUE(manager
                      .RegisterStream({.id = kNeverReads, .in_capacity = 4, .window = window},
                                      StreamStarter([this](Stream stream, RequestContext&) {
                                        kept_.push_back(std::move(stream));
                                      }))
                      .ok());
      ASSERT_TRUE(manager
                      .RegisterStream({.id = kReads, .in_capacity = 4, .window = window},
                                      StreamCoroutine(ReadToTheEnd))
                      .ok());
      ASSERT_TRUE(
          manager.RegisterStream({.id = kSends, .out_capacity = 4}, StreamCoroutine(SendMany))
              .ok());
    };
    MakeAndStart(std::move(options));
  }
  void TearDown() override {
    kept_.clear();
    ScenarioTest::TearDown();
  }

  Stream Open(HandlerId handler, StreamOptions options, BytesView initial = {}) {
    absl::StatusOr<Stream> stream = cluster().Peer(0, 1).OpenStream(handler, initial, options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : Stream();
  }
  asio::awaitable<void> Write(Stream& stream, int count, size_t size, int& written) {
    const std::string payload(size, 'x');
    for (int i = 0; i < count; ++i) {
      const absl::Status status = co_await stream.Write(AsBytes(payload));
      if (!status.ok()) co_return;
      ++written;
    }
    stream.CloseSend();
  }
  asio::awaitable<void> Read(Stream& stream, int& messages, absl::Status& end) {
    for (;;) {
      ReadResult message = co_await stream.Read();
      if (!message.ok() || !message->has_value()) {
        end = message.status();
        co_return;
      }
      ++messages;
    }
  }

  std::vector<Stream> kept_;
};

// Whether the node that dials, and the one that is dialled, offer it.
class CreditsByOffer : public CreditsTest,
                       public ::testing::WithParamInterface<std::tuple<bool, bool>> {
 protected:
  static bool Both() { return std::get<0>(GetParam()) && std::get<1>(GetParam()); }
  void SetUp() override {
    testing::ClusterOptions options;
    options.names = testing::NamesForDialDirection(true);
    options.adjust = [](int node, ManagerOptions& manager) {
      manager.extensions.credits = node == 0 ? std::get<0>(GetParam()) : std::get<1>(GetParam());
    };
    MakeAndStartWith(options, {.messages = 50});
  }
  void TearDown() override {
    for (const int node : {0, 1}) {
      for (const char* drop : {"unknown-flags", "credit-exceeded", "out-of-sequence"}) {
        EXPECT_EQ(Drops(node, 1 - node, drop), 0u) << drop;
      }
    }
    CreditsTest::TearDown();
  }
};

TEST_P(CreditsByOffer, TheReceiverLimitsTheWriter) {
  Stream stream = Open(kNeverReads, {.has_input = true, .in_capacity = 4});
  int written = 0;
  cluster().Spawn(Write(stream, 1000, 10, written));
  cluster().RunFor(minutes(3));
  EXPECT_EQ(written, Both() ? 50 : 4);
  stream.Cancel();
  cluster().RunFor(seconds(1));
}

TEST_P(CreditsByOffer, BytesLimitToo) {
  Stream stream = Open(kNeverReads, {.has_input = true, .in_capacity = 4});
  int written = 0;
  cluster().Spawn(Write(stream, 1000, 100'000, written));
  cluster().RunFor(seconds(10));
  EXPECT_EQ(written, Both() ? 3 : 4);  // 256 KiB, and the one that goes beyond
  stream.Cancel();
  cluster().RunFor(seconds(1));
}

TEST_P(CreditsByOffer, ManyMessagesPass) {
  for (const size_t size : {0, 1, 1000, 300'000}) {
    SCOPED_TRACE(size);
    Stream stream = Open(kReads, {.has_input = true, .in_capacity = 4});
    int written = 0, messages = 0;
    absl::Status end = absl::UnknownError("not ended");
    cluster().Spawn(Write(stream, 200, size, written));
    ASSERT_TRUE(cluster().Run(Read(stream, messages, end)));
    EXPECT_TRUE(end.ok()) << end;
    EXPECT_EQ(written, 200);
  }
}

TEST_P(CreditsByOffer, Echo_OfMoreThanTheWindows) {
  Stream stream =
      Open(kStreamEcho16,
           {.has_input = true, .in_capacity = 16, .out_capacity = 16, .window = {.messages = 3}});
  int written = 0, messages = 0;
  absl::Status end = absl::UnknownError("not ended");
  cluster().Spawn(Write(stream, 500, 1000, written));
  ASSERT_TRUE(cluster().Run(Read(stream, messages, end)));
  EXPECT_TRUE(end.ok()) << end;
  EXPECT_EQ(messages, 500);
}

TEST_P(CreditsByOffer, AnUnreadStream_StopsNoOther) {
  std::vector<Stream> unread;
  int stuck = 0;
  for (int i = 0; i < 20; ++i) {
    unread.push_back(Open(kNeverReads, {.has_input = true, .in_capacity = 4}));
  }
  for (Stream& stream : unread) cluster().Spawn(Write(stream, 1000, 10'000, stuck));
  cluster().RunFor(seconds(1));
  Stream read = Open(kReads, {.has_input = true, .in_capacity = 4});
  int written = 0, messages = 0;
  absl::Status end = absl::UnknownError("not ended");
  cluster().Spawn(Write(read, 1000, 10'000, written));
  ASSERT_TRUE(cluster().Run(Read(read, messages, end), minutes(1)));
  EXPECT_TRUE(end.ok()) << end;
  EXPECT_EQ(written, 1000);
  EXPECT_EQ(stuck, Both() ? 20 * 27 : 20 * 4);
  for (Stream& stream : unread) stream.Cancel();
  cluster().RunFor(seconds(1));
}

// Only where both offer it the two need not name the same capacity.
TEST_P(CreditsByOffer, CapacitiesNeedNotMatch) {
  if (!Both()) GTEST_SKIP() << "version 1 needs them to";
  Stream stream = Open(kStreamEcho, {.has_input = true, .in_capacity = 100, .out_capacity = 100});
  int written = 0, messages = 0;
  absl::Status end = absl::UnknownError("not ended");
  cluster().Spawn(Write(stream, 300, 10, written));
  ASSERT_TRUE(cluster().Run(Read(stream, messages, end)));
  EXPECT_TRUE(end.ok()) << end;
  EXPECT_EQ(messages, 300);
}

// A link of 10 MB/s and 50 ms there and back: 500 kB are on their way.
class CreditsOverDistance : public CreditsTest {
 protected:
  static constexpr uint64_t kRate = 10'000'000;

  void MakeAndStartFarApart(uint64_t max_window_bytes = Limits().max_window_bytes) {
    MakeAndStartWith({.network = {.min_latency = milliseconds(25),
                                  .max_latency = milliseconds(25),
                                  .bytes_per_second = kRate,
                                  .window_bytes = size_t{4} << 20},
                      .adjust = [max_window_bytes](int, ManagerOptions& options) {
                        options.limits.max_window_bytes = max_window_bytes;
                      }});
  }
  // Bytes per second of payload that a handler's stream brings, from `from` on.
  double Rate(const StreamWindow& window, seconds from = seconds(2)) {
    Stream stream = Open(kSends, {.out_capacity = 4, .window = window}, AsBytes("10000000"));
    int messages = 0;
    absl::Status end;
    cluster().Spawn(Read(stream, messages, end));
    cluster().RunFor(from);
    const int before = messages;
    cluster().RunFor(seconds(2));
    const double rate = (messages - before) * 1000 / 2.0;
    stream.Cancel();
    cluster().RunFor(seconds(1));
    return rate;
  }
};

TEST_F(CreditsOverDistance, WindowThatDoesNotGrow_Limits) {
  MakeAndStartFarApart();
  const double rate = Rate({.bytes = 64'000, .max_bytes = 64'000});
  EXPECT_GT(rate, 0.9 * 64'000 / 0.05);
  EXPECT_LT(rate, 1.2 * 64'000 / 0.05);
}

TEST_F(CreditsOverDistance, WindowGrowsToWhatTheLinkCarries) {
  MakeAndStartFarApart();
  EXPECT_GT(Rate({.bytes = 16'000}), 0.9 * kRate);
  // It doubles with each round trip.
  EXPECT_GT(Rate({.bytes = 16'000}, seconds(1)), 0.9 * kRate);
}

TEST_F(CreditsOverDistance, MessagesGrowToo) {
  MakeAndStartFarApart();
  EXPECT_GT(Rate({.messages = 16}), 0.9 * kRate);
}

TEST_F(CreditsOverDistance, WindowStopsAtItsLimit) {
  MakeAndStartFarApart();
  const double rate = Rate({.bytes = 16'000, .max_bytes = 100'000});
  EXPECT_GT(rate, 0.8 * 100'000 / 0.05);
  EXPECT_LT(rate, 1.2 * 100'000 / 0.05);
}

TEST_F(CreditsOverDistance, WindowStopsAtTheBudget) {
  MakeAndStartFarApart(100'000);
  EXPECT_LT(Rate({}), 1.2 * 100'000 / 0.05);
  EXPECT_GT(Drops(0, 1, "window-limit"), 0u);
}

// What was grown for one stream is there for others once it has ended, and leaves them enough
// before.
TEST_F(CreditsOverDistance, StreamThatIsNotRead_StarvesNoOther) {
  MakeAndStartFarApart(4'000'000);
  std::vector<Stream> unread;
  for (int i = 0; i < 5; ++i) {
    unread.push_back(Open(kSends, {.out_capacity = 4}, AsBytes("10000000")));
  }
  cluster().RunFor(seconds(2));
  EXPECT_GT(Rate({}), 0.9 * kRate);
  for (Stream& stream : unread) stream.Cancel();
  cluster().RunFor(seconds(1));
}

INSTANTIATE_TEST_SUITE_P(DialerAndAcceptor, CreditsByOffer,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

}  // namespace
}  // namespace grid
