// Reads and writes of a stream that once were never completed, or ends that were never sent.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "grid/testing/cluster.h"
#include "grid/testing/probe.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr HandlerId kKept{90};  // a stream whose handler's end the test keeps
constexpr HandlerId kWide{91};  // the same, with many credits for the caller

class StreamCompletionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::ClusterOptions options;
    options.setup = [this](int, Manager& manager) {
      ASSERT_TRUE(
          manager
              .RegisterStream(
                  {.id = kKept, .in_capacity = 1, .out_capacity = 1, .window = {.messages = 1}},
                  StreamStarter(
                      [this](Stream stream, RequestContext&) { served_ = std::move(stream); }))
              .ok());
      ASSERT_TRUE(manager
                      .RegisterStream({.id = kWide,
                                       .in_capacity = 10'000,
                                       .out_capacity = 1,
                                       .window = {.messages = 10'000}},
                                      StreamStarter([this](Stream stream, RequestContext&) {
                                        served_ = std::move(stream);
                                      }))
                      .ok());
    };
    cluster_.emplace(options);
    ASSERT_TRUE(cluster_->StartAll());
    absl::StatusOr<Stream> stream = cluster_->Peer(0, 1).OpenStream(
        kKept, {},
        {.has_input = true, .in_capacity = 1, .out_capacity = 1, .window = {.messages = 1}});
    ASSERT_TRUE(stream.ok());
    calling_ = *std::move(stream);
    Settle();
    ASSERT_TRUE(served_);
  }

  void Settle() { cluster_->RunFor(milliseconds(10)); }

  // Uses up the one credit of `stream`, then writes once more.
  void BlockWrite(Stream& stream, testing::Probe<absl::Status>& blocked,
                  asio::cancellation_slot slot = {}) {
    testing::Probe<absl::Status> first("first write");
    stream.Write(AsBytes("first"), first.Handler());
    Settle();
    ASSERT_TRUE(first.done() && first.value().ok());
    stream.Write(AsBytes("second"), asio::bind_cancellation_slot(slot, blocked.Handler()));
    Settle();
    ASSERT_FALSE(blocked.done());
  }

  // The end, or nothing yet, of what the caller reads.
  std::optional<absl::Status> ReadEnd() {
    for (;;) {
      testing::Probe<ReadResult> read("read");
      calling_.Read(read.Handler());
      Settle();
      if (!read.done()) {
        calling_ = Stream();
        Settle();
        return std::nullopt;
      }
      if (!read.value().ok()) return read.value().status();
      if (!read.value()->has_value()) return absl::OkStatus();
    }
  }

  std::optional<testing::Cluster> cluster_;
  Stream calling_;
  Stream served_;
};

TEST_F(StreamCompletionsTest, Cancel_EndsAWriteThatWaitsForCredit) {
  testing::Probe<absl::Status> blocked("blocked write");
  BlockWrite(calling_, blocked);
  calling_.Cancel();
  Settle();
  ASSERT_TRUE(blocked.done());
  EXPECT_EQ(blocked.value().code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamCompletionsTest, FinishBehindABlockedWrite_EndsTheHandlersRead) {
  testing::Probe<absl::Status> blocked("blocked write");
  BlockWrite(served_, blocked);
  testing::Probe<ReadResult> pending("the handler's read");
  served_.Read(pending.Handler());
  served_.Finish(absl::OkStatus());
  EXPECT_EQ(ReadEnd(), absl::OkStatus());
  ASSERT_TRUE(blocked.done());
  EXPECT_TRUE(blocked.value().ok()) << blocked.value();
  ASSERT_TRUE(pending.done());
  EXPECT_FALSE(pending.value().ok());
  testing::Probe<ReadResult> later("a later read");
  served_.Read(later.Handler());
  Settle();
  EXPECT_TRUE(later.done());
}

TEST_F(StreamCompletionsTest, CancelledWrite_LetsTheFinishBehindItThrough) {
  testing::Probe<absl::Status> blocked("blocked write");
  asio::cancellation_signal signal;
  BlockWrite(served_, blocked, signal.slot());
  served_.Finish(absl::OkStatus());
  signal.emit(asio::cancellation_type::terminal);
  Settle();
  ASSERT_TRUE(blocked.done());
  EXPECT_EQ(blocked.value().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(ReadEnd(), absl::OkStatus());
  EXPECT_EQ(cluster_->manager(1).Stats().total.incoming_streams, 0u);
}

TEST_F(StreamCompletionsTest, CancelledWrite_LetsTheCloseSendBehindItThrough) {
  testing::Probe<absl::Status> blocked("blocked write");
  asio::cancellation_signal signal;
  BlockWrite(calling_, blocked, signal.slot());
  calling_.CloseSend();
  signal.emit(asio::cancellation_type::terminal);
  Settle();
  ASSERT_TRUE(blocked.done());
  for (const bool message : {true, false}) {
    testing::Probe<ReadResult> read("the handler's read");
    served_.Read(read.Handler());
    Settle();
    ASSERT_TRUE(read.done() && read.value().ok());
    EXPECT_EQ(read.value()->has_value(), message);
  }
}

// The slot of a write that has completed must not end the next one.
TEST_F(StreamCompletionsTest, LateCancellation_LeavesTheNextWriteAlone) {
  asio::cancellation_signal signal;
  testing::Probe<absl::Status> first("first write");
  calling_.Write(AsBytes("first"), asio::bind_cancellation_slot(signal.slot(), first.Handler()));
  Settle();
  ASSERT_TRUE(first.done());
  testing::Probe<absl::Status> second("second write");
  calling_.Write(AsBytes("second"), second.Handler());
  signal.emit(asio::cancellation_type::terminal);
  Settle();
  EXPECT_FALSE(second.done());
  calling_.Cancel();
  Settle();
  EXPECT_TRUE(second.done());
}

// Handlers that write again, and read again, as soon as they are called: never from inside Write or
// Read, and all in one event, whose messages leave together.
TEST_F(StreamCompletionsTest, OnTheIoThread_CompletionsFollowTheInitiatingFunction) {
  constexpr int kMessages = 100;
  absl::StatusOr<Stream> opened = cluster_->Peer(0, 1).OpenStream(
      kWide, {}, {.has_input = true, .in_capacity = kMessages, .out_capacity = 1});
  ASSERT_TRUE(opened.ok());
  Stream writing = *std::move(opened);
  Settle();
  const auto writes = [this] { return cluster_->Peer(0, 1).Stats().writes; };
  const uint64_t before = writes();

  bool inside = false;
  int written = 0;
  std::function<void()> write = [&] {
    inside = true;
    writing.Write(AsBytes("message"), [&](absl::Status status) {
      EXPECT_FALSE(inside);
      EXPECT_TRUE(status.ok()) << status;
      if (++written < kMessages) write();
    });
    inside = false;
  };
  asio::post(cluster_->io(), [&] { write(); });
  Settle();
  EXPECT_EQ(written, kMessages);
  EXPECT_LE(writes() - before, 2u);

  int read = 0;
  std::function<void()> next = [&] {
    inside = true;
    served_.Read([&](ReadResult message) {
      EXPECT_FALSE(inside);
      EXPECT_TRUE(message.ok() && message->has_value());
      if (++read < kMessages) next();
    });
    inside = false;
  };
  asio::post(cluster_->io(), [&] { next(); });
  Settle();
  EXPECT_EQ(read, kMessages);
}

// More in one go than an event takes: other connections have their turn in between.
TEST_F(StreamCompletionsTest, AnEndlessWriter_LetsOthersIn) {
  constexpr uint32_t kCredits = 10'000;
  absl::StatusOr<Stream> opened = cluster_->Peer(0, 1).OpenStream(
      kWide, {}, {.has_input = true, .in_capacity = kCredits, .out_capacity = 1});
  ASSERT_TRUE(opened.ok());
  Stream writing = *std::move(opened);
  Settle();
  uint32_t written = 0;
  std::function<void()> write = [&] {
    writing.Write(AsBytes("m"), [&](absl::Status status) {
      if (status.ok() && ++written < kCredits) write();
    });
  };
  uint32_t at_turn = 0;
  asio::post(cluster_->io(), [&] {
    write();
    asio::post(cluster_->io(), [&] { asio::post(cluster_->io(), [&] { at_turn = written; }); });
  });
  Settle();
  EXPECT_GT(at_turn, 0u);
  EXPECT_LT(at_turn, kCredits);
}

// What has been sent, or read, completes as such even if the stream ends before its handler is
// called.
TEST_F(StreamCompletionsTest, CompletionsOnTheirWay_SurviveTheEndOfTheConnection) {
  testing::Probe<absl::Status> message("message");
  calling_.Write(AsBytes("message"), message.Handler());
  Settle();
  testing::Probe<absl::Status> written("write");
  testing::Probe<ReadResult> read("read");
  asio::post(cluster_->io(), [&] {
    served_.Write(AsBytes("answer"), written.Handler());
    served_.Read(read.Handler());
    EXPECT_FALSE(written.done() || read.done());
    EXPECT_TRUE(cluster_->manager(1).RemovePeer(cluster_->name(0)).ok());
  });
  Settle();
  ASSERT_TRUE(written.done() && read.done());
  EXPECT_TRUE(written.value().ok()) << written.value();
  EXPECT_TRUE(read.value().ok() && read.value()->has_value());
}

}  // namespace
}  // namespace grid
