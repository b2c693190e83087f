// Gather: deadlines, cancellation, what is refused, the system's stop.
#include <boost/asio/bind_cancellation_slot.hpp>

#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

using GatherEndTest = RecipientsTest;

TEST_F(GatherEndTest, TheDeadlineIsForAll) {
  Open({.max_fan_out = 1});
  const auto held = RegisterRing(3);
  post_->script = [](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
    if (sent.target.name.key() == "0") return Number(1);
    return std::nullopt;
  };
  const TimePoint begun = clock_->Now();
  const auto results = GatherAll(To(Under("r/k"), Routing::All(), P("deadline=2s")));
  EXPECT_EQ(clock_->Now(), begun + seconds(2));
  EXPECT_TRUE(results.status().ok()) << results.status();
  ASSERT_EQ(results.size(), 3u);
  std::vector<Delivery> classes;
  for (const auto& [target, value] : results) {
    if (value.ok()) continue;
    EXPECT_TRUE(absl::IsDeadlineExceeded(value.status())) << value.status();
    classes.push_back(DeliveryOf(value.status()));
  }
  EXPECT_EQ(classes, (std::vector<Delivery>{Delivery::kMaybeExecuted, Delivery::kNotSent}));
  EXPECT_TRUE(post_->sent[1].cancelled);
}

TEST_F(GatherEndTest, DroppingTheGatheringCancels) {
  const auto held = RegisterRing(3);
  {
    Gathering<int64_t> gathering = To(Under("r/k"), Routing::All()).Gather(kAdd, 1);
    ASSERT_TRUE(Run([&] { return post_->open() == 3; }, seconds(1)));
    post_->sent[0].complete(Number(1));
    EXPECT_EQ(counters().under_way, 1u);
  }
  EXPECT_TRUE(post_->sent[1].cancelled && post_->sent[2].cancelled);
  EXPECT_FALSE(post_->sent[0].cancelled);
  EXPECT_EQ(counters().under_way, 0u);
  EXPECT_EQ(counters().cancelled, 1u);
}

TEST_F(GatherEndTest, CancellingNextLosesNoResult_CancellingGatherAllEndsIt) {
  const auto held = RegisterRing(2);
  asio::cancellation_signal signal;
  {
    Gathering<int64_t> gathering = To(Under("r/k"), Routing::All()).Gather(kAdd, 1);
    testing::Probe<absl::StatusOr<std::optional<TargetResult<int64_t>>>> next("Next");
    gathering.Next(asio::bind_cancellation_slot(signal.slot(), next.Handler()));
    ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
    signal.emit(asio::cancellation_type::partial);
    testing::Drain(io_);
    ASSERT_TRUE(next.done());
    EXPECT_TRUE(absl::IsCancelled(next.value().status()));
    for (auto& sent : post_->sent) sent.complete(Number(1));
    EXPECT_TRUE(Next(gathering)->has_value());
    EXPECT_TRUE(Next(gathering)->has_value());
    EXPECT_FALSE(Next(gathering)->has_value());
  }
  testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
  To(Under("r/k"), Routing::All())
      .GatherAll(kAdd, 1, asio::bind_cancellation_slot(signal.slot(), gathered.Handler()));
  ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
  post_->sent[2].complete(Number(1));
  signal.emit(asio::cancellation_type::terminal);
  testing::Drain(io_);
  ASSERT_TRUE(gathered.done());
  EXPECT_TRUE(absl::IsCancelled(gathered.value().status()));
  EXPECT_EQ(gathered.value().succeeded().size(), 1u);
  EXPECT_EQ(gathered.value().failed().size(), 1u);
  EXPECT_TRUE(post_->sent[3].cancelled);
}

TEST_F(GatherEndTest, BeyondMaxTargetsNobodyIsAsked) {
  Open({.max_targets = 2});
  const auto held = RegisterRing(3);
  const auto results = GatherAll(To(Under("r/k"), Routing::All()));
  EXPECT_TRUE(absl::IsResourceExhausted(results.status())) << results.status();
  EXPECT_EQ(DeliveryOf(results.status()), Delivery::kNotSent);
  EXPECT_NE(results.status().message().find("max_targets is 2"), absl::string_view::npos);
  EXPECT_EQ(counters().target_limit, 1u);
  EXPECT_TRUE(absl::IsResourceExhausted(Send(To(Under("r/k"), Routing::All()))));
  EXPECT_TRUE(post_->sent.empty());
  EXPECT_EQ(counters().under_way, 0u);
}

TEST_F(GatherEndTest, WhatDoesNotFitIsRefused) {
  for (const Recipients& to : {To(Under("r/k")), To(Under("r/k"), Routing::First(0)),
                               To(Under("r/k"), Routing::All(), P("ack=accepted"))}) {
    testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
    to.GatherAll(kAdd, 1, gathered.Handler());
    EXPECT_TRUE(absl::IsInvalidArgument(gathered.value().status())) << gathered.value().status();
    EXPECT_EQ(DeliveryOf(gathered.value().status()), Delivery::kNotSent);
    Gathering<int64_t> gathering = to.Gather(kAdd, 1);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(absl::IsInvalidArgument(Next(gathering).status()));
  }
}

TEST_F(GatherEndTest, TheSystemStops) {
  const auto held = RegisterRing(2);
  Gathering<int64_t> gathering = To(Under("r/k"), Routing::All()).Gather(kAdd, 1);
  ASSERT_TRUE(Run([&] { return post_->open() == 2; }, seconds(1)));
  env_->Close();
  for (int i = 0; i < 2; ++i) {
    const auto next = Next(gathering);
    ASSERT_TRUE(next.ok() && next->has_value());
    EXPECT_TRUE(absl::IsCancelled((*next)->value.status()));
    EXPECT_EQ(DeliveryOf((*next)->value.status()), Delivery::kMaybeExecuted);
  }
  EXPECT_TRUE(absl::IsCancelled(Next(gathering).status()));
  const auto later = GatherAll(To(Under("r/k"), Routing::All()));
  EXPECT_TRUE(absl::IsFailedPrecondition(later.status())) << later.status();
}

}  // namespace
}  // namespace grid
