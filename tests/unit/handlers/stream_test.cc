#include "handlers/stream.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

namespace grid {
namespace {

// Writes down what it is told, and answers every Read with "m", every Write with OK.
class RecordingBackend final : public StreamBackend {
 public:
  explicit RecordingBackend(std::vector<std::string>* calls) : calls_(calls) {}

  void StartRead(ReadHandler handler) override {
    calls_->push_back("read");
    std::move(handler)(ReadResult(Buffer::CopyOf("m")));
  }
  void StartWrite(PayloadRef payload, WriteHandler handler) override {
    calls_->push_back("write " + std::string(AsText(payload.view())));
    std::move(handler)(absl::OkStatus());
  }
  ReadResult ReadBlocking() override { return ReadResult(std::nullopt); }
  absl::Status WriteBlocking(PayloadRef) override { return absl::OkStatus(); }
  void CloseSend() override { calls_->push_back("close"); }
  void Cancel() override { calls_->push_back("cancel"); }
  void Finish(absl::Status status) override { calls_->push_back("finish " + status.ToString()); }
  void Abandon() override { calls_->push_back("abandon"); }
  BytesView initial() const override { return AsBytes("first"); }

 private:
  std::vector<std::string>* calls_;
};

using Calls = std::vector<std::string>;

TEST(Stream, ForwardsToItsBackend) {
  Calls calls;
  Stream stream(std::make_shared<RecordingBackend>(&calls));
  std::string read;
  stream.Read([&](ReadResult message) { read = message.value()->text(); });
  absl::Status written = absl::UnknownError("");
  stream.Write(AsBytes("w"), [&](absl::Status status) { written = status; });
  stream.CloseSend();
  stream.Cancel();
  stream.Finish(absl::InternalError("e"));
  EXPECT_EQ(read, "m");
  EXPECT_TRUE(written.ok());
  EXPECT_EQ(AsText(stream.initial()), "first");
  EXPECT_EQ(calls, (Calls{"read", "write w", "close", "cancel", "finish INTERNAL: e"}));
  EXPECT_FALSE(stream.ReadBlocking().value().has_value());
  EXPECT_TRUE(stream.WriteBlocking({}).ok());
}

TEST(Stream, DestructorAbandonsOnce) {
  Calls calls;
  {
    Stream stream(std::make_shared<RecordingBackend>(&calls));
    Stream moved(std::move(stream));
    EXPECT_FALSE(stream);  // NOLINT(bugprone-use-after-move)
    EXPECT_TRUE(moved);
    EXPECT_TRUE(calls.empty());
  }
  EXPECT_EQ(calls, Calls{"abandon"});
}

TEST(Stream, CompletionMayDropIt) {
  Calls calls;
  auto stream = std::make_unique<Stream>(std::make_shared<RecordingBackend>(&calls));
  stream->Read([&](ReadResult) { stream.reset(); });
  EXPECT_EQ(calls, (Calls{"read", "abandon"}));
}

TEST(Stream, MoveAssignmentAbandonsWhatItReplaces) {
  Calls first, second;
  Stream stream(std::make_shared<RecordingBackend>(&first));
  stream = Stream(std::make_shared<RecordingBackend>(&second));
  EXPECT_EQ(first, Calls{"abandon"});
  EXPECT_TRUE(second.empty());
  Stream& alias = stream;
  stream = std::move(alias);
  EXPECT_TRUE(second.empty());
  EXPECT_TRUE(stream);
  stream = Stream();
  EXPECT_EQ(second, Calls{"abandon"});
}

TEST(EmptyStream, OperationsFailWithFailedPrecondition) {
  Stream stream;
  int completed = 0;
  stream.Read([&](ReadResult message) {
    ++completed;
    EXPECT_EQ(message.status().code(), absl::StatusCode::kFailedPrecondition);
  });
  stream.Write(AsBytes("x"), [&](absl::Status status) {
    ++completed;
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  });
  EXPECT_EQ(completed, 2);  // no associated executor: at once
  EXPECT_EQ(stream.ReadBlocking().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(stream.WriteBlocking({}).code(), absl::StatusCode::kFailedPrecondition);
  stream.CloseSend();
  stream.Cancel();
  stream.Finish(absl::OkStatus());
  EXPECT_TRUE(IsNil(stream.initial()));
}

TEST(EmptyStream, CompletesOnTheAssociatedExecutor) {
  asio::io_context context;
  Stream stream;
  int completed = 0;
  stream.Read(asio::bind_executor(context, [&](ReadResult) { ++completed; }));
  stream.Write({}, asio::bind_executor(context, [&](absl::Status) { ++completed; }));
  EXPECT_EQ(completed, 0);
  context.poll();
  EXPECT_EQ(completed, 2);
}

TEST(EmptyStream, MayBeAwaited) {
  asio::io_context context;
  absl::Status read, written;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        Stream stream;
        read = (co_await stream.Read()).status();
        written = co_await stream.Write(AsBytes("x"));
      },
      asio::detached);
  context.poll();
  EXPECT_EQ(read.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(written.code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace grid
