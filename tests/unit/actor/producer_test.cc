// Producer: batches, decisions, limits; to Recipients and to topics.
#include "grid/actor/producer.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/actor/producer_fixture.h"

namespace grid {
namespace {

TEST_F(ProducerTest, ALoneItemGoesAtOnce_TheNextBatchIsWhatHasCome) {
  const auto held = RegisterRing(1);
  Make({.max_batch = 4});
  Produce(0);
  ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
  ProduceAll(1, 8);
  RunFor(seconds(0));
  EXPECT_EQ(post_->sent.size(), 1u);  // one batch at a time
  EXPECT_EQ(producer_->Stats().waiting, 8u);
  EXPECT_EQ(producer_->Stats().under_way, 1u);
  EXPECT_TRUE(outcomes_[0].empty());
  const TimePoint begun = clock_->Now();
  post_->script = AnswerOne();
  post_->sent[0].complete(Number(1));
  ASSERT_TRUE(Run([&] { return !outcomes_[7].empty(); }, seconds(1)));
  EXPECT_EQ(clock_->Now(), begun);  // nothing lingers
  EXPECT_EQ(Sent(), (Batches{{0}, {1, 2, 3, 4}, {5, 6, 7}}));
  for (int64_t i = 0; i < 8; ++i) EXPECT_TRUE(Outcome(i).ok());
  const ProducerStats stats = producer_->Stats();
  EXPECT_EQ(stats.produced, 8u);
  EXPECT_EQ(stats.sent, 8u);
  EXPECT_EQ(stats.batches, 3u);
  EXPECT_EQ(stats.waiting + stats.waiting_bytes + stats.under_way, 0u);
}

TEST_F(ProducerTest, DefaultsAreThoseOfTheRules) {
  const ProducerOptions options;
  EXPECT_EQ(options.max_batch, 2'000u);
  EXPECT_EQ(options.linger, milliseconds(0));
  EXPECT_EQ(options.max_queue, 100'000u);
}

TEST_F(ProducerTest, Linger_WaitsForCompany) {
  const auto held = RegisterRing(1);
  post_->script = AnswerOne();
  Make({.max_batch = 3, .linger = milliseconds(20)});
  const TimePoint begun = clock_->Now();
  Produce(0);
  RunFor(milliseconds(19));
  EXPECT_TRUE(post_->sent.empty());
  Produce(1);
  ASSERT_TRUE(Run([&] { return !outcomes_[1].empty(); }, seconds(1)));
  EXPECT_EQ(clock_->Now(), begun + milliseconds(20));
  ProduceAll(2, 5);
  ASSERT_TRUE(Run([&] { return !outcomes_[4].empty(); }, seconds(1)));
  EXPECT_EQ(clock_->Now(), begun + milliseconds(20));
  EXPECT_EQ(Sent(), (Batches{{0, 1}, {2, 3, 4}}));
}

TEST_F(ProducerTest, AFullQueueRejects_InItemsAndBytes) {
  const auto held = RegisterRing(1);
  for (const ProducerOptions& options :
       {ProducerOptions{.max_queue = 3}, ProducerOptions{.max_queue_bytes = 3}}) {
    Make(options);
    ProduceAll(0, 5);
    RunFor(milliseconds(1));
    for (const int64_t i : {3, 4}) {
      EXPECT_EQ(Outcome(i).code(), absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(DeliveryOf(Outcome(i)), Delivery::kRejected);
      EXPECT_NE(std::string(Outcome(i).message()).find("max_queue"), std::string::npos);
    }
    EXPECT_EQ(producer_->Stats().queue_limit, 2u);
    EXPECT_EQ(producer_->Stats().produced, 3u);
  }
}

TEST_F(ProducerTest, FailAndStop_IsTheDefault_NothingOvertakesWhatHasFailed) {
  const auto held = RegisterRing(1);
  Make({.max_batch = 2});
  post_->script = Always(Failure(Delivery::kExecuted, absl::StatusCode::kDataLoss, "broken"));
  ProduceAll(0, 5);
  ASSERT_TRUE(Run([&] { return !outcomes_[4].empty(); }, seconds(5)));
  EXPECT_EQ(Sent(), (Batches{{0, 1}}));
  for (const int64_t i : {0, 1}) {
    EXPECT_EQ(Outcome(i).code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(DeliveryOf(Outcome(i)), Delivery::kExecuted);
  }
  for (const int64_t i : {2, 3, 4}) {
    EXPECT_EQ(Outcome(i).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(DeliveryOf(Outcome(i)), Delivery::kNotSent);
    EXPECT_NE(std::string(Outcome(i).message()).find("broken"), std::string::npos);
  }
  Produce(5);
  RunFor(milliseconds(1));
  EXPECT_EQ(Outcome(5).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(producer_->status().code(), absl::StatusCode::kFailedPrecondition);
  const ProducerRest rest = Stop();
  EXPECT_EQ(rest.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(rest.maybe_executed, 2u);
  EXPECT_EQ(rest.not_executed, 3u);
  EXPECT_EQ(producer_->Stats().failed, 5u);
}

TEST_F(ProducerTest, FailAndContinue_GoesOnWithTheNextBatch) {
  const auto held = RegisterRing(1);
  std::vector<BatchFailure> failures;
  Make({.max_batch = 2, .on_failure = [&](const BatchFailure& failure) {
          failures.push_back(failure);
          return Decision::FailAndContinue();
        }});
  post_->script = [](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.items[0] == 2) return Failure(Delivery::kRejected, absl::StatusCode::kInternal);
    return Number(1);
  };
  ProduceAll(0, 6);
  ASSERT_TRUE(Run([&] { return !outcomes_[5].empty(); }, seconds(5)));
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(Outcome(i).ok(), i != 2 && i != 3) << i;
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].attempt, 1u);
  EXPECT_EQ(failures[0].items, 2u);
  EXPECT_EQ(DeliveryOf(failures[0].status), Delivery::kRejected);
  EXPECT_TRUE(Stop().status.ok());
}

TEST_F(ProducerTest, Retry_SendsTheSameBatch_NowOrLater_InFrontOfAllOthers) {
  const auto held = RegisterRing(1);
  std::vector<uint32_t> attempts;
  Make({.on_failure = [&](const BatchFailure& failure) {
    attempts.push_back(failure.attempt);
    return failure.attempt < 3 ? Decision::RetryNow() : Decision::RetryAfter(seconds(7));
  }});
  Produce(0);
  ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
  ProduceAll(1, 3);
  const TimePoint begun = clock_->Now();
  post_->script = Always(Failure(Delivery::kMaybeExecuted, absl::StatusCode::kUnavailable));
  post_->sent[0].complete(post_->script(post_->sent[0]).value());
  ASSERT_TRUE(Run([&] { return attempts.size() == 3; }, seconds(1)));
  EXPECT_EQ(clock_->Now(), begun);
  post_->script = AnswerOne();
  ASSERT_TRUE(Run([&] { return !outcomes_[2].empty(); }, seconds(60)));
  EXPECT_EQ(clock_->Now(), begun + seconds(7));
  EXPECT_EQ(Sent(), (Batches{{0}, {0}, {0}, {0}, {1, 2}}));
  EXPECT_EQ(attempts, (std::vector<uint32_t>{1, 2, 3}));
  for (int64_t i = 0; i < 3; ++i) EXPECT_TRUE(Outcome(i).ok());
  EXPECT_EQ(producer_->Stats().retries, 3u);
  EXPECT_EQ(producer_->Stats().failures, 3u);
}

// The class that items fail with is the worst of all attempts, so that nobody repeats them in good
// faith.
TEST_F(ProducerTest, TheWorstAttemptCounts) {
  const auto held = RegisterRing(1);
  std::vector<Delivery> told;
  Make({.on_failure = [&](const BatchFailure& failure) {
    told.push_back(DeliveryOf(failure.status));
    return failure.attempt == 1 ? Decision::RetryNow() : Decision::FailAndContinue();
  }});
  int sends = 0;
  post_->script = [&](const FakePost::Sent&) -> std::optional<LetterOutcome> {
    return Failure(sends++ == 0 ? Delivery::kMaybeExecuted : Delivery::kNotSent,
                   absl::StatusCode::kUnavailable);
  };
  Produce(0);
  ASSERT_TRUE(Run([&] { return !outcomes_[0].empty(); }, seconds(1)));
  EXPECT_EQ(DeliveryOf(Outcome(0)), Delivery::kMaybeExecuted);
  EXPECT_EQ(told, (std::vector<Delivery>{Delivery::kMaybeExecuted, Delivery::kMaybeExecuted}));
}

TEST_F(ProducerTest, ADecisionThatThrows_Stops) {
  const auto held = RegisterRing(1);
  Make({.on_failure = [](const BatchFailure&) -> Decision { throw std::runtime_error("oh"); }});
  post_->script = Always(Failure(Delivery::kRejected, absl::StatusCode::kInternal));
  Produce(0);
  ASSERT_TRUE(Run([&] { return !outcomes_[0].empty(); }, seconds(1)));
  EXPECT_EQ(Outcome(0).code(), absl::StatusCode::kInternal);
  EXPECT_FALSE(producer_->status().ok());
  EXPECT_EQ(producer_->Stats().decision_errors, 1u);
}

TEST_F(ProducerTest, ToATopic_ARetryGoesOnlyToWhomItHasNotReached) {
  const auto held = RegisterRing(3);
  const Publisher publisher(To(Under("r/k"), Routing::All(), P("attempts=1")));
  MakeTo(publisher, {.on_failure = [](const BatchFailure& failure) {
           EXPECT_EQ(DeliveryOf(failure.status), Delivery::kExecuted);
           return Decision::RetryAfter(seconds(1));
         }});
  int refusals = 2;
  post_->script = [&](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.target.name.key() == "1" && refusals-- > 0) {
      return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted);
    }
    return Number(1);
  };
  Produce(0);
  ASSERT_TRUE(Run([&] { return !outcomes_[0].empty(); }, seconds(60)));
  EXPECT_TRUE(Outcome(0).ok());
  EXPECT_EQ(post_->Names(),
            (std::vector<std::string>{"r/k/0", "r/k/1", "r/k/2", "r/k/1", "r/k/1"}));
  for (const FakePost::Sent& sent : post_->sent) EXPECT_EQ(sent.publication->sequence, 1u);
  post_->sent.clear();
  Produce(1);
  ASSERT_TRUE(Run([&] { return !outcomes_[1].empty(); }, seconds(60)));
  ASSERT_EQ(post_->sent.size(), 3u);
  EXPECT_EQ(post_->sent[0].publication->sequence, 2u);
  EXPECT_EQ(post_->sent[0].items, (std::vector<int64_t>{1}));
}

TEST_F(ProducerTest, OptionsOutOfRangeAreNamed) {
  const auto refused = [&](ProducerOptions options) {
    const auto made = Numbers::Make(To(Under("r/k")), kBatch, std::move(options));
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(made.status().message());
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(refused({}), "::io"));
  EXPECT_TRUE(has(refused({.io = &io_, .max_batch = 0}), "::max_batch "));
  EXPECT_TRUE(has(refused({.io = &io_, .max_batch = 1'000'001}), "::max_batch "));
  EXPECT_TRUE(has(refused({.io = &io_, .max_batch_bytes = 0}), "::max_batch_bytes"));
  EXPECT_TRUE(has(refused({.io = &io_, .linger = milliseconds(-1)}), "::linger"));
  EXPECT_TRUE(has(refused({.io = &io_, .max_queue = 0}), "::max_queue "));
  EXPECT_TRUE(has(refused({.io = &io_, .max_queue_bytes = 0}), "::max_queue_bytes"));
  EXPECT_TRUE(has(refused({.io = &io_, .drain = std::chrono::hours(25)}), "::drain"));
  constexpr MessageType<std::vector<int64_t>> small{"test.batch", {.max_elements = 10}};
  const auto made = Numbers::Make(To(Under("r/k")), small, {.io = &io_});
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
}

// A batch is read as the vector that its message type says, whatever the items are.
TEST_F(ProducerTest, ABatchOfAnySize_IsTheArrayOfItsItems) {
  const auto held = RegisterRing(1);
  post_->script = AnswerOne();
  for (const int64_t size : {1, 15, 16, 300, 70'000}) {
    post_->sent.clear();
    Make({.max_batch = 100'000, .linger = milliseconds(1)});
    ProduceAll(0, size);
    ASSERT_TRUE(Run([&] { return !outcomes_[size - 1].empty(); }, seconds(1)));
    ASSERT_EQ(post_->sent.size(), 1u);
    EXPECT_EQ(post_->sent[0].items, Range(0, size));
  }
}

}  // namespace
}  // namespace grid
