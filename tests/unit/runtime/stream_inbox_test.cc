#include "grid/runtime/stream_inbox.h"

#include <gtest/gtest.h>

#include <string>

#include "serialization/buffer_pool.h"

namespace grid {
namespace {

class StreamInboxTest : public testing::Test {
 protected:
  void Put(std::string_view bytes, bool last) { inbox_.Put({pool_->Copy(AsBytes(bytes)), last}); }

  // "one" and "two|" (the last of its message), "end", an error's text, or "wait".
  std::string Take() {
    std::optional<StreamInbox::Taken> taken = inbox_.Take();
    if (!taken.has_value()) return "wait";
    first_unsettled_ = taken->first_unsettled;
    if (!taken->result.ok()) return std::string(taken->result.status().message());
    if (!taken->result->has_value()) return "end";
    const Piece& piece = **taken->result;
    return std::string(AsText(piece.bytes)) + (piece.last ? "|" : "");
  }

  const std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  StreamInbox inbox_;
  bool first_unsettled_ = false;
};

TEST_F(StreamInboxTest, Pieces_ComeInTheirOrder) {
  EXPECT_EQ(Take(), "wait");
  Put("one", true);
  Put("two", false);
  EXPECT_EQ(Take(), "one|");
  EXPECT_EQ(Take(), "two");
  EXPECT_EQ(Take(), "wait");
}

TEST_F(StreamInboxTest, Join_AddsToAMessageThatGoesOn) {
  EXPECT_FALSE(inbox_.Join(AsBytes("a"), false)) << "nothing to join";
  Put("a", false);
  EXPECT_TRUE(inbox_.Join(AsBytes("b"), false));
  EXPECT_TRUE(inbox_.Join(AsBytes("c"), true));
  EXPECT_FALSE(inbox_.Join(AsBytes("d"), true)) << "its message is over";
  EXPECT_EQ(Take(), "abc|");
  Put("e", false);
  EXPECT_FALSE(inbox_.Join(AsBytes(std::string(1 << 20, 'x')), false)) << "no room";
  EXPECT_EQ(Take(), "e");
}

TEST_F(StreamInboxTest, Close_IsToldBehindWhatArrived) {
  Put("one", true);
  inbox_.Close(absl::OkStatus());
  EXPECT_EQ(Take(), "one|");
  EXPECT_EQ(Take(), "end");
  EXPECT_EQ(Take(), "end");
  inbox_.Close(absl::UnavailableError("lost"));
  inbox_.Close(absl::CancelledError("too late"));
  EXPECT_EQ(Take(), "lost");
  inbox_.Close(absl::OkStatus());
  EXPECT_EQ(Take(), "lost");
}

TEST_F(StreamInboxTest, Settle_TakesWhatWasReadSinceTheLast) {
  Put("one", false);
  Put("three", true);
  Put("x", true);
  Take();
  EXPECT_TRUE(first_unsettled_);
  Take();
  EXPECT_FALSE(first_unsettled_);
  const StreamInbox::Unsettled two = inbox_.Settle();
  EXPECT_EQ(two.messages, 1u);
  EXPECT_EQ(two.bytes, 8u);
  Take();
  EXPECT_TRUE(first_unsettled_);
  EXPECT_EQ(inbox_.Settle().bytes, 1u);
  EXPECT_EQ(inbox_.Settle().bytes, 0u);
  inbox_.Close(absl::OkStatus());
  Take();
  EXPECT_FALSE(first_unsettled_) << "the end is no credit";
}

TEST_F(StreamInboxTest, Reader_IsTakenOnceAndByItsNumber) {
  std::string got;
  const auto reader = [&got] {
    return StreamReader(ReadHandler([&got](ReadResult read) {
      got = read.ok() && read->has_value() ? AsText(**read) : "nothing";
    }));
  };
  EXPECT_FALSE(inbox_.TakeReader());
  const uint64_t first = inbox_.Wait(reader());
  EXPECT_TRUE(inbox_.has_reader());
  StreamReader taken = inbox_.TakeReader();
  EXPECT_FALSE(inbox_.has_reader());
  taken.Complete(nullptr, std::optional<Piece>({pool_->Copy(AsBytes("one")), true}));
  EXPECT_EQ(got, "one");

  const uint64_t second = inbox_.Wait(reader());
  EXPECT_FALSE(inbox_.TakeReader(first));
  EXPECT_TRUE(inbox_.has_reader());
  inbox_.TakeReader(second).Complete(nullptr, PieceResult(std::nullopt));
  EXPECT_EQ(got, "nothing");
}

}  // namespace
}  // namespace grid
