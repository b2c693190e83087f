#include "grid/actor/batch_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace grid::internal {
namespace {

using std::chrono::milliseconds;
using What = BatchQueue::Step::What;
using Added = BatchQueue::Added;

constexpr BatchLimits kLimits{.max_queue = 10,
                              .max_queue_bytes = 100,
                              .max_batch = 3,
                              .max_batch_bytes = 50,
                              .linger = milliseconds(0)};

TimePoint At(int64_t ms) { return TimePoint() + milliseconds(ms); }

class BatchQueueTest : public ::testing::Test {
 protected:
  static Added Add(BatchQueue& queue, const std::string& text, int64_t ms = 0) {
    BatchItem item{.bytes = Buffer::CopyOf(text)};
    return queue.Add(item, At(ms));
  }
  // "a b" of a batch or of what was taken out.
  static std::string Batch(const BatchQueue& queue) {
    std::string text;
    for (size_t i = 0; i < queue.batch(); ++i) Append(queue.at(i), text);
    return text;
  }
  static std::string Text(const std::vector<BatchItem>& items) {
    std::string text;
    for (const BatchItem& item : items) Append(item, text);
    return text;
  }

 private:
  static void Append(const BatchItem& item, std::string& text) {
    if (!text.empty()) text += ' ';
    text += AsText(item.bytes.view());
  }
};

TEST_F(BatchQueueTest, ALoneItemIsSentAtOnce_TheNextBatchFillsMeanwhile) {
  BatchQueue queue(kLimits);
  EXPECT_EQ(queue.Next(At(0)).what, What::kNothing);
  ASSERT_EQ(Add(queue, "a"), Added::kQueued);
  EXPECT_EQ(queue.Next(At(0)).what, What::kSend);
  EXPECT_EQ(Batch(queue), "a");
  EXPECT_EQ(queue.attempt(), 1u);
  for (const char* text : {"b", "c", "d", "e"}) Add(queue, text);
  EXPECT_EQ(queue.Next(At(0)).what, What::kNothing);
  EXPECT_EQ(Text(queue.Succeeded()), "a");
  EXPECT_EQ(queue.Next(At(0)).what, What::kSend);
  EXPECT_EQ(Batch(queue), "b c d");
  EXPECT_EQ(Text(queue.Succeeded()), "b c d");
  EXPECT_EQ(queue.Next(At(0)).what, What::kSend);
  EXPECT_EQ(Text(queue.Succeeded()), "e");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.Next(At(0)).what, What::kNothing);
}

TEST_F(BatchQueueTest, ABatchHasABoundInBytes_ButTakesOneOfAnySize) {
  BatchQueue queue(kLimits);
  Add(queue, std::string(80, 'x'));
  Add(queue, "b");
  EXPECT_EQ(queue.Next(At(0)).what, What::kSend);
  EXPECT_EQ(queue.batch(), 1u);
  queue.Succeeded();
  Add(queue, std::string(49, 'y'));
  Add(queue, "d");
  EXPECT_EQ(queue.Next(At(0)).what, What::kSend);
  EXPECT_EQ(queue.batch(), 2u);
}

TEST_F(BatchQueueTest, TheQueueIsBounded_WithWhatIsUnderWay) {
  BatchQueue queue(kLimits);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Add(queue, "x"), Added::kQueued);
  queue.Next(At(0));
  BatchItem refused{.bytes = Buffer::CopyOf("y")};
  EXPECT_EQ(queue.Add(refused, At(0)), Added::kFull);
  EXPECT_EQ(AsText(refused.bytes.view()), "y");
  queue.Succeeded();
  EXPECT_EQ(queue.Add(refused, At(0)), Added::kQueued);
  BatchQueue bytes(kLimits);
  EXPECT_EQ(Add(bytes, std::string(200, 'x')), Added::kQueued);
  EXPECT_EQ(Add(bytes, "x"), Added::kFull);
}

TEST_F(BatchQueueTest, Lingering_UntilABatchIsFull_OrTheTimeHasPassed) {
  BatchLimits limits = kLimits;
  limits.linger = milliseconds(20);
  BatchQueue queue(limits);
  Add(queue, "a", 100);
  const BatchQueue::Step wait = queue.Next(At(101));
  EXPECT_EQ(wait.what, What::kWait);
  EXPECT_EQ(wait.until, At(120));
  Add(queue, "b", 110);
  EXPECT_EQ(queue.Next(At(119)).until, At(120));
  EXPECT_EQ(queue.Next(At(120)).what, What::kSend);
  EXPECT_EQ(Batch(queue), "a b");
  // What came first while that was under way has waited since.
  Add(queue, "c", 130);
  Add(queue, "d", 140);
  queue.Succeeded();
  EXPECT_EQ(queue.Next(At(145)).until, At(150));
  Add(queue, "e", 146);
  EXPECT_EQ(queue.Next(At(146)).what, What::kSend);
  queue.Succeeded();
  Add(queue, std::string(50, 'x'), 200);
  EXPECT_EQ(queue.Next(At(200)).what, What::kSend);
  queue.Succeeded();
  Add(queue, "f", 300);
  queue.Close();
  EXPECT_EQ(queue.Next(At(300)).what, What::kSend);
}

TEST_F(BatchQueueTest, ARetryIsTheSameBatch_AfterItsPause) {
  BatchQueue queue(kLimits);
  Add(queue, "a");
  queue.Next(At(0));
  Add(queue, "b");
  queue.Failed(Delivery::kMaybeExecuted);
  queue.RetryAt(At(50));
  EXPECT_FALSE(queue.sending());
  Add(queue, "c");
  EXPECT_EQ(queue.Next(At(10)).what, What::kWait);
  EXPECT_EQ(queue.Next(At(10)).until, At(50));
  EXPECT_EQ(queue.Next(At(50)).what, What::kSend);
  EXPECT_EQ(Batch(queue), "a");
  EXPECT_EQ(queue.attempt(), 2u);
  // Whatever the last attempt says, the one before may have been executed.
  queue.Failed(Delivery::kNotSent);
  EXPECT_EQ(queue.worst(), Delivery::kMaybeExecuted);
  EXPECT_EQ(Text(queue.GiveUp()), "a");
  EXPECT_EQ(queue.worst(), Delivery::kNotSent);
  EXPECT_EQ(queue.Next(At(50)).what, What::kSend);
  EXPECT_EQ(Batch(queue), "b c");
  EXPECT_EQ(queue.attempt(), 1u);
}

TEST_F(BatchQueueTest, GivingUpAll_ClosesIt) {
  BatchQueue queue(kLimits);
  for (const char* text : {"a", "b", "c", "d"}) Add(queue, text);
  queue.Next(At(0));
  EXPECT_EQ(Text(queue.GiveUpAll()), "a b c d");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(Add(queue, "e"), Added::kClosed);
  EXPECT_EQ(queue.Next(At(0)).what, What::kNothing);
}

}  // namespace
}  // namespace grid::internal
