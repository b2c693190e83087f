#include "grid/actor/mailbox_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/actor/actor_kit.h"

namespace grid::internal {
namespace {

using Put = MailboxQueue::Outcome;
constexpr TimePoint kNow{seconds{100}};

class MailboxQueueTest : public ::testing::Test {
 protected:
  // A letter of `bytes` bytes whose type is its number.
  Letter Numbered(int number, size_t bytes = 10) {
    Letter letter;
    const std::string type = std::to_string(number);
    letter.message = Buffer::CopyOf(type);
    letter.message.Resize(bytes);
    letter.type_bytes = static_cast<uint32_t>(type.size());
    return letter;
  }
  Put Add(MailboxQueue& queue, int number, size_t bytes = 10, HeldLetters held = {}) {
    Letter letter = Numbered(number, bytes);
    MailboxQueue::PutResult put = queue.Put(letter, kNow, held);
    for (const Letter& dropped : put.dropped) dropped_ += std::string(dropped.type()) + " ";
    const bool taken = put.outcome == Put::kQueued || put.outcome == Put::kWaiting;
    EXPECT_EQ(letter.message.is_nil(), taken);
    return put.outcome;
  }
  std::string TakeOne(MailboxQueue& queue) {
    const std::optional<Letter> letter = queue.Take(delivered_);
    return letter.has_value() ? std::string(letter->type()) : "none";
  }

  std::string dropped_;
  std::vector<ReplyToken> delivered_;
};

TEST_F(MailboxQueueTest, InOrder) {
  MailboxQueue queue({});
  EXPECT_EQ(Add(queue, 1), Put::kQueued);
  EXPECT_EQ(Add(queue, 2), Put::kQueued);
  EXPECT_EQ(queue.bytes(), 20u);
  EXPECT_EQ(TakeOne(queue), "1");
  EXPECT_EQ(TakeOne(queue), "2");
  EXPECT_EQ(TakeOne(queue), "none");
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(MailboxQueueTest, HasRoomFor_WherePutQueuesAndDropsNothing) {
  for (const Overflow overflow :
       {Overflow::kReject, Overflow::kDropOldest, Overflow::kWaitForCredit}) {
    MailboxQueue queue({.capacity = 2, .max_bytes = 100, .overflow = overflow});
    EXPECT_TRUE(queue.HasRoomFor(Numbered(1, 500)));
    EXPECT_FALSE(queue.HasRoomFor(Numbered(1), {.letters = 2, .bytes = 20}));
    Add(queue, 1);
    EXPECT_FALSE(queue.HasRoomFor(Numbered(2, 91)));
    EXPECT_TRUE(queue.HasRoomFor(Numbered(2, 90)));
    Add(queue, 2);
    EXPECT_FALSE(queue.HasRoomFor(Numbered(3)));
    TakeOne(queue);
    EXPECT_TRUE(queue.HasRoomFor(Numbered(3)));
    queue.Close();
    EXPECT_FALSE(queue.HasRoomFor(Numbered(3)));
  }
  // Who waits comes first.
  MailboxQueue queue({.capacity = 10, .max_bytes = 100, .overflow = Overflow::kWaitForCredit});
  Add(queue, 1, 50);
  EXPECT_EQ(Add(queue, 2, 60), Put::kWaiting);
  EXPECT_FALSE(queue.HasRoomFor(Numbered(3)));
}

TEST_F(MailboxQueueTest, Reject_ByNumber_AndByBytes) {
  MailboxQueue queue({.capacity = 2, .max_bytes = 100});
  EXPECT_EQ(Add(queue, 1), Put::kQueued);
  EXPECT_EQ(Add(queue, 2, 91), Put::kFull);
  EXPECT_EQ(Add(queue, 3, 90), Put::kQueued);
  EXPECT_EQ(Add(queue, 4, 0), Put::kFull);
  EXPECT_EQ(TakeOne(queue), "1");
  EXPECT_EQ(Add(queue, 5), Put::kQueued);
}

TEST_F(MailboxQueueTest, Empty_TakesOneOfAnySize) {
  MailboxQueue queue({.max_bytes = 10});
  EXPECT_EQ(Add(queue, 1, 1000), Put::kQueued);
  EXPECT_EQ(Add(queue, 2, 1), Put::kFull);
}

TEST_F(MailboxQueueTest, WhatIsHeld_CountsAsWaiting) {
  MailboxQueue queue({.capacity = 3, .max_bytes = 100});
  EXPECT_EQ(Add(queue, 1, 10, {.letters = 3}), Put::kFull);
  EXPECT_EQ(Add(queue, 1, 10, {.letters = 2, .bytes = 91}), Put::kFull);
  EXPECT_EQ(Add(queue, 1, 10, {.letters = 2, .bytes = 90}), Put::kQueued);
}

TEST_F(MailboxQueueTest, TakeAll_LeavesNothing) {
  MailboxQueue queue({});
  for (int i = 1; i <= 3; ++i) Add(queue, i);
  Ring<Letter> all;
  const HeldLetters held = queue.TakeAll(all);
  EXPECT_EQ(held.letters, 3u);
  EXPECT_EQ(held.bytes, 30u);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(all.PopFront().type(), "1");
}

TEST_F(MailboxQueueTest, Reuse_KeepsLittleMemory) {
  MailboxQueue queue({.capacity = 10'000});
  for (int i = 0; i < 1000; ++i) Add(queue, i);
  Ring<Letter> all;
  queue.TakeAll(all);
  all.Clear();
  EXPECT_GE(all.places(), 1000u);
  queue.Reuse(all);
  EXPECT_EQ(all.places(), 0u);
  queue.TakeAll(all);
  EXPECT_LE(all.places(), 64u);
}

TEST_F(MailboxQueueTest, DropOldest_AsManyAsItTakes) {
  MailboxQueue queue({.capacity = 3, .max_bytes = 100, .overflow = Overflow::kDropOldest});
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(Add(queue, i, 30), Put::kQueued);
  EXPECT_EQ(Add(queue, 4, 30), Put::kQueued);
  EXPECT_EQ(dropped_, "1 ");
  EXPECT_EQ(Add(queue, 5, 50), Put::kQueued);
  EXPECT_EQ(dropped_, "1 2 3 ");
  EXPECT_EQ(Add(queue, 6, 1000), Put::kQueued);
  EXPECT_EQ(dropped_, "1 2 3 4 5 ");
  EXPECT_EQ(TakeOne(queue), "6");
}

TEST_F(MailboxQueueTest, WaitForCredit_ComesInWhereThereIsRoom_InOrder) {
  MailboxQueue queue(
      {.capacity = 1, .max_bytes = 100, .overflow = Overflow::kWaitForCredit, .max_waiting = 2});
  EXPECT_EQ(Add(queue, 1), Put::kQueued);
  EXPECT_EQ(Add(queue, 2), Put::kWaiting);
  EXPECT_EQ(Add(queue, 3), Put::kWaiting);
  EXPECT_EQ(Add(queue, 4), Put::kNoCredit);
  EXPECT_EQ(queue.waiting_bytes(), 20u);
  EXPECT_EQ(TakeOne(queue), "1");
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(Add(queue, 5), Put::kWaiting);
  EXPECT_EQ(TakeOne(queue), "2");
  EXPECT_EQ(TakeOne(queue), "3");
  EXPECT_EQ(TakeOne(queue), "5");
  EXPECT_EQ(TakeOne(queue), "none");
  EXPECT_EQ(queue.waiting_bytes(), 0u);
}

TEST_F(MailboxQueueTest, WaitForCredit_IsBoundedInBytes) {
  MailboxQueue queue({.capacity = 1, .max_bytes = 100, .overflow = Overflow::kWaitForCredit});
  EXPECT_EQ(Add(queue, 1), Put::kQueued);
  EXPECT_EQ(Add(queue, 2, 60), Put::kWaiting);
  EXPECT_EQ(Add(queue, 3, 41), Put::kNoCredit);
  EXPECT_EQ(Add(queue, 4, 40), Put::kWaiting);
}

TEST_F(MailboxQueueTest, WaitForCredit_EndsWithTheDeadline) {
  MailboxQueue queue({.capacity = 1, .overflow = Overflow::kWaitForCredit});
  Add(queue, 1);
  for (int i = 2; i <= 4; ++i) {
    Letter letter = Numbered(i);
    letter.deadline = kNow + seconds(i % 2 == 0 ? i : 100);
    EXPECT_EQ(queue.Put(letter, kNow).outcome, Put::kWaiting);
  }
  EXPECT_EQ(queue.NextExpiry(), kNow + seconds(2));
  std::vector<Letter> expired = queue.TakeExpired(kNow + seconds(4), delivered_);
  ASSERT_EQ(expired.size(), 2u);
  EXPECT_EQ(expired[0].type(), "2");
  EXPECT_EQ(expired[1].type(), "4");
  EXPECT_EQ(queue.waiting_bytes(), 10u);
  EXPECT_EQ(TakeOne(queue), "1");
  EXPECT_EQ(TakeOne(queue), "3");

  Letter late = Numbered(5);
  late.deadline = kNow;
  Add(queue, 6);
  EXPECT_EQ(queue.Put(late, kNow).outcome, Put::kNoCredit);
}

TEST_F(MailboxQueueTest, WhoeverBlocksTheWay_ExpiresAndLetsTheOthersIn) {
  MailboxQueue queue({.capacity = 10, .max_bytes = 100, .overflow = Overflow::kWaitForCredit});
  Add(queue, 1, 60);
  Letter large = Numbered(2, 60);
  large.deadline = kNow + seconds(1);
  EXPECT_EQ(queue.Put(large, kNow).outcome, Put::kWaiting);
  EXPECT_EQ(Add(queue, 3), Put::kWaiting);  // there is room, but not its turn
  EXPECT_EQ(queue.TakeExpired(kNow + seconds(1), delivered_).size(), 1u);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST_F(MailboxQueueTest, Delivered_IsSaidOnceItIsInTheMailbox) {
  MailboxQueue queue({.capacity = 1, .overflow = Overflow::kWaitForCredit});
  Outcome first, second;
  for (Outcome* outcome : {&first, &second}) {
    Letter letter = Numbered(1);
    letter.acknowledge = Acknowledgement::kDelivered;
    letter.reply = outcome->Token();
    MailboxQueue::PutResult put = queue.Put(letter, kNow);
    EXPECT_EQ(static_cast<bool>(put.delivered), outcome == &first);
    if (put.delivered) put.delivered.Answer(Buffer());
  }
  EXPECT_FALSE(second.done());
  TakeOne(queue);
  ASSERT_EQ(delivered_.size(), 1u);
  delivered_[0].Answer(Buffer());
  EXPECT_TRUE(second.nil());
}

TEST_F(MailboxQueueTest, Close_RefusesTheNew_CloseAndTakeAllGivesBackAll) {
  MailboxQueue queue({.capacity = 1, .overflow = Overflow::kWaitForCredit});
  Add(queue, 1);
  Add(queue, 2);
  queue.Close();
  EXPECT_EQ(Add(queue, 3), Put::kClosed);
  EXPECT_EQ(TakeOne(queue), "1");
  Outcome outcome;
  const std::vector<Letter> all = queue.CloseAndTakeAll();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].type(), "2");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes() + queue.waiting_bytes() + queue.waiting(), 0u);
  outcome.Token();  // let go
}

TEST(ActorOptionsTest, NameTheFieldAndItsRange) {
  const auto text = [](auto change) {
    ActorOptions options;
    change(options);
    return std::string(options.Check().message());
  };
  using ::testing::HasSubstr;
  EXPECT_TRUE(ActorOptions().Check().ok());
  EXPECT_THAT(text([](auto& o) { o.mailbox.capacity = 0; }), HasSubstr("capacity must be 1 to"));
  EXPECT_THAT(text([](auto& o) { o.mailbox.capacity = 1'000'001; }), HasSubstr("1000000"));
  EXPECT_THAT(text([](auto& o) { o.mailbox.max_bytes = 0; }), HasSubstr("max_bytes"));
  EXPECT_THAT(text([](auto& o) { o.mailbox.max_waiting = 1'000'001; }), HasSubstr("max_waiting"));
  EXPECT_THAT(text([](auto& o) { o.concurrency = 0; }),
              HasSubstr("concurrency must be 1 to 10000"));
  EXPECT_THAT(text([](auto& o) { o.max_restarts = -1; }), HasSubstr("max_restarts"));
  EXPECT_THAT(text([](auto& o) { o.restart_window = milliseconds(0); }),
              HasSubstr("restart_window must be 1 ms to 49 days"));
  EXPECT_THAT(text([](auto& o) { o.trusted_callers = {"a,b"}; }), HasSubstr("trusted_callers"));
  EXPECT_THAT(text([](auto& o) { o.attributes[""] = "x"; }), HasSubstr("ttribute"));
}

}  // namespace
}  // namespace grid::internal
