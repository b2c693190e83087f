// Publisher: who is reached, what the report says, what is published again, what is refused.
#include "grid/actor/publisher.h"

#include <string>
#include <vector>

#include "tests/unit/actor/publisher_fixture.h"

namespace grid {
namespace {

TEST_F(PublisherTest, EverySubscriberIsReached_WithTheNumber_AndTheReportSaysWho) {
  const auto held = RegisterRing(3);
  post_->script = AnswerOne();
  const Publisher publisher = ToTopic("ack=delivered");
  for (uint64_t number = 1; number <= 3; ++number) {
    post_->sent.clear();
    const Published report = Publish(publisher, 40);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->publication.sequence, number);
    EXPECT_EQ(report->meant(), 3u);
    EXPECT_EQ(Names(report->reached), (std::vector<std::string>{"r/k/0", "r/k/1", "r/k/2"}));
    EXPECT_TRUE(report->failed.empty());
    EXPECT_TRUE(report->status().ok());
    ASSERT_EQ(post_->sent.size(), 3u);
    for (const FakePost::Sent& sent : post_->sent) {
      EXPECT_EQ(sent.publication, report->publication);
      EXPECT_EQ(sent.acknowledge, Acknowledgement::kDelivered);
      EXPECT_EQ(sent.body, 40);
    }
  }
  EXPECT_EQ(publisher.Stats().published, 3u);
  EXPECT_EQ(publisher.Stats().reached, 9u);
}

TEST_F(PublisherTest, TheReportSaysWhoHasFailed_Why_AndHowFarItCame) {
  const auto held = RegisterRing(3);
  post_->script = [](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.target.name.key() == "0") return Number(1);
    if (sent.target.name.key() == "1") {
      return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted, "full");
    }
    return Failure(Delivery::kExecuted, absl::StatusCode::kInvalidArgument, "no");
  };
  const Publisher publisher = ToTopic();
  const Published report = Publish(publisher);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Names(report->reached), (std::vector<std::string>{"r/k/0"}));
  ASSERT_EQ(report->failed.size(), 2u);
  EXPECT_EQ(report->failed[0].target.name, N("r/k/1"));
  EXPECT_EQ(DeliveryOf(report->failed[0].status), Delivery::kRejected);
  EXPECT_EQ(DeliveryOf(report->failed[1].status), Delivery::kExecuted);
  EXPECT_EQ(report->status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DeliveryOf(report->status()), Delivery::kExecuted);
  EXPECT_NE(std::string(report->status().message()).find("2 of 3 subscribers"), std::string::npos)
      << report->status();
  EXPECT_EQ(publisher.Stats().failed, 2u);
}

TEST_F(PublisherTest, NobodySubscribes_IsNoError) {
  const Published report = Publish(ToTopic());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->meant(), 0u);
  EXPECT_TRUE(report->status().ok());
}

TEST_F(PublisherTest, Republish_GoesToThoseThatHaveFailed_UnderTheSameNumber) {
  auto held = RegisterRing(3);
  const Publisher publisher = ToTopic();
  post_->script = [](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.target.name.key() == "0") return Number(1);
    return Unreachable();
  };
  Published report = Publish(publisher, 5);
  ASSERT_EQ(report->failed.size(), 2u);
  post_->script = AnswerOne();
  // One of them has left, and another one has come since.
  held[2] = Registration();
  const Registration late = Register("m9", "r/k/9");
  EXPECT_EQ(Publish(publisher)->publication.sequence, 2u);
  post_->sent.clear();
  report = Republish(publisher, *report, 5);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(post_->Names(), (std::vector<std::string>{"r/k/1"}));
  EXPECT_EQ(post_->sent[0].publication->sequence, 1u);
  EXPECT_EQ(Names(report->reached), (std::vector<std::string>{"r/k/0", "r/k/1"}));
  EXPECT_TRUE(report->failed.empty());
  EXPECT_EQ(publisher.Stats().republished, 1u);
  // Who was made anew does not know what its number stands for.
  EXPECT_EQ(Republish(ToTopic(), *report).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PublisherTest, ItsIdIsNewEachTime_UnlessItIsGiven) {
  const auto held = RegisterRing(1);
  post_->script = AnswerOne();
  std::vector<Publication> random, given;
  for (int i = 0; i < 2; ++i) {
    random.push_back(Publish(ToTopic())->publication);
    given.push_back(Publish(ToTopic("attempts=1", {.id = 7}))->publication);
  }
  EXPECT_NE(random[0].publisher, random[1].publisher);
  EXPECT_EQ(given[0].publisher, 7u);
  EXPECT_EQ(given[1].publisher, 7u);
  EXPECT_NE(given[0].incarnation, given[1].incarnation);
}

TEST_F(PublisherTest, WhatDoesNotFitIsRefused) {
  const auto held = RegisterRing(1);
  const auto refused = [&](const Publisher& publisher) {
    const absl::Status status = Publish(publisher).status();
    EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent) << status;
    return status.code();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(refused(Publisher(To(Under("r/k"), Routing::Random()))), invalid);
  EXPECT_EQ(refused(Publisher(To(Under("r/k"), Routing::First(1)))), invalid);
  EXPECT_EQ(refused(ToTopic("attempts=1", {.max_under_way = 0})), invalid);
  EXPECT_EQ(refused(ToTopic("attempts=1", {.max_under_way = 1001})), invalid);
  EXPECT_EQ(refused(ToTopic("attempts=1", {.max_queue = 1'000'001})), invalid);
  EXPECT_EQ(refused(ToTopic("attempts=1", {.max_queue_bytes = 0})), invalid);
  CallPolicy policy;
  policy.attempts = 0;
  EXPECT_EQ(refused(Publisher(To(Under("r/k"), Routing::All(), policy))), invalid);
  EXPECT_EQ(refused(Publisher(Recipients(nullptr))), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(post_->sent.empty());
}

TEST_F(PublisherTest, OneOfEachGroup_SharesWhatIsPublished) {
  const Registration a = Register("m0", "r/k/audit/0"), b = Register("m1", "r/k/audit/1");
  const Registration c = Register("m2", "r/k/bill/0");
  post_->script = AnswerOne();
  const Publisher publisher(To(Under("r/k"), Routing::OnePerNextSegment()));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Publish(publisher)->meant(), 2u);
  EXPECT_EQ(Numbers()["r/k/bill/0"], (std::vector<uint64_t>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace grid
