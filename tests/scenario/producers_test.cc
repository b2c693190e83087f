// Producers on a mesh in memory: to a topic over connections that break, and to one that is slow.
#include <gtest/gtest.h>

#include <vector>

#include "tests/scenario/topics_mesh.h"

namespace grid::actors_test {
namespace {

using ProducersTest = TopicsTest;

TEST_F(ProducersTest, RowBatchingProducer_EveryItemOnce_InOrder_ThoughConnectionsBreak) {
  Make();
  const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  // All that has failed is sent again, to whom it has failed for: subscribers drop what comes twice
  // by its number.
  const auto producer = MakeProducer(Topic(0, Once(seconds(1))),
                                     {.max_batch = 50, .on_failure = [](const BatchFailure&) {
                                        return ProducerDecision::RetryAfter(milliseconds(100));
                                      }});
  constexpr int64_t kCount = 5'000;
  std::vector<absl::Status> outcomes;
  for (int64_t item = 0; item < kCount; ++item) {
    producer->Produce(item, [&](const absl::Status& status) { outcomes.push_back(status); });
    if (item % 500 == 250) cluster().Sever(0, 1 + static_cast<int>(item / 500) % 3);
    if (item % 10 == 0) cluster().RunFor(std::chrono::microseconds(300));
  }
  const ProducerRest rest = StopProducer(*producer);
  EXPECT_TRUE(rest.status.ok()) << rest.status;
  EXPECT_EQ(outcomes.size(), static_cast<size_t>(kCount));
  for (const absl::Status& outcome : outcomes) EXPECT_TRUE(outcome.ok()) << outcome;
  std::vector<int64_t> all;
  for (int64_t item = 0; item < kCount; ++item) all.push_back(item);
  for (const auto& one : heard) {
    EXPECT_EQ(one->items, all);
    EXPECT_EQ(one->check.stats().missed, 0u);
  }
  EXPECT_GT(producer->Stats().retries, 0u);
  EXPECT_LT(producer->Stats().batches, static_cast<uint64_t>(kCount) / 2);
}

TEST_F(ProducersTest, RowBatchingProducer_WaitsForWhoIsSlow_AndReportsWhatIsLeft) {
  Make();
  testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
  At(1).OpenMailbox(N("r/box/a"), {.mailbox = {.capacity = 1}}, opened.Handler());
  absl::StatusOr<Mailbox> mailbox = Await(opened);
  ASSERT_TRUE(mailbox.ok());
  CallPolicy policy = Once();
  policy.acknowledge = Acknowledgement::kDelivered;
  ProducerOptions options{.io = &cluster().io(),
                          .max_batch = 1,
                          .max_queue = 4,
                          .on_failure =
                              [](const BatchFailure& failure) {
                                // "Full": refused, and so not executed.
                                EXPECT_EQ(DeliveryOf(failure.status), Delivery::kRejected);
                                return ProducerDecision::RetryAfter(seconds(1));
                              },
                          .drain = seconds(10),
                          .clock = cluster().shared_clock(),
                          .log = NullLog()};
  auto made = Producer<int64_t>::Make(At(2).To(Only("r/box/a"), {}, policy), kItems, options);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto producer = *std::move(made);
  std::vector<absl::StatusCode> outcomes;
  for (int64_t item = 0; item < 5; ++item) {
    producer->Produce(item, [&](const absl::Status& status) { outcomes.push_back(status.code()); });
  }
  cluster().RunFor(seconds(5));
  EXPECT_EQ(outcomes, (std::vector<absl::StatusCode>{absl::StatusCode::kResourceExhausted,
                                                     absl::StatusCode::kOk}));
  testing::Probe<absl::StatusOr<Letter>> received("Receive");
  mailbox->Receive(received.Handler());
  EXPECT_EQ(*Await(received)->Read(kItems), (std::vector<int64_t>{0}));
  cluster().RunFor(seconds(2));
  EXPECT_EQ(outcomes.size(), 3u);
  const TimePoint begun = cluster().Now();
  const ProducerRest rest = StopProducer(*producer);
  EXPECT_EQ(cluster().Now() - begun, seconds(10));
  EXPECT_TRUE(absl::IsDeadlineExceeded(rest.status)) << rest.status;
  EXPECT_EQ(rest.not_executed, 2u);
  EXPECT_EQ(rest.maybe_executed, 0u);
  EXPECT_EQ(outcomes.size(), 5u);
}

}  // namespace
}  // namespace grid::actors_test
