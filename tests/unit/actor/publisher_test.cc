// Publisher: who is reached, what the report says, numbers and their order, what is refused.
#include "grid/actor/publisher.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

class PublisherTest : public RecipientsTest {
 protected:
  using Published = absl::StatusOr<PublishReport>;
  using PublishedProbe = testing::Probe<Published>;

  Publisher ToTopic(const char* policy = "attempts=1", PublisherOptions options = {}) {
    return Publisher(To(Under("r/k"), Routing::All(), P(policy)), options);
  }
  Published Publish(const Publisher& publisher, int64_t value = 1) {
    PublishedProbe published("Publish");
    publisher.Publish(kNote, value, published.Handler());
    EXPECT_TRUE(Run([&] { return published.done(); }, std::chrono::hours(1)));
    return std::move(published.value());
  }
  Published Republish(const Publisher& publisher, PublishReport report, int64_t value = 1) {
    PublishedProbe published("Republish");
    publisher.Republish(kNote, value, std::move(report), published.Handler());
    EXPECT_TRUE(Run([&] { return published.done(); }, std::chrono::hours(1)));
    return std::move(published.value());
  }
  // The numbers that came to each name, in order.
  std::map<std::string, std::vector<uint64_t>> Numbers() const {
    std::map<std::string, std::vector<uint64_t>> numbers;
    for (const FakePost::Sent& sent : post_->sent) {
      numbers[sent.target.name.text()].push_back(sent.publication->sequence);
    }
    return numbers;
  }
  static std::vector<std::string> Names(const std::vector<Target>& targets) {
    std::vector<std::string> names;
    for (const Target& target : targets) names.push_back(target.name.text());
    return names;
  }
};

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

// The second waits until each subscriber has the first, also one that it is tried again with.
TEST_F(PublisherTest, Order_TheNextOneWaitsForTheOneBefore) {
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
TEST_F(PublisherTest, Order_HoldsWhateverFails) {
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

TEST_F(PublisherTest, WithMoreUnderWay_TheyMayOvertake_AndTheNumbersShowIt) {
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

TEST_F(PublisherTest, AFullQueueRejects_AndTakesNoNumber) {
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

TEST_F(PublisherTest, Cancelling_BeforeItsTurnTakesNoNumber_LaterItSaysWhoHasIt) {
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

// Subscribers have to notice what was begun and came to nobody.
TEST_F(PublisherTest, WhatFailsInItsTurnTakesANumber) {
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

TEST_F(PublisherTest, WhenTheSystemEnds_SoDoesWhatIsPublished) {
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
TEST_F(PublisherTest, AnEndlessChainNeedsNoStack) {
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
