// Classes and lanes of the output queue: who is next, and that nobody waits for ever.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "grid/mux/output_queue.h"
#include "grid/testing/random.h"
#include "tests/unit/mux/session_fixture.h"

namespace grid {
namespace {

using test::SentMessage;
using test::Unmerge;
using Class = OutputQueue::Class;

constexpr size_t kFragment = 60'000;  // a batch of its own

class OutputLanes : public ::testing::Test {
 protected:
  static Message Data(uint64_t id, std::string_view payload, uint32_t seq = 0) {
    return {.mux_id = id, .seq = seq, .op = Op::kMuxClientMsg, .payload = AsBytes(payload)};
  }
  void PushFragments(uint64_t id, int count, Class of = OutputQueue::kNormal,
                     size_t size = kFragment) {
    const std::string payload(size, 'f');
    for (int i = 0; i < count; ++i) queue_.PushToLane(Data(id, payload), of, {id, true});
  }
  void PushLarge(uint64_t id, size_t size, uint32_t seq = 0, Class of = OutputQueue::kNormal,
                 size_t most = kFragment) {
    Buffer payload = pool_->Take(size);
    std::fill_n(payload.data(), size, uint8_t{'l'});
    const Message message = Data(id, payload.text(), seq);
    queue_.PushToLane(Fragmenter(message, std::move(payload), most, *pool_), of, {id, true});
  }
  // The mux of each message that one write sends.
  std::vector<uint64_t> Write() {
    std::vector<uint64_t> ids;
    for (const SentMessage& message : Unmerge(queue_.StartWrite())) ids.push_back(message.mux_id);
    queue_.FinishWrite();
    return ids;
  }
  std::vector<uint64_t> WriteAll() {
    std::vector<uint64_t> ids;
    while (queue_.CanStartWrite()) {
      for (const uint64_t id : Write()) ids.push_back(id);
    }
    return ids;
  }

  static bool HasMore(const SentMessage& sent) {
    Message message;
    ExtensionFields fields;
    EXPECT_EQ(DecodeMessage(AsBytes(sent.bytes), &message), DecodeError::kOk);
    return sent.Has(kFlagExtended) && ReadExtension(message.extension, &fields) && fields.more;
  }

  std::shared_ptr<BufferPool> pool_ = BufferPool::Create();
  SessionCounters counters_;
  OutputQueue queue_{*pool_, counters_};
};

TEST_F(OutputLanes, HigherClassesLeaveFirst) {
  queue_.Push(Data(4, "bulk"), OutputQueue::kBulk);
  queue_.Push(Data(3, "normal"), OutputQueue::kNormal);
  queue_.Push(Data(2, "urgent"), OutputQueue::kUrgent);
  queue_.Push(Data(1, "control"), OutputQueue::kControl);
  EXPECT_EQ(WriteAll(), (std::vector<uint64_t>{1, 2, 3, 4}));
}

TEST_F(OutputLanes, SmallMessagesPassFragments) {
  PushFragments(1, 3);
  EXPECT_TRUE(queue_.OnlyLanesWait());
  EXPECT_EQ(Write(), (std::vector<uint64_t>{1}));
  queue_.Push(Data(2, "small"));
  EXPECT_FALSE(queue_.OnlyLanesWait());
  EXPECT_EQ(WriteAll(), (std::vector<uint64_t>{2, 1, 1}));
  EXPECT_FALSE(queue_.has_lanes());
}

TEST_F(OutputLanes, LanesOfAClassTakeTurns) {
  PushFragments(1, 3);
  PushFragments(2, 3);
  PushFragments(3, 1);
  EXPECT_EQ(WriteAll(), (std::vector<uint64_t>{1, 2, 3, 1, 2, 1, 2}));
}

TEST_F(OutputLanes, TurnsAreSharedByBytes) {
  PushFragments(1, 40, OutputQueue::kNormal, 60'000);
  PushFragments(2, 60, OutputQueue::kNormal, 40'000);
  std::map<uint64_t, size_t> bytes;
  for (int i = 0; i < 50; ++i) {
    const std::vector<uint64_t> ids = Write();
    bytes[ids[0]] += ids[0] == 1 ? 60'000 : 40'000;
    const auto [least, most] = std::minmax(bytes[1], bytes[2]);
    EXPECT_LE(most - least, 3 * OutputQueue::kBatchBytes);
  }
}

TEST_F(OutputLanes, LanesOfAHigherClassLeaveFirst) {
  PushFragments(1, 2, OutputQueue::kBulk);
  PushFragments(2, 2, OutputQueue::kUrgent);
  EXPECT_EQ(WriteAll(), (std::vector<uint64_t>{2, 2, 1, 1}));
}

// However much of others there is, a lane and every class get their turn.
TEST_F(OutputLanes, NothingStarves) {
  const std::string batch(kFragment, 'n');
  PushFragments(1, 1, OutputQueue::kBulk);
  queue_.Push(Data(2, "bulk"), OutputQueue::kBulk);
  std::vector<uint64_t> first;
  for (int i = 0; i < 20; ++i) {
    queue_.Push(Data(3, batch), OutputQueue::kUrgent);
    for (const uint64_t id : Write()) first.push_back(id);
  }
  for (const uint64_t waits : {1, 2}) {
    const auto at = std::find(first.begin(), first.end(), waits) - first.begin();
    EXPECT_LE(static_cast<size_t>(at), OutputQueue::kPatience / kFragment + 3) << waits;
  }
}

TEST_F(OutputLanes, LaneBeginsWhenWhatWentBeforeHasLeft) {
  const std::string batch(kFragment, 'n');
  for (uint32_t i = 0; i < 12; ++i) queue_.Push(Data(7, batch), OutputQueue::kNormal);
  queue_.Push(Data(1, "before"));
  PushFragments(1, 2);
  for (int i = 0; i < 30; ++i) queue_.Push(Data(8, batch), OutputQueue::kNormal);
  std::vector<uint64_t> order;
  for (const uint64_t id : WriteAll()) {
    if (id == 1) order.push_back(order.size());
  }
  EXPECT_EQ(order.size(), 3u);
}

TEST_F(OutputLanes, LargePayload_IsCutWhenItIsItsTurn) {
  PushLarge(1, 4 << 20);
  EXPECT_EQ(queue_.bytes(), size_t{4} << 20);
  EXPECT_EQ(pool_->Stats().taken, 1u);  // nothing but the payload itself
  for (int i = 0; i < 10; ++i) {
    EXPECT_LE(queue_.StartWrite().size(), OutputQueue::kBatchBytes);
    queue_.FinishWrite();
    EXPECT_EQ(pool_->Stats().bytes_in_use, size_t{4} << 20);
  }
  EXPECT_EQ(queue_.bytes(), (size_t{4} << 20) - 10 * kFragment);
  EXPECT_EQ(counters_.messages_out.Get(), 10u);
  EXPECT_EQ(WriteAll().size(), (size_t{4} << 20) / kFragment - 10 + 1);
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(pool_->Stats().bytes_in_use, 0u);
}

TEST_F(OutputLanes, SmallFragments_ShareAWrite) {
  PushLarge(1, 100'000, 0, OutputQueue::kNormal, 1000);
  const size_t first = Write().size();
  EXPECT_GT(first, 50u);
  EXPECT_EQ(Write().size(), 100 - first);
  EXPECT_FALSE(queue_.has_lanes());
}

TEST_F(OutputLanes, LargePayloads_TakeTurns) {
  PushLarge(1, 3 * kFragment);
  PushLarge(2, 2 * kFragment);
  EXPECT_EQ(WriteAll(), (std::vector<uint64_t>{1, 2, 1, 2, 1}));
}

TEST_F(OutputLanes, WhatFollowsALargePayload_StaysBehindIt) {
  PushLarge(1, 2 * kFragment, 0);
  queue_.PushToLane(Data(1, "a", 1), OutputQueue::kNormal, {1, true});
  queue_.PushToLane(Data(1, "b", 2), OutputQueue::kNormal, {1, true});
  PushLarge(1, 2 * kFragment, 3);
  queue_.PushToLane(Data(1, "c", 4), OutputQueue::kNormal, {1, true});
  std::vector<uint32_t> numbers;
  while (queue_.CanStartWrite()) {
    for (const SentMessage& message : Unmerge(queue_.StartWrite())) numbers.push_back(message.seq);
    queue_.FinishWrite();
  }
  EXPECT_EQ(numbers, (std::vector<uint32_t>{0, 0, 1, 2, 3, 3, 4}));
}

TEST_F(OutputLanes, LargePayload_HasLeftWithItsLastFragment) {
  const MuxDirection from{1, true};
  const std::string payload(2 * kFragment, 'x');
  const OutputQueue::Ticket ticket =
      queue_.PushToLane(Fragmenter(Data(1, payload), Buffer::CopyOf(payload), kFragment, *pool_),
                        OutputQueue::kNormal, from);
  queue_.PushToLane(Data(1, "behind"), OutputQueue::kNormal, from);
  Write();
  EXPECT_FALSE(queue_.HasLeft(ticket, from));
  Write();
  EXPECT_TRUE(queue_.HasLeft(ticket, from));
}

TEST_F(OutputLanes, DroppedLargePayload_GivesItsBytesBack) {
  PushLarge(1, 4 << 20);
  Write();
  queue_.DropLane({1, true});
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(pool_->Stats().bytes_in_use, 0u);
  PushLarge(1, 4 << 20);
  queue_.Clear();
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(pool_->Stats().bytes_in_use, 0u);
}

TEST_F(OutputLanes, DroppedLane_GivesItsBytesBack) {
  PushFragments(1, 3);
  PushFragments(2, 1);
  queue_.DropLane({1, true});
  queue_.DropLane({5, true});  // there is none
  EXPECT_FALSE(queue_.HasLane({1, true}));
  EXPECT_EQ(WriteAll(), (std::vector<uint64_t>{2}));
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(pool_->Stats().bytes_in_use, 0u);
  EXPECT_FALSE(queue_.CanStartWrite());
}

TEST_F(OutputLanes, DropDuringAWrite_LeavesWhatTheWriterHas) {
  PushFragments(1, 2);
  const MutableBytes writing = queue_.StartWrite();
  queue_.DropLane({1, true});
  EXPECT_EQ(Unmerge(writing).size(), 1u);
  EXPECT_GT(queue_.bytes(), 0u);
  queue_.FinishWrite();
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_FALSE(queue_.CanStartWrite());
}

TEST_F(OutputLanes, Ticket_IsOfItsOwnLane) {
  const MuxDirection from{1, true};
  const OutputQueue::Ticket first =
      queue_.PushToLane(Data(1, std::string(kFragment, 'x')), OutputQueue::kNormal, from);
  EXPECT_FALSE(queue_.HasLeft(first, from));
  Write();
  EXPECT_TRUE(queue_.HasLeft(first, from));
  PushFragments(1, 1);  // another lane
  EXPECT_TRUE(queue_.HasLeft(first, from));
}

TEST_F(OutputLanes, Clear_DropsLanesToo) {
  PushFragments(1, 3);
  queue_.Push(Data(2, "small"));
  queue_.Clear();
  EXPECT_FALSE(queue_.CanStartWrite());
  EXPECT_FALSE(queue_.has_lanes());
  EXPECT_EQ(queue_.bytes(), 0u);
}

// What each mux sends arrives in order and once, whatever the classes, lanes and drops around it.
TEST_F(OutputLanes, RandomUse_KeepsTheOrderOfEachMux) {
  testing::Random random(4);
  const std::string payload(70'000, 'r');
  std::map<uint64_t, uint32_t> sent, received;
  bool writing = false;
  std::vector<SentMessage> with_writer;
  const auto finish = [&] {
    queue_.FinishWrite();
    writing = false;
    for (const SentMessage& message : with_writer) {
      ASSERT_EQ(message.seq, received[message.mux_id]) << "mux " << message.mux_id;
      if (!HasMore(message)) ++received[message.mux_id];
    }
  };
  for (int step = 0; step < 20'000; ++step) {
    if (random.OneIn(2)) {
      const uint64_t id = 1 + random.Below(9);
      const auto of = static_cast<Class>(1 + id % 3);
      const MuxDirection from{id, true};
      const size_t size = random.OneIn(20) ? 40'000 + random.Below(30'000) : random.Below(300);
      const Message message = Data(id, std::string_view(payload).substr(0, size), sent[id]++);
      if (size >= 65'000) {
        queue_.PushToLane(
            Fragmenter(message, Buffer::CopyOf(message.payload), 20'000 + id * 7'000, *pool_), of,
            from);
      } else if (size >= 40'000 || queue_.HasLane(from)) {
        queue_.PushToLane(message, of, from);
      } else {
        queue_.Push(message, of);
      }
    } else if (!writing && queue_.CanStartWrite()) {
      with_writer = Unmerge(queue_.StartWrite());
      writing = true;
    } else if (writing) {
      finish();
    }
  }
  if (writing) finish();
  while (queue_.CanStartWrite()) {
    with_writer = Unmerge(queue_.StartWrite());
    finish();
  }
  EXPECT_EQ(sent, received);
  EXPECT_EQ(queue_.bytes(), 0u);
}

}  // namespace
}  // namespace grid
