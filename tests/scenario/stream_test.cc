// Streams between two managers.
#include "tests/scenario/scenario.h"

namespace grid {
namespace {

// What came out of a stream: its messages, and how it ended.
struct Received {
  std::vector<std::string> messages;
  absl::Status status = absl::InternalError("not ended");
  bool ended() const { return status.code() != absl::StatusCode::kInternal; }
};

asio::awaitable<void> ReadAll(Stream& stream, Received& received) {
  for (;;) {
    ReadResult message = co_await stream.Read();
    if (!message.ok()) {
      received.status = message.status();
      co_return;
    }
    if (!message->has_value()) {
      received.status = absl::OkStatus();
      co_return;
    }
    received.messages.emplace_back((*message)->text());
  }
}

asio::awaitable<void> WriteAll(Stream& stream, int count, absl::Status& status) {
  for (int i = 0; i < count; ++i) {
    const std::string text = "message " + std::to_string(i);
    status = co_await stream.Write(AsBytes(text));
    if (!status.ok()) co_return;
  }
  stream.CloseSend();
}

class StreamTest : public ScenarioTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override { MakeAndStart({.names = testing::NamesForDialDirection(GetParam())}); }
  Stream Open(HandlerId handler, BytesView initial, StreamOptions options = {}) {
    absl::StatusOr<Stream> stream = cluster().Peer(0, 1).OpenStream(handler, initial, options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return stream.ok() ? *std::move(stream) : Stream();
  }
  Received ReadToTheEnd(Stream& stream, Duration limit = minutes(5)) {
    Received received;
    EXPECT_TRUE(cluster().Run(ReadAll(stream, received), limit)) << "the stream did not end";
    return received;
  }
};

INSTANTIATE_TEST_SUITE_P(BothDialDirections, StreamTest, ::testing::Bool(),
                         [](const auto& direction) {
                           return direction.param ? "CallerDialled" : "CallerWasDialled";
                         });

TEST_P(StreamTest, TwoWayEcho_WithCapacities1And16) {
  for (const auto& [handler, capacity] :
       {std::pair(kStreamEcho, 1u), std::pair(kStreamEcho16, 16u)}) {
    for (const int count : {0, 1, 2, 100}) {
      SCOPED_TRACE(std::to_string(capacity) + " credits, " + std::to_string(count) + " messages");
      Stream stream = Open(handler, AsBytes("init"),
                           {.has_input = true, .in_capacity = capacity, .out_capacity = capacity});
      absl::Status written;
      cluster().Spawn(WriteAll(stream, count, written));
      const Received received = ReadToTheEnd(stream);
      EXPECT_TRUE(written.ok()) << written;
      EXPECT_TRUE(received.status.ok()) << received.status;
      ASSERT_EQ(received.messages.size(), static_cast<size_t>(count));
      for (int i = 0; i < count; ++i) {
        EXPECT_EQ(received.messages[i], "message " + std::to_string(i));
      }
    }
  }
  cluster().RunFor(seconds(1));
  ExpectIdle();
}

TEST_P(StreamTest, LargeMessagesBothWays) {
  Stream stream =
      Open(kStreamEcho16, {}, {.has_input = true, .in_capacity = 16, .out_capacity = 16});
  const std::string large(700'000, 'y');
  const auto write = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE((co_await stream.Write(AsBytes(large))).ok());
    }
    stream.CloseSend();
  };
  cluster().Spawn(write());
  const Received received = ReadToTheEnd(stream);
  EXPECT_TRUE(received.status.ok());
  ASSERT_EQ(received.messages.size(), 10u);
  for (const std::string& message : received.messages) EXPECT_TRUE(message == large);
}

TEST_P(StreamTest, OneWay_DeliversEveryMessageInOrder) {
  for (const auto& [handler, capacity] : {std::pair(kNumbers, 1u), std::pair(kNumbers16, 16u)}) {
    for (const int count : {0, 1, 300}) {
      const std::string initial = std::to_string(count);
      Stream stream = Open(handler, AsBytes(initial), {.out_capacity = capacity});
      const Received received = ReadToTheEnd(stream);
      EXPECT_TRUE(received.status.ok()) << received.status;
      ASSERT_EQ(received.messages.size(), static_cast<size_t>(count));
      if (count > 0) {
        EXPECT_EQ(received.messages.back(), std::to_string(count - 1));
      }
    }
  }
  cluster().RunFor(seconds(1));
  ExpectIdle();
}

TEST_P(StreamTest, EmptyAndNilMessages_ArriveAsEmpty) {
  Stream stream = Open(kStreamEcho, {}, {.has_input = true});
  const auto exchange = [&]() -> asio::awaitable<void> {
    for (const BytesView payload : {BytesView(), EmptyBytes()}) {
      EXPECT_TRUE((co_await stream.Write(payload)).ok());
      const ReadResult message = co_await stream.Read();
      EXPECT_TRUE(message.ok() && message->has_value());
      if (!message.ok() || !message->has_value()) co_return;
      EXPECT_FALSE((*message)->is_nil());
      EXPECT_EQ((*message)->size(), 0u);
    }
    stream.CloseSend();
    const ReadResult end = co_await stream.Read();
    EXPECT_TRUE(end.ok() && !end->has_value());
  };
  EXPECT_TRUE(cluster().Run(exchange()));
}

TEST_P(StreamTest, HandlersError_ComesAfterItsMessages) {
  Stream stream = Open(kStreamError, {});
  const Received received = ReadToTheEnd(stream);
  EXPECT_EQ(received.messages, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(received.status.message(), "stream failed");
  EXPECT_TRUE(IsRemote(received.status));
  EXPECT_EQ(DeliveryOf(received.status), Delivery::kExecuted);
  cluster().RunFor(seconds(1));
  ExpectIdle();
}

TEST_P(StreamTest, HandlersException_EndsTheStreamOnly) {
  Stream stream = Open(kStreamThrow, {});
  const Received received = ReadToTheEnd(stream);
  EXPECT_NE(std::string(received.status.message()).find("boom"), std::string::npos);
  EXPECT_EQ(Text(cluster().Call(0, 1, kEcho, AsBytes("x"))), "x");
}

TEST_P(StreamTest, UnknownHandler_IsRejected) {
  Stream stream = Open(kUnknown, {}, {.has_input = true});
  const Received received = ReadToTheEnd(stream);
  ASSERT_FALSE(received.status.ok());
  EXPECT_TRUE(IsRemote(received.status));
  EXPECT_EQ(DeliveryOf(received.status), Delivery::kRejected);
  cluster().RunFor(seconds(1));
  ExpectIdle();
}

TEST_P(StreamTest, Subroute_FindsItsHandler) {
  absl::StatusOr<Stream> stream =
      cluster().Peer(0, 1).Subroute("sub/route").OpenStream(HandlerId{7}, {}, {.has_input = true});
  ASSERT_TRUE(stream.ok());
  absl::Status written;
  cluster().Spawn(WriteAll(*stream, 2, written));
  const Received received = ReadToTheEnd(*stream);
  EXPECT_EQ(received.messages, (std::vector<std::string>{"sub:message 0", "sub:message 1"}));
}

TEST_P(StreamTest, Cancel_ReachesTheHandlerAndEndsReadsAndWrites) {
  Stream stream = Open(kStreamBlock, {}, {.has_input = true});
  const auto wait_ready = [&]() -> asio::awaitable<void> {
    const ReadResult ready = co_await stream.Read();
    EXPECT_TRUE(ready.ok() && ready->has_value());
  };
  ASSERT_TRUE(cluster().Run(wait_ready()));
  testing::Probe<ReadResult> read("read");
  stream.Read(read.Handler());
  stream.Cancel();
  stream.Cancel();
  cluster().RunFor(milliseconds(10));
  ASSERT_TRUE(read.done());
  EXPECT_EQ(read.value().status().code(), absl::StatusCode::kCancelled);
  testing::Probe<absl::Status> write("write");
  stream.Write(AsBytes("x"), write.Handler());
  cluster().RunFor(milliseconds(10));
  ASSERT_TRUE(write.done());
  EXPECT_EQ(write.value().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Text(cluster().Call(0, 1, kBlockCounts, {})), "blocked=1 cancelled=1");
  ExpectIdle();
}

TEST_P(StreamTest, DroppedHandle_CancelsTheStream) {
  { Stream stream = Open(kStreamBlock, {}, {.has_input = true}); }
  cluster().RunFor(milliseconds(10));
  { Stream stream = Open(kNumbers, AsBytes("1000000")); }
  cluster().RunFor(milliseconds(10));
  ExpectIdle();
}

TEST_P(StreamTest, Deadline_EndsBothEndsOnTime) {
  const TimePoint start = cluster().Now();
  Stream stream = Open(kStreamBlock, {}, {.has_input = true, .timeout = milliseconds(1500)});
  const Received received = ReadToTheEnd(stream);
  EXPECT_EQ(received.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(cluster().Now() - start, milliseconds(1500));
  EXPECT_LE(cluster().Now() - start, milliseconds(1501));
  cluster().RunFor(milliseconds(10));
  EXPECT_EQ(Text(cluster().Call(0, 1, kBlockCounts, {})), "blocked=1 cancelled=1");
  ExpectIdle();
}

TEST_P(StreamTest, ReaderThatDoesNotRead_StopsTheWriterByCredit) {
  MakeAndStart(
      {.names = testing::NamesForDialDirection(GetParam()),
       .adjust = [](int, ManagerOptions& options) { options.extensions.credits = false; }});
  Stream stream =
      Open(kStreamEcho16, {}, {.has_input = true, .in_capacity = 16, .out_capacity = 16});
  int written = 0;
  const auto write = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 200; ++i) {
      const absl::Status status = co_await stream.Write(AsBytes("x"));
      if (!status.ok()) co_return;
      ++written;
    }
    stream.CloseSend();
  };
  cluster().Spawn(write());
  cluster().RunFor(minutes(3));  // longer than any keep-alive: blocked is not dead
  // 16 unread here, 16 there, and the few that the handler and the writer hold.
  EXPECT_GE(written, 32);
  EXPECT_LE(written, 36);
  const Received received = ReadToTheEnd(stream);
  EXPECT_TRUE(received.status.ok()) << received.status;
  EXPECT_EQ(received.messages.size(), 200u);
  EXPECT_EQ(written, 200);
}

TEST_P(StreamTest, WriteAfterCloseSendOrWithoutInput_IsAPrecondition) {
  Stream closed = Open(kStreamEcho, {}, {.has_input = true});
  closed.CloseSend();
  Stream no_input = Open(kNumbers, AsBytes("1"));
  for (Stream* stream : {&closed, &no_input}) {
    testing::Probe<absl::Status> write;
    stream->Write(AsBytes("x"), write.Handler());
    cluster().RunFor(milliseconds(10));
    ASSERT_TRUE(write.done());
    EXPECT_EQ(write.value().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST_P(StreamTest, LongLivedStream_StaysAliveByItsPings) {
  Stream stream = Open(kStreamEcho, {}, {.has_input = true});
  cluster().RunFor(minutes(10));
  const auto exchange = [&]() -> asio::awaitable<void> {
    EXPECT_TRUE((co_await stream.Write(AsBytes("after ten minutes"))).ok());
    const ReadResult message = co_await stream.Read();
    EXPECT_TRUE(message.ok() && message->has_value()) << message.status();
  };
  EXPECT_TRUE(cluster().Run(exchange()));
  EXPECT_EQ(Stats(0, 1).connects, 1u);
}

TEST_P(StreamTest, ManyAtOnce) {
  constexpr int kStreams = 64;
  std::vector<Stream> streams;
  std::vector<absl::Status> written(kStreams);
  std::vector<Received> received(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    const bool wide = i % 2 == 0;
    const uint32_t capacity = wide ? 16 : 1;
    streams.push_back(Open(wide ? kStreamEcho16 : kStreamEcho, {},
                           {.has_input = true, .in_capacity = capacity, .out_capacity = capacity}));
  }
  for (int i = 0; i < kStreams; ++i) {
    cluster().Spawn(WriteAll(streams[i], 50, written[i]));
    cluster().Spawn(ReadAll(streams[i], received[i]));
  }
  cluster().RunFor(minutes(1));
  for (int i = 0; i < kStreams; ++i) {
    EXPECT_TRUE(received[i].status.ok()) << i << ": " << received[i].status;
    EXPECT_EQ(received[i].messages.size(), 50u) << i;
  }
  ExpectIdle();
}

TEST_P(StreamTest, LostConnection_EndsTheStreamAsDisconnected) {
  Stream stream = Open(kStreamBlock, {}, {.has_input = true});
  cluster().RunFor(milliseconds(10));
  cluster().Sever(0, 1);
  const Received received = ReadToTheEnd(stream, seconds(1));
  EXPECT_EQ(received.messages, std::vector<std::string>{"ready"});
  EXPECT_TRUE(IsDisconnected(received.status)) << received.status;
  ASSERT_TRUE(cluster().RunUntilConnected(0, 1));
  EXPECT_EQ(Text(cluster().Call(0, 1, kBlockCounts, {})), "blocked=1 cancelled=1");
  ExpectIdle();
}

}  // namespace
}  // namespace grid
