// Producer: how it ends, by itself, by Stop and by what it stands on; and whatever fails at random.
#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/actor/producer_fixture.h"

namespace grid {
namespace {

using ProducerEndTest = ProducerTest;

TEST_F(ProducerEndTest, Stop_SendsWhatIsThere_WithoutLingering) {
  const auto held = RegisterRing(1);
  post_->script = AnswerOne();
  Make({.max_batch = 2, .linger = seconds(30)});
  ProduceAll(0, 5);
  const TimePoint begun = clock_->Now();
  const ProducerRest rest = Stop();
  EXPECT_EQ(clock_->Now(), begun);
  EXPECT_TRUE(rest.status.ok());
  EXPECT_EQ(rest.items(), 0u);
  EXPECT_EQ(Sent(), (Batches{{0, 1}, {2, 3}, {4}}));
  for (int64_t i = 0; i < 5; ++i) EXPECT_TRUE(Outcome(i).ok());
  Produce(5);
  RunFor(milliseconds(1));
  EXPECT_EQ(Outcome(5).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DeliveryOf(Outcome(5)), Delivery::kNotSent);
  EXPECT_TRUE(Stop().status.ok());  // again
  EXPECT_EQ(producer_->Stats().refused, 1u);
}

TEST_F(ProducerEndTest, Stop_HasALimit_AndReportsWhatWasLeft) {
  const auto held = RegisterRing(1);
  Make({.max_batch = 2, .drain = seconds(3)}, P("deadline=60s attempts=1"));
  ProduceAll(0, 5);
  const TimePoint begun = clock_->Now();
  testing::Probe<ProducerRest> also("Stop");
  producer_->Stop(also.Handler());
  const ProducerRest rest = Stop();
  EXPECT_EQ(clock_->Now(), begun + seconds(3));
  EXPECT_TRUE(absl::IsDeadlineExceeded(rest.status)) << rest.status;
  EXPECT_EQ(rest.maybe_executed, 2u);
  EXPECT_EQ(rest.not_executed, 3u);
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(Outcome(i)));
    EXPECT_EQ(DeliveryOf(Outcome(i)), i < 2 ? Delivery::kMaybeExecuted : Delivery::kNotSent);
  }
  testing::Drain(io_);
  EXPECT_TRUE(also.done());
  EXPECT_TRUE(post_->sent[0].cancelled);
  EXPECT_EQ(counters().under_way, 0u);
}

// In a pause nothing is under way: what is left may only be what its attempts have been.
TEST_F(ProducerEndTest, Stop_InAPause_KnowsHowFarTheBatchCame) {
  const auto held = RegisterRing(1);
  Make({.on_failure = [](const BatchFailure&) { return Decision::RetryAfter(seconds(60)); },
        .drain = seconds(3)});
  post_->script = Always(Failure(Delivery::kRejected, absl::StatusCode::kUnavailable));
  Produce(0);
  const ProducerRest rest = Stop();
  EXPECT_EQ(rest.not_executed, 1u);
  EXPECT_EQ(rest.maybe_executed, 0u);
  EXPECT_EQ(DeliveryOf(Outcome(0)), Delivery::kRejected);
}

TEST_F(ProducerEndTest, TheDestructorGivesUpWhatIsThere) {
  const auto held = RegisterRing(1);
  Make({.max_batch = 1});
  ProduceAll(0, 2);
  ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
  producer_.reset();
  testing::Drain(io_);
  EXPECT_TRUE(absl::IsCancelled(Outcome(0)));
  EXPECT_EQ(DeliveryOf(Outcome(0)), Delivery::kMaybeExecuted);
  EXPECT_EQ(DeliveryOf(Outcome(1)), Delivery::kNotSent);
  EXPECT_TRUE(post_->sent[0].cancelled);
}

// Whoever is told may let go of the producer at once.
TEST_F(ProducerEndTest, MayGoInsideWhatItCompletes) {
  const auto held = RegisterRing(1);
  post_->script = AnswerOne();
  Make();
  bool gone = false;
  producer_->Produce(1, [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok());
    producer_.reset();
    gone = true;
  });
  ASSERT_TRUE(Run([&] { return gone; }, seconds(1)));
  post_->script = [](const FakePost::Sent&) { return std::nullopt; };
  Make({.drain = seconds(1)});
  Produce(1);
  gone = false;
  producer_->Stop([&](const ProducerRest& rest) {
    EXPECT_EQ(rest.items(), 1u);
    producer_.reset();
    gone = true;
  });
  ASSERT_TRUE(Run([&] { return gone; }, seconds(5)));
}

TEST_F(ProducerEndTest, MayOutliveTheSystem) {
  const auto held = RegisterRing(1);
  Make();
  Produce(0);
  ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
  env_->Close();
  ASSERT_TRUE(Run([&] { return !outcomes_[0].empty(); }, seconds(1)));
  EXPECT_TRUE(absl::IsCancelled(Outcome(0))) << Outcome(0);
  Produce(1);
  RunFor(milliseconds(1));
  EXPECT_EQ(Outcome(1).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ProducerEndTest, ToATopic_StoppingCancelsWhatIsUnderWay) {
  const auto held = RegisterRing(1);
  MakeTo(Publisher(To(Under("r/k"), Routing::All())), {.drain = seconds(1)});
  Produce(0);
  EXPECT_EQ(Stop().maybe_executed, 1u);
  testing::Drain(io_);
  EXPECT_TRUE(post_->sent[0].cancelled);
}

// Seeds: whatever fails and is decided, each item has one outcome; what succeeded was sent, in
// order, and nothing that may have run is sent again unless it was decided so.
TEST_F(ProducerEndTest, RandomFailuresAndDecisions) {
  const auto held = RegisterRing(1);
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    post_->sent.clear();
    size_t retries = 0;
    size_t max_queue = 1 + random() % 60;
    Make({.max_batch = 1 + random() % 7,
          .linger = milliseconds(random() % 2 * 5),
          .max_queue = max_queue,
          .on_failure =
              [&](const BatchFailure&) {
                const uint64_t dice = random() % 40;
                if (dice == 0) return Decision::FailAndStop();
                if (dice < 10) return Decision::FailAndContinue();
                ++retries;
                return dice < 20 ? Decision::RetryNow()
                                 : Decision::RetryAfter(milliseconds(random() % 50));
              },
          .drain = seconds(1)});
    post_->script = [&](const FakePost::Sent&) -> std::optional<LetterOutcome> {
      const uint64_t dice = random() % 8;
      if (dice == 0) return std::nullopt;
      if (dice < 5) return Number(1);
      return Failure(static_cast<Delivery>(random() % 4), absl::StatusCode::kUnavailable);
    };
    for (int64_t value = 0; value < 100; ++value) {
      Produce(value);
      if (random() % 4 == 0) RunFor(milliseconds(random() % 10));
    }
    const ProducerRest rest = Stop();
    testing::Drain(io_);
    const ProducerStats stats = producer_->Stats();
    EXPECT_EQ(stats.waiting + stats.waiting_bytes + stats.under_way, 0u);
    EXPECT_EQ(stats.produced, stats.sent + stats.failed);
    EXPECT_EQ(stats.produced + stats.queue_limit + stats.refused, 100u);
    EXPECT_LE(stats.retries, retries);
    EXPECT_EQ(rest.items() > 0, !rest.status.ok());
    std::vector<int64_t> in_order;
    size_t repeated = 0;
    for (const std::vector<int64_t>& batch : Sent()) {
      if (!in_order.empty() && batch[0] <= in_order.back()) {
        ++repeated;
        continue;
      }
      in_order.insert(in_order.end(), batch.begin(), batch.end());
    }
    EXPECT_TRUE(std::is_sorted(in_order.begin(), in_order.end()));
    EXPECT_EQ(repeated, stats.retries);
    for (int64_t value = 0; value < 100; ++value) {
      const absl::Status outcome = Outcome(value);
      const bool sent = std::binary_search(in_order.begin(), in_order.end(), value);
      EXPECT_TRUE(sent || !outcome.ok());
      if (!sent) {
        EXPECT_TRUE(IsSafeToRetry(outcome)) << value << " " << outcome;
      }
    }
  }
}

}  // namespace
}  // namespace grid
