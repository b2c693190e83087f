// Topics on a mesh in memory: subscribers on several members, connections that break, members that
// die, publishers that are made anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenario/topics_mesh.h"

namespace grid::actors_test {
namespace {

TEST_F(TopicsTest, RowTopicSubscriber_EachHearsEverything_Numbered_WhoeverPublishes) {
  Make();
  std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  // Two that share one name, one of them beside another one.
  for (const int node : {1, 2}) {
    heard.push_back(std::make_shared<Heard>());
    ASSERT_TRUE(Subscribe(node, "r/topic/both", heard.back()).ok());
  }
  for (const int from : {0, 1}) {
    const Publisher publisher = Topic(from);
    for (int i = 0; i < 5; ++i) {
      const absl::StatusOr<PublishReport> report =
          Publish(publisher, std::to_string(from) + "/" + std::to_string(i));
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->reached.size(), 5u) << report->status();
    }
  }
  for (const auto& one : heard) {
    EXPECT_EQ(one->texts.size(), 10u);
    EXPECT_EQ(one->numbers(), (std::vector<uint64_t>{1, 2, 3, 4, 5, 1, 2, 3, 4, 5}));
    EXPECT_EQ(one->check.stats().publishers, 2u);
    EXPECT_EQ(one->check.stats().missed, 0u);
  }
}

// Nothing but registrations makes up a topic: it is there as long as anybody is.
TEST_F(TopicsTest, RowTopicSubscriber_NobodyIsNeeded_ForTheOthersToHear) {
  Make();
  const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  const Publisher publisher = Topic(0);
  ASSERT_EQ(Publish(publisher, "a")->meant(), 3u);
  Kill(1);
  cluster().RunFor(seconds(20));
  const absl::StatusOr<PublishReport> report = Publish(publisher, "b");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->reached.size(), 2u);
  EXPECT_EQ(report->failed.size(), 0u);
  EXPECT_EQ(heard[1]->texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(heard[2]->check.stats().missed, 0u);
}

TEST_F(TopicsTest, RowTopicSubscriber_AMailboxSubscribes_AndALostLeaseComesBack) {
  Make();
  testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
  At(1).OpenMailbox(N("r/topic/box"), {.holding = Holding::kShared}, opened.Handler());
  absl::StatusOr<Mailbox> mailbox = Await(opened);
  ASSERT_TRUE(mailbox.ok()) << mailbox.status();
  CallPolicy policy = Once();
  policy.acknowledge = Acknowledgement::kDelivered;
  const Publisher publisher = Topic(2, policy);
  cluster().Partition(0, 1);
  cluster().RunFor(seconds(20));
  EXPECT_FALSE(mailbox->lease().valid());
  cluster().Heal(0, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return At(1).Stats().reclaimed == 1; }, seconds(60)));
  EXPECT_EQ(Publish(publisher, "back")->reached.size(), 1u);
  testing::Probe<absl::StatusOr<Letter>> received("Receive");
  mailbox->Receive(received.Handler());
  const absl::StatusOr<Letter> letter = Await(received);
  ASSERT_TRUE(letter.ok()) << letter.status();
  EXPECT_EQ(letter->Read(kDrop)->text, "back");
  ASSERT_TRUE(letter->sender->publication.has_value());
  EXPECT_EQ(letter->sender->publication->sequence, 1u);
}

TEST_F(TopicsTest, Rule10_TheReportSaysWhoWasReached_WhoWasNot_AndWhy) {
  Make();
  const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  const Publisher publisher = Topic(0, Once(seconds(2)));
  ASSERT_EQ(Publish(publisher, "a")->reached.size(), 3u);
  cluster().Partition(0, 2);
  cluster().Sever(0, 2);
  const absl::StatusOr<PublishReport> report = Publish(publisher, "b");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->meant(), 3u);
  EXPECT_EQ(report->reached.size(), 2u);
  ASSERT_EQ(report->failed.size(), 1u);
  EXPECT_EQ(report->failed[0].target.name, N("r/topic/2"));
  EXPECT_EQ(report->failed[0].target.member, cluster().name(2));
  EXPECT_FALSE(report->failed[0].status.ok());
  EXPECT_NE(DeliveryOf(report->failed[0].status), Delivery::kExecuted);
  EXPECT_EQ(report->status().code(), report->failed[0].status.code());
  // Who was not reached notices by the next one; nobody else does.
  cluster().Heal(0, 2);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 2, seconds(60)));
  ASSERT_TRUE(cluster().RunUntil(
      [&] {
        const auto again = Publish(publisher, "c");
        return again.ok() && again->reached.size() == 3;
      },
      seconds(60)));
  ASSERT_GE(heard[1]->verdicts.size(), 2u);
  EXPECT_EQ(heard[1]->verdicts[1].verdict, Verdict::kGap);
  EXPECT_GE(heard[1]->verdicts[1].missed, 1u);
  EXPECT_EQ(heard[0]->check.stats().missed, 0u);
  EXPECT_EQ(heard[2]->check.stats().missed, 0u);
}

TEST_F(TopicsTest, Rule10_WhatWasMissedCanBeSentAgain_UnderItsNumber) {
  Make();
  const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  const Publisher publisher = Topic(0, Once(seconds(2)));
  ASSERT_EQ(Publish(publisher, "a")->reached.size(), 3u);
  cluster().Partition(0, 2);
  absl::StatusOr<PublishReport> report = Publish(publisher, "b");
  ASSERT_TRUE(report.ok() && report->failed.size() == 1);
  cluster().Heal(0, 2);
  ASSERT_TRUE(cluster().RunUntilConnected(0, 2, seconds(60)));
  for (int i = 0; i < 10 && !report->failed.empty(); ++i) {
    testing::Probe<absl::StatusOr<PublishReport>> again("Republish");
    publisher.Republish(kDrop, Text{.text = "b"}, *report, again.Handler());
    report = Await(again);
    ASSERT_TRUE(report.ok()) << report.status();
    cluster().RunFor(seconds(1));
  }
  EXPECT_EQ(report->reached.size(), 3u);
  for (const auto& one : heard) EXPECT_EQ(one->texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(heard[0]->numbers(), (std::vector<uint64_t>{1, 2}));
  // The first one was only late, so it has come twice.
  EXPECT_EQ(heard[1]->numbers(), (std::vector<uint64_t>{1, 2, 2}));
  EXPECT_EQ(heard[1]->check.stats().duplicates, 1u);
}

TEST_F(TopicsTest, Rule10_TheAcknowledgementLevelIsWhatCounts) {
  Make();
  // Nobody reads it, and there is room for one.
  testing::Probe<absl::StatusOr<Mailbox>> opened("OpenMailbox");
  At(1).OpenMailbox(N("r/topic/box"), {.mailbox = {.capacity = 1}, .holding = Holding::kShared},
                    opened.Handler());
  absl::StatusOr<Mailbox> mailbox = Await(opened);
  ASSERT_TRUE(mailbox.ok());
  for (const int from : {1, 2}) {
    const auto publish = [&](Acknowledgement level) {
      CallPolicy policy = Once(seconds(1));
      policy.acknowledge = level;
      return *Publish(Topic(from, policy), "x");
    };
    EXPECT_EQ(publish(Acknowledgement::kDelivered).reached.size(), from == 1 ? 1u : 0u);
    const PublishReport full = publish(Acknowledgement::kDelivered);
    ASSERT_EQ(full.failed.size(), 1u);
    EXPECT_EQ(full.failed[0].status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(DeliveryOf(full.failed[0].status), Delivery::kRejected);
    EXPECT_EQ(publish(Acknowledgement::kAccepted).reached.size(), 1u);
  }
  mailbox->Close();
}

TEST_F(TopicsTest, Rule10_ARestartOfThePublisherIsNoticed) {
  Make();
  const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  for (int round = 0; round < 2; ++round) {
    const Publisher publisher = Topic(0, Once(), {.id = 4711});
    ASSERT_EQ(Publish(publisher, "a")->reached.size(), 3u);
    ASSERT_EQ(Publish(publisher, "b")->reached.size(), 3u);
  }
  for (const auto& one : heard) {
    EXPECT_EQ(one->texts.size(), 4u);
    EXPECT_EQ(one->publications[0].publisher, 4711u);
    EXPECT_EQ(one->verdicts[2].verdict, Verdict::kRestart);
    EXPECT_EQ(one->check.stats().missed, 0u);
  }
}

// What is published at the same time, over connections that break: some is missed, nothing comes
// in a wrong order, and the numbers say so.
TEST_F(TopicsTest, RowTopicSubscriber_OrderHolds_ThoughConnectionsBreak) {
  for (const Acknowledgement level :
       {Acknowledgement::kAccepted, Acknowledgement::kDelivered, Acknowledgement::kProcessed}) {
    SCOPED_TRACE(AcknowledgementName(level));
    Make({.nodes = 4, .seed = 3 + static_cast<uint64_t>(level)});
    const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
    CallPolicy policy;
    policy.acknowledge = level;
    policy.deadline = seconds(5);
    const Publisher publisher = Topic(1, policy);
    std::vector<std::unique_ptr<testing::Probe<absl::StatusOr<PublishReport>>>> reports;
    for (int i = 0; i < 200; ++i) {
      reports.push_back(std::make_unique<testing::Probe<absl::StatusOr<PublishReport>>>("Publish"));
      publisher.Publish(kDrop, Text{.text = std::to_string(i)}, reports.back()->Handler());
      if (i % 20 == 10) cluster().Sever(1, i % 40 == 10 ? 2 : 3);
      cluster().RunFor(std::chrono::microseconds(700));
    }
    uint64_t reached = 0;
    for (const auto& report : reports) {
      const absl::StatusOr<PublishReport> value = Await(*report);
      ASSERT_TRUE(value.ok()) << value.status();
      EXPECT_EQ(value->meant(), 3u);
      reached += value->reached.size();
    }
    EXPECT_GT(At(1).Stats().retries, 0u);
    uint64_t came = 0;
    for (const auto& one : heard) {
      const std::vector<uint64_t> numbers = one->numbers();
      EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
      EXPECT_EQ(one->check.stats().late + one->check.stats().duplicates, 0u);
      EXPECT_EQ(one->check.stats().missed + numbers.size(), numbers.back() - numbers.front() + 1);
      came += numbers.size();
    }
    EXPECT_EQ(heard[0]->texts.size(), 200u);
    // Of what may have been executed the publisher does not know; all else it does.
    EXPECT_GE(came, reached);
    TearDown();
    cluster_.reset();
    nodes_.clear();
  }
}

TEST_F(TopicsTest, NumbersTravelWithEveryExtensionOff) {
  testing::ClusterOptions options;
  options.nodes = 4;
  options.adjust = [](int, ManagerOptions& manager) {
    manager.extensions.credits = manager.extensions.status = manager.extensions.meta = false;
    manager.extensions.handlers16 = manager.extensions.goaway = false;
  };
  Make(std::move(options));
  const std::vector<std::shared_ptr<Heard>> heard = SubscribeAll();
  const Publisher publisher = Topic(0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Publish(publisher, "x")->reached.size(), 3u);
  for (const auto& one : heard) EXPECT_EQ(one->numbers(), (std::vector<uint64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace grid::actors_test
