#include "grid/mux/output_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grid/testing/random.h"
#include "serialization/merged.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using test::Encoded;
using test::SentMessage;
using test::Unmerge;

Message Data(uint64_t id, std::string_view payload) {
  return {.mux_id = id, .op = Op::kMuxClientMsg, .flags = kFlagCrc, .payload = AsBytes(payload)};
}
// What a message takes in a batch.
size_t InBatch(const Message& message) {
  return BinHeaderSize(EncodedSize(message)) + EncodedSize(message);
}

class OutputQueueTest : public ::testing::Test {
 protected:
  // One write, from its start to its end.
  std::vector<SentMessage> Write() {
    std::vector<SentMessage> sent = Unmerge(queue_.StartWrite());
    queue_.FinishWrite();
    return sent;
  }

  std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  SessionCounters counters_;
  OutputQueue queue_{*pool_, counters_};
};

TEST_F(OutputQueueTest, Empty_HasNothingToWrite) {
  EXPECT_FALSE(queue_.CanStartWrite());
  EXPECT_EQ(queue_.bytes(), 0u);
  queue_.Clear();
  EXPECT_FALSE(queue_.CanStartWrite());
}

TEST_F(OutputQueueTest, LoneMessage_IsWrittenUnmerged) {
  // Every size of bin header, which the lone message is sent without.
  for (const size_t size : {0u, 1u, 200u, 300u, 30'000u, 100'000u}) {
    const std::string payload(size, 'x');
    const Message message = Data(9, payload);
    queue_.Push(message);
    ASSERT_TRUE(queue_.CanStartWrite());
    EXPECT_EQ(AsText(queue_.StartWrite()), Encoded(message));
    queue_.FinishWrite();
    EXPECT_FALSE(queue_.CanStartWrite());
  }
  EXPECT_EQ(counters_.merged_out.Get(), 0u);
}

TEST_F(OutputQueueTest, MessagesBeforeTheWrite_GoTogether) {
  for (uint64_t id = 1; id <= 3; ++id) queue_.Push(Data(id, "hello"));
  const std::string bytes(AsText(queue_.StartWrite()));
  EXPECT_EQ(bytes, test::Merge({Encoded(Data(1, "hello")), Encoded(Data(2, "hello")),
                                Encoded(Data(3, "hello"))}));
  EXPECT_EQ(counters_.merged_out.Get(), 3u);
}

TEST_F(OutputQueueTest, MessagesDuringAWrite_GoTogetherAfterIt) {
  queue_.Push(Data(1, "first"));
  const MutableBytes first = queue_.StartWrite();
  queue_.Push(Data(2, "second"));
  queue_.Push(Data(3, "third"));
  EXPECT_FALSE(queue_.CanStartWrite());
  // The bytes with the writer are left alone.
  EXPECT_EQ(AsText(first), Encoded(Data(1, "first")));
  queue_.FinishWrite();
  ASSERT_TRUE(queue_.CanStartWrite());
  const std::vector<SentMessage> sent = Write();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].payload, "second");
  EXPECT_EQ(sent[1].payload, "third");
  EXPECT_FALSE(queue_.CanStartWrite());
  EXPECT_EQ(counters_.writes.Get(), 2u);
}

TEST_F(OutputQueueTest, LoneMessageDuringAWrite_IsNotMerged) {
  queue_.Push(Data(1, "first"));
  queue_.StartWrite();
  queue_.Push(Data(2, "second"));
  queue_.FinishWrite();
  EXPECT_EQ(AsText(queue_.StartWrite()), Encoded(Data(2, "second")));
}

TEST_F(OutputQueueTest, TheWriterMayChangeTheBytes) {
  queue_.Push(Data(1, "first"));
  queue_.Push(Data(2, "second"));
  for (uint8_t& byte : queue_.StartWrite()) byte ^= 0x5a;
  queue_.Push(Data(3, "third"));
  queue_.FinishWrite();
  EXPECT_EQ(AsText(queue_.StartWrite()), Encoded(Data(3, "third")));
}

TEST_F(OutputQueueTest, Batches_StayUnderTheirLimit) {
  const std::string payload(1000, 'p');
  constexpr uint64_t kMessages = 500;
  for (uint64_t id = 1; id <= kMessages; ++id) queue_.Push(Data(id, payload));
  uint64_t next = 1;
  int writes = 0;
  while (queue_.CanStartWrite()) {
    const MutableBytes bytes = queue_.StartWrite();
    EXPECT_LE(bytes.size(), OutputQueue::kBatchBytes);
    // All but the last are as full as they can be.
    if (next + 100 < kMessages) {
      EXPECT_GT(bytes.size() + 1100, OutputQueue::kBatchBytes);
    }
    for (const SentMessage& message : Unmerge(bytes)) EXPECT_EQ(message.mux_id, next++);
    queue_.FinishWrite();
    ++writes;
  }
  EXPECT_EQ(next, kMessages + 1);
  EXPECT_EQ(writes, 8);
}

TEST_F(OutputQueueTest, BigMessage_TravelsAlone) {
  const std::string big(OutputQueue::kBatchBytes / 2, 'b');
  const std::string huge(3 << 20, 'h');
  queue_.Push(Data(1, "before"));
  queue_.Push(Data(2, big));
  queue_.Push(Data(3, "between"));
  queue_.Push(Data(4, "between"));
  queue_.Push(Data(5, huge));
  queue_.Push(Data(6, "after"));
  std::vector<std::vector<uint64_t>> writes;
  while (queue_.CanStartWrite()) {
    std::vector<uint64_t> ids;
    for (const SentMessage& message : Write()) ids.push_back(message.mux_id);
    writes.push_back(ids);
  }
  EXPECT_EQ(writes, (std::vector<std::vector<uint64_t>>{{1}, {2}, {3, 4}, {5}, {6}}));
}

TEST_F(OutputQueueTest, Bytes_CountWhatIsNotWrittenYet) {
  const Message first = Data(1, "first");
  const Message second = Data(2, std::string_view("second message"));
  queue_.Push(first);
  EXPECT_EQ(queue_.bytes(), InBatch(first));
  queue_.StartWrite();
  queue_.Push(second);
  EXPECT_EQ(queue_.bytes(), InBatch(first) + InBatch(second));
  EXPECT_EQ(counters_.output_bytes.Get(), queue_.bytes());
  queue_.FinishWrite();
  EXPECT_EQ(queue_.bytes(), InBatch(second));
  queue_.StartWrite();
  EXPECT_EQ(queue_.bytes(), InBatch(second));
  queue_.FinishWrite();
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(counters_.output_bytes.Get(), 0u);
  EXPECT_EQ(counters_.messages_out.Get(), 2u);
  EXPECT_EQ(counters_.bytes_out.Get(), EncodedSize(first) + EncodedSize(second));
}

// How many messages of 500 bytes make a batch ripe.
class OutputQueueRipe : public OutputQueueTest {
 protected:
  size_t RipeAt(size_t in_flight) {
    const std::string payload(500, 'x');
    size_t messages = 0;
    while (!queue_.IsRipe(in_flight)) {
      queue_.Push(Data(++messages, payload));
      if (messages == 1000) break;
    }
    while (queue_.CanStartWrite()) Write();
    return messages;
  }
};

TEST_F(OutputQueueRipe, EmptyQueue_IsNot) {
  EXPECT_FALSE(queue_.IsRipe(0));
  EXPECT_FALSE(queue_.IsRipe(1));
}

TEST_F(OutputQueueRipe, AThirdOfWhatIsInFlight) {
  EXPECT_EQ(RipeAt(100), 34u);
  EXPECT_EQ(RipeAt(150), 50u);
}

TEST_F(OutputQueueRipe, NoMoreThanPays) {
  const size_t most = RipeAt(1'000'000);
  EXPECT_EQ(most, (size_t{56} << 10) / (InBatch(Data(1, std::string(500, 'x'))) + 160) + 1);
  // Answers only: nothing of ours is in flight, or too little to matter.
  EXPECT_EQ(RipeAt(0), most);
  EXPECT_EQ(RipeAt(3), most);
}

TEST_F(OutputQueueRipe, NoLessThanPays) {
  EXPECT_FALSE(queue_.PaysForWrite());
  for (int i = 0; i < 8; ++i) queue_.Push(Data(1, "short"));
  EXPECT_FALSE(queue_.PaysForWrite());
  EXPECT_FALSE(queue_.IsRipe(8));
  while (queue_.CanStartWrite()) Write();
  EXPECT_GT(RipeAt(20), 7u);
  EXPECT_LE(RipeAt(20), 20u);
}

TEST_F(OutputQueueTest, Ticket_TellsWhatHasLeft) {
  const MuxDirection from{1, true};
  const OutputQueue::Ticket first = queue_.Push(Data(1, "first"));
  EXPECT_FALSE(queue_.HasLeft(first, from));
  queue_.StartWrite();
  EXPECT_TRUE(queue_.HasLeft(first, from));
  const OutputQueue::Ticket second = queue_.Push(Data(2, "second"));
  const OutputQueue::Ticket third = queue_.Push(Data(3, std::string(100'000, 'x')));
  EXPECT_FALSE(queue_.HasLeft(second, from));
  queue_.FinishWrite();
  queue_.StartWrite();
  EXPECT_TRUE(queue_.HasLeft(second, from));
  EXPECT_FALSE(queue_.HasLeft(third, from));
  queue_.FinishWrite();
  queue_.StartWrite();
  EXPECT_TRUE(queue_.HasLeft(third, from));
}

TEST_F(OutputQueueTest, Clear_DropsWhatWaits) {
  for (uint64_t id = 1; id <= 20; ++id) queue_.Push(Data(id, std::string(20'000, 'x')));
  queue_.Clear();
  EXPECT_FALSE(queue_.CanStartWrite());
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(pool_->Stats().bytes_in_use, 0u);
  queue_.Push(Data(21, "next"));
  EXPECT_EQ(AsText(queue_.StartWrite()), Encoded(Data(21, "next")));
}

TEST_F(OutputQueueTest, ClearDuringAWrite_LeavesWhatTheWriterHas) {
  queue_.Push(Data(1, "first"));
  const MutableBytes writing = queue_.StartWrite();
  for (uint64_t id = 2; id <= 20; ++id) queue_.Push(Data(id, std::string(20'000, 'x')));
  queue_.Clear();
  EXPECT_EQ(AsText(writing), Encoded(Data(1, "first")));
  EXPECT_EQ(queue_.bytes(), InBatch(Data(1, "first")));
  EXPECT_FALSE(queue_.CanStartWrite());
  queue_.FinishWrite();
  EXPECT_FALSE(queue_.CanStartWrite());
  EXPECT_EQ(queue_.bytes(), 0u);
  queue_.Push(Data(21, "next"));
  EXPECT_EQ(AsText(queue_.StartWrite()), Encoded(Data(21, "next")));
}

TEST_F(OutputQueueTest, Blocks_GoBackToThePool) {
  queue_.Push(Data(1, std::string(500'000, 'x')));
  EXPECT_GE(pool_->Stats().bytes_in_use, 500'000u);
  Write();
  EXPECT_EQ(pool_->Stats().bytes_in_use, 0u);
}

// Every message leaves once, unchanged and in order, whatever the sizes and however writes lie
// between.
TEST_F(OutputQueueTest, RandomUse_KeepsOrderAndCount) {
  testing::Random random(20);
  std::string payload(200'000, 'r');
  uint64_t pushed = 0;
  uint64_t written = 0;
  size_t waiting = 0;  // as the queue should count
  std::vector<size_t> sizes;
  bool writing = false;
  std::vector<SentMessage> with_writer;
  for (int step = 0; step < 20'000; ++step) {
    if (random.Below(3) != 0) {
      const size_t size = random.OneIn(50) ? random.Below(payload.size()) : random.Below(600);
      const Message message = Data(++pushed, std::string_view(payload).substr(0, size));
      queue_.Push(message);
      sizes.push_back(InBatch(message));
      waiting += sizes.back();
    } else if (!writing && queue_.CanStartWrite()) {
      with_writer = Unmerge(queue_.StartWrite());
      writing = true;
    } else if (writing) {
      queue_.FinishWrite();
      writing = false;
      for (const SentMessage& message : with_writer) {
        ASSERT_EQ(message.mux_id, ++written);
        waiting -= sizes[written - 1];
      }
    }
    ASSERT_EQ(queue_.bytes(), waiting);
  }
  EXPECT_GT(written, 1000u);
}

}  // namespace
}  // namespace grid
