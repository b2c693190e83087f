// Publisher: whose turn it is: the order of what is published, the numbers, what waits and for how
// long.
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/actor/publisher_fixture.h"

namespace grid {
namespace {

using PublisherOrderTest = PublisherTest;

// The second waits until each subscriber has the first, also one that it is tried again with.
TEST_F(PublisherOrderTest, Order_TheNextOneWaitsForTheOneBefore) {
  const auto held = RegisterRing(2);
  const Publisher publisher = ToTopic("attempts=5 backoff=50ms*1..50ms jitter=0%");
  int refusals = 2;
  post_->script = [&](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.target.name.key() == "1" && refusals-- > 0) {
      return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted, "full");
    }
    return Number(1);
  };
  PublishedProbe first("first"), second("second");
  publisher.Publish(kNote, 1, first.Handler());
  publisher.Publish(kNote, 2, second.Handler());
  EXPECT_EQ(publisher.Stats().waiting, 1u);
  EXPECT_EQ(publisher.Stats().under_way, 1u);
  ASSERT_TRUE(Run([&] { return second.done(); }, seconds(10)));
  ASSERT_TRUE(first.done() && first.value().ok() && second.value().ok());
  EXPECT_EQ(Numbers(), (std::map<std::string, std::vector<uint64_t>>{{"r/k/0", {1, 2}},
                                                                     {"r/k/1", {1, 1, 1, 2}}}));
}

// Seeds: whatever fails and is tried again, no subscriber sees a lower number after a higher one.
TEST_F(PublisherOrderTest, Order_HoldsWhateverFails) {
  const auto held = RegisterRing(4);
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    post_->sent.clear();
    post_->script = [&](const FakePost::Sent&) -> std::optional<LetterOutcome> {
      switch (random() % 5) {
        case 0:
          return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted);
        case 1:
          return Failure(Delivery::kExecuted, absl::StatusCode::kInternal);
        case 2:
          return std::nullopt;
        default:
          return Number(1);
      }
    };
    const Publisher publisher = ToTopic("deadline=3s attempts=4");
    std::vector<std::unique_ptr<PublishedProbe>> reports;
    for (int i = 0; i < 20; ++i) {
      reports.push_back(std::make_unique<PublishedProbe>("Publish"));
      publisher.Publish(kNote, i, reports.back()->Handler());
      for (size_t at = 0; at < post_->sent.size(); ++at) {
        if (post_->sent[at].open && random() % 3 == 0) post_->sent[at].complete(Number(1));
      }
      RunFor(milliseconds(random() % 100));
    }
    for (const auto& report : reports) {
      ASSERT_TRUE(Run([&] { return report->done(); }, std::chrono::hours(1)));
      EXPECT_TRUE(report->value().ok()) << report->value().status();
      EXPECT_EQ(report->value()->meant(), 4u);
    }
    for (const auto& [name, numbers] : Numbers()) {
      EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end())) << name;
      EXPECT_EQ(numbers.back(), 20u);
    }
  }
}

TEST_F(PublisherOrderTest, WithMoreUnderWay_TheyMayOvertake_AndTheNumbersShowIt) {
  const auto held = RegisterRing(1);
  const Publisher publisher = ToTopic("attempts=1", {.max_under_way = 2});
  PublishedProbe reports[3];
  for (PublishedProbe& report : reports) publisher.Publish(kNote, 1, report.Handler());
  ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
  post_->sent[1].complete(Number(1));
  ASSERT_TRUE(Run([&] { return post_->sent.size() == 3; }, seconds(1)));
  EXPECT_TRUE(reports[1].done() && !reports[0].done());
  post_->sent[2].complete(Number(1));
  post_->sent[0].complete(Number(1));
  ASSERT_TRUE(Run([&] { return reports[0].done() && reports[2].done(); }, seconds(1)));
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(reports[i].value()->publication.sequence, i + 1);
  }
}

TEST_F(PublisherOrderTest, AFullQueueRejects_AndTakesNoNumber) {
  const auto held = RegisterRing(1);
  for (const PublisherOptions& options :
       {PublisherOptions{.max_queue = 1}, PublisherOptions{.max_queue_bytes = 1}}) {
    post_->sent.clear();
    const Publisher publisher = ToTopic("attempts=1", options);
    PublishedProbe first("first"), second("second"), third("third");
    publisher.Publish(kNote, 1, first.Handler());
    publisher.Publish(kNote, 2, second.Handler());
    publisher.Publish(kNote, 3, third.Handler());
    testing::Drain(io_);
    ASSERT_TRUE(third.done());
    EXPECT_EQ(third.value().status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(DeliveryOf(third.value().status()), Delivery::kRejected);
    EXPECT_EQ(publisher.Stats().queue_limit, 1u);
    post_->script = AnswerOne();
    for (FakePost::Sent& sent : post_->sent) sent.complete(Number(1));
    ASSERT_TRUE(Run([&] { return second.done(); }, seconds(1)));
    EXPECT_EQ(Publish(publisher)->publication.sequence, 3u);
    post_->script = [](const FakePost::Sent&) { return std::nullopt; };
  }
}

TEST_F(PublisherOrderTest, Cancelling_BeforeItsTurnTakesNoNumber_LaterItSaysWhoHasIt) {
  const auto held = RegisterRing(2);
  const Publisher publisher = ToTopic();
  asio::cancellation_signal first_signal, second_signal;
  PublishedProbe first("first"), second("second"), third("third");
  publisher.Publish(kNote, 1, asio::bind_cancellation_slot(first_signal.slot(), first.Handler()));
  publisher.Publish(kNote, 2, asio::bind_cancellation_slot(second_signal.slot(), second.Handler()));
  publisher.Publish(kNote, 3, third.Handler());
  ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
  second_signal.emit(asio::cancellation_type::partial);
  testing::Drain(io_);
  EXPECT_FALSE(second.done());
  second_signal.emit(asio::cancellation_type::terminal);
  testing::Drain(io_);
  ASSERT_TRUE(second.done());
  EXPECT_TRUE(absl::IsCancelled(second.value().status()));
  EXPECT_EQ(DeliveryOf(second.value().status()), Delivery::kNotSent);
  post_->sent[0].complete(Number(1));
  first_signal.emit(asio::cancellation_type::terminal);
  testing::Drain(io_);
  ASSERT_TRUE(first.done());
  ASSERT_TRUE(first.value().ok()) << first.value().status();
  EXPECT_EQ(first.value()->reached.size(), 1u);
  ASSERT_EQ(first.value()->failed.size(), 1u);
  EXPECT_TRUE(absl::IsCancelled(first.value()->failed[0].status));
  EXPECT_EQ(DeliveryOf(first.value()->failed[0].status), Delivery::kMaybeExecuted);
  ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
  for (FakePost::Sent& sent : post_->sent) sent.complete(Number(1));
  ASSERT_TRUE(Run([&] { return third.done(); }, seconds(1)));
  EXPECT_EQ(third.value()->publication.sequence, 2u);
  EXPECT_EQ(publisher.Stats().cancelled, 2u);
}

// Subscribers have to notice what was begun and came to nobody.
TEST_F(PublisherOrderTest, WhatFailsInItsTurnTakesANumber) {
  Open({.max_targets = 1});
  auto held = RegisterRing(2);
  post_->script = AnswerOne();
  const Publisher publisher = ToTopic();
  const Published refused = Publish(publisher);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DeliveryOf(refused.status()), Delivery::kNotSent);
  EXPECT_EQ(publisher.Stats().not_published, 1u);
  held.pop_back();
  RunFor(milliseconds(10));
  EXPECT_EQ(Publish(publisher)->publication.sequence, 2u);
}

TEST_F(PublisherOrderTest, WhenTheSystemEnds_SoDoesWhatIsPublished) {
  const auto held = RegisterRing(1);
  const Publisher publisher = ToTopic();
  PublishedProbe first("first"), second("second");
  publisher.Publish(kNote, 1, first.Handler());
  publisher.Publish(kNote, 2, second.Handler());
  ASSERT_TRUE(Run([&] { return post_->open() == 1; }, seconds(1)));
  env_->Close();
  testing::Drain(io_);
  ASSERT_TRUE(first.done() && second.done());
  EXPECT_TRUE(absl::IsCancelled(first.value()->failed[0].status));
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Publish(publisher).status().code(), absl::StatusCode::kFailedPrecondition);
}

// One publication after the other, each begun where the last one is done: no stack is deep enough
// for that, unless it is unwound in between.
TEST_F(PublisherOrderTest, AnEndlessChainNeedsNoStack) {
  const auto held = RegisterRing(1);
  post_->script = AnswerOne();
  const Publisher publisher = ToTopic();
  ASSERT_TRUE(Publish(publisher).ok());
  ASSERT_TRUE(Publish(publisher).ok());
  int left = 20'000;
  std::function<void(Published)> next = [&](const Published& report) {
    ASSERT_TRUE(report.ok());
    if (--left > 0) publisher.Publish(kNote, left, next);
  };
  publisher.Publish(kNote, left, next);
  ASSERT_TRUE(Run([&] { return left == 0; }, seconds(10)));
}

}  // namespace
}  // namespace grid
