// RememberedCalls: each call runs once within its window, and everybody who asks gets the outcome.
#include "grid/actor/remembered_calls.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "grid/testing/virtual_clock.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

using std::chrono::seconds;

class RememberedCallsTest : public ::testing::Test {
 protected:
  class Sink final : public OutcomeSink {
   public:
    explicit Sink(std::optional<LetterOutcome>* outcome) : outcome_(outcome) {}
    void Complete(LetterOutcome outcome) override { outcome_->emplace(std::move(outcome)); }

   private:
    std::optional<LetterOutcome>* const outcome_;
  };

  // A letter whose outcome comes into `outcome`.
  static Letter To(std::optional<LetterOutcome>* outcome) {
    Letter letter;
    letter.reply = ReplyToken(std::make_unique<Sink>(outcome));
    return letter;
  }
  static CallKey Key(uint64_t call) {
    return {.host = "http://a:1", .call = call, .name = "r/k/a"};
  }
  static std::string TextOf(const std::optional<LetterOutcome>& outcome) {
    if (!outcome.has_value()) return "nothing";
    return outcome->ok() ? std::string((*outcome)->text()) : outcome->status().ToString();
  }

  std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  std::shared_ptr<RememberedCalls> calls_ = std::make_shared<RememberedCalls>(clock_, 3, 100);
};

TEST_F(RememberedCallsTest, ARepetitionGetsTheOutcomeFromMemory) {
  std::optional<LetterOutcome> first, second, other;
  Letter letter = To(&first);
  ASSERT_TRUE(calls_->Admit(Key(1), seconds(10), letter));
  letter.reply.Answer(Buffer::CopyOf("once"));
  EXPECT_EQ(TextOf(first), "once");
  Letter again = To(&second);
  EXPECT_FALSE(calls_->Admit(Key(1), seconds(10), again));
  EXPECT_EQ(TextOf(second), "once");
  // Another call of the same process is another one.
  Letter next = To(&other);
  EXPECT_TRUE(calls_->Admit(Key(2), seconds(10), next));
  EXPECT_EQ(calls_->repeated(), 1u);
  next.reply.Answer(Buffer());
}

TEST_F(RememberedCallsTest, ARepetitionOfWhatStillRuns_WaitsForIt) {
  std::optional<LetterOutcome> first, second;
  Letter letter = To(&first), again = To(&second);
  ASSERT_TRUE(calls_->Admit(Key(1), seconds(10), letter));
  EXPECT_FALSE(calls_->Admit(Key(1), seconds(10), again));
  EXPECT_EQ(TextOf(second), "nothing");
  letter.reply.Answer(Buffer::CopyOf("both"));
  EXPECT_EQ(TextOf(first), "both");
  EXPECT_EQ(TextOf(second), "both");
}

TEST_F(RememberedCallsTest, WhatWasRejectedMayRunNextTime_AnErrorOfTheActorsMayNot) {
  std::optional<LetterOutcome> first, second, third;
  Letter letter = To(&first);
  ASSERT_TRUE(calls_->Admit(Key(1), seconds(10), letter));
  letter.reply.Refuse(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(calls_->size(), 0u);
  Letter again = To(&second);
  ASSERT_TRUE(calls_->Admit(Key(1), seconds(10), again));
  again.reply.Fail(absl::InternalError("its own"));
  Letter late = To(&third);
  EXPECT_FALSE(calls_->Admit(Key(1), seconds(10), late));
  EXPECT_EQ(third->status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(DeliveryOf(third->status()), Delivery::kExecuted);
}

TEST_F(RememberedCallsTest, TheWindowBeginsWithTheOutcome) {
  std::optional<LetterOutcome> first, second, third;
  Letter letter = To(&first);
  ASSERT_TRUE(calls_->Admit(Key(1), seconds(10), letter));
  clock_->Advance(seconds(60));
  letter.reply.Answer(Buffer::CopyOf("x"));
  clock_->Advance(seconds(9));
  Letter again = To(&second);
  EXPECT_FALSE(calls_->Admit(Key(1), seconds(10), again));
  clock_->Advance(seconds(1));
  Letter late = To(&third);
  EXPECT_TRUE(calls_->Admit(Key(1), seconds(10), late));
  late.reply.Answer(Buffer());
}

// What is remembered is never forgotten early: there is no room for another instead.
TEST_F(RememberedCallsTest, Limits_RefuseTheCall) {
  std::optional<LetterOutcome> outcomes[6];
  Letter letters[6];
  for (int i = 0; i < 6; ++i) letters[i] = To(&outcomes[i]);
  for (uint64_t call = 0; call < 3; ++call) {
    ASSERT_TRUE(calls_->Admit(Key(call), seconds(10), letters[call]));
    letters[call].reply.Answer(Buffer());
  }
  EXPECT_FALSE(calls_->Admit(Key(3), seconds(10), letters[3]));
  EXPECT_EQ(outcomes[3]->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DeliveryOf(outcomes[3]->status()), Delivery::kRejected);
  EXPECT_EQ(calls_->refused(), 1u);
  clock_->Advance(seconds(11));
  ASSERT_TRUE(calls_->Admit(Key(4), seconds(10), letters[4]));
  letters[4].reply.Answer(Buffer::CopyOf(std::string(100, 'x')));
  EXPECT_FALSE(calls_->Admit(Key(5), seconds(10), letters[5]));
  EXPECT_NE(TextOf(outcomes[5]).find("100 of 100 bytes"), std::string::npos);
}

}  // namespace
}  // namespace grid::internal
