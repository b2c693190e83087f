#include "grid/actor/kind_starter.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/unit/actor/kind_world.h"

namespace grid {
namespace {

class KindStarterTest : public KindWorld {
 protected:
  // Processes a, b and c with the kind shop/cart.
  void MakeThree(Kind kind = MakeKind("shop/cart")) {
    for (const char* name : {"a", "b", "c"}) Start(name, {kind});
    Run(seconds(1));
  }
  StartRequest Cart(std::string_view key, std::optional<Placement> placement = {}) {
    return {.name = N("shop/cart/" + std::string(key)), .placement = std::move(placement)};
  }
};

TEST_F(KindStarterTest, StartedThere_ThenAlreadyRunning) {
  MakeThree();
  const auto started = StartActor("a", Cart("7", Placement::On("b")));
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_FALSE(started->already_running);
  EXPECT_EQ(started->member, "b");
  EXPECT_GT(started->epoch, 0u);
  EXPECT_EQ(At("b").actors->Held(), (std::set<std::string>{"shop/cart/7"}));

  // "Already running" is an outcome, and says where, whoever was asked.
  for (const char* where : {"a", "b"}) {
    const auto again = StartActor("c", Cart("7", Placement::On(where)));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->already_running);
    EXPECT_EQ(again->member, "b");
    EXPECT_EQ(again->epoch, started->epoch);
  }
  EXPECT_EQ(Held(), (std::set<std::string>{"shop/cart/7@b"})) << "the first one is left alive";
  EXPECT_EQ(At("c").starter->Stats().already_running, 2u);
}

TEST_F(KindStarterTest, TheFactoryGetsItsArguments) {
  std::vector<StartArguments> made;
  Kind kind = MakeKind("shop/cart");
  kind.factory = [&](const StartArguments& arguments) {
    made.push_back(arguments);
    return absl::StatusOr<std::unique_ptr<Actor>>(std::unique_ptr<Actor>());
  };
  kind.options.attributes = {{"version", "1"}};
  kind.resources = {{"db", Selector::Under(*Path::Parse("shop/db"))},
                    {"log", Selector::Under(*Path::Parse("shop/log"))}};
  MakeThree(kind);
  StartRequest request = Cart("7", Placement::On("b"));
  request.parameters = {{"_token", "secret"}, {"size", "3"}};
  request.resources = {{"db", Selector::Of({N("shop/db/2")})}};
  ASSERT_TRUE(StartActor("a", request).ok());
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].name, request.name);
  EXPECT_EQ(made[0].parameters, request.parameters);
  EXPECT_EQ(made[0].resources.at("db"), Selector::Of({N("shop/db/2")}));
  EXPECT_EQ(made[0].resources.at("log"), Selector::Under(*Path::Parse("shop/log")));
  EXPECT_EQ(made[0].caller.host, "a");
  // Hidden parameters are in no listing.
  EXPECT_EQ(At("b").actors->AttributesOf("shop/cart/7"),
            (Attributes{{"start.size", "3"}, {"version", "1"}}));
}

TEST_F(KindStarterTest, AdmissionRefuses_AndNobodyElseIsAsked) {
  Kind kind = MakeKind("shop/cart");
  kind.admit = [](const StartArguments& arguments) {
    const auto by = arguments.parameters.find("by");
    if (by == arguments.parameters.end()) return absl::InternalError("nobody says by whom");
    if (by->second == "throw") throw std::runtime_error("thrown");
    if (by->second != arguments.caller.host) return absl::PermissionDeniedError("not you");
    return absl::OkStatus();
  };
  MakeThree(kind);
  const auto refused = [&](StartParameters parameters) {
    StartRequest request = Cart("7");
    request.parameters = std::move(parameters);
    At("a").caller->asked.clear();
    const absl::Status status = StartActor("a", request).status();
    EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
    EXPECT_EQ(At("a").caller->asked.size(), 1u) << At("a").caller->asked;
    return status;
  };
  EXPECT_EQ(refused({{"by", "b"}}).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused({}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused({{"by", "throw"}}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(At("a").starter->Stats().refused, 3u);
  StartRequest allowed = Cart("7");
  allowed.parameters = {{"by", "a"}};
  EXPECT_TRUE(StartActor("a", allowed).ok());
}

TEST_F(KindStarterTest, NoSuchKindThere_AnotherMemberIsTried) {
  MakeThree();
  Start("d", {MakeKind("shop/other")});
  // Says that it hosts the kind, and does not.
  Start("e", {}, false, {});
  Run(seconds(1));
  testing::Probe<absl::Status> changed("Change");
  At("e").members->Change({{Member::kKinds, "shop/cart"}, {"new", "yes"}}, changed.Handler());
  Run(seconds(1));
  const auto nobody = StartActor("a", Cart("7", Placement::On("d")));
  EXPECT_EQ(nobody.status().message(), "no member for shop/cart/7 by on(d): d: hosts no such kind");
  const auto wrong = StartActor("a", Cart("7", Placement::On("e")));
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DeliveryOf(wrong.status()), Delivery::kRejected);
  EXPECT_EQ(wrong.status().message(), "at e: hosts no kind for shop/cart/7");
  // Wherever it begins, it ends at one that has the kind.
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(StartActor("a", Cart(std::to_string(i), Placement::RoundRobin())).ok());
  }
  EXPECT_EQ(Held().size(), 20u);
  EXPECT_GT(At("e").kinds->Stats().no_kind, 2u);
}

TEST_F(KindStarterTest, Rule1_OnlyWhatDidNotRunIsTriedAgain) {
  MakeThree();
  cut_ = {"a", "b", "c"};
  auto status = StartActor("a", Cart("7")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DeliveryOf(status), Delivery::kNotSent);
  EXPECT_EQ(At("a").starter->Stats().retries, 2u);
  EXPECT_EQ(std::set<char>(At("a").caller->asked.begin(), At("a").caller->asked.end()),
            (std::set<char>{'a', 'b', 'c', ' '}))
      << "each attempt at another member";

  cut_ = {};
  lose_answers_ = true;
  status = StartActor("a", Cart("8")).status();
  EXPECT_EQ(DeliveryOf(status), Delivery::kMaybeExecuted);
  EXPECT_EQ(At("a").starter->Stats().retries, 2u);
  lose_answers_ = false;
  EXPECT_TRUE(StartActor("a", Cart("8"))->already_running);
}

TEST_F(KindStarterTest, AnErrorOfTheActorIsReportedOnce) {
  Kind kind = MakeKind("shop/cart");
  int made = 0;
  kind.factory = [&](const StartArguments&) {
    ++made;
    return absl::StatusOr<std::unique_ptr<Actor>>(absl::DataLossError("broken"));
  };
  MakeThree(kind);
  const absl::Status status = StartActor("a", Cart("7", Placement::On("b"))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "at b: broken");
  EXPECT_EQ(DeliveryOf(status), Delivery::kExecuted);
  EXPECT_EQ(made, 1);
}

TEST_F(KindStarterTest, SpreadCountsWhatRunsAndWhatIsBeingStarted) {
  MakeThree();
  std::vector<testing::Probe<absl::StatusOr<StartResult>>> started(30);
  for (int i = 0; i < 30; ++i) {
    At("a").starter->Start(Cart(std::to_string(i), Placement::Spread()), started[i].Handler());
  }
  Run(seconds(1));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(At(name).actors->Held().size(), 10u) << name;
  ASSERT_TRUE(StartActor("b", Cart("x", Placement::On("c"))).ok());
  ASSERT_TRUE(StartActor("b", Cart("y", Placement::On("b"))).ok());
  EXPECT_EQ(StartActor("c", Cart("z", Placement::Spread()))->member, "a");
}

TEST_F(KindStarterTest, Rule9_AMemberThatRefusesIsPassedOver) {
  MakeThree();
  At("b").kinds->Refuse(absl::UnavailableError("stopping"));
  const absl::Status status = StartActor("a", Cart("7", Placement::On("b"))).status();
  EXPECT_EQ(status.message(), "at b: stopping");
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(StartActor("a", Cart(std::to_string(i), Placement::RoundRobin()))->member, "b");
  }
}

TEST_F(KindStarterTest, Client_StartsAndIsNeverPlacedOn) {
  MakeThree();
  Start("me", {}, true);
  Run(seconds(1));
  for (int i = 0; i < 9; ++i) {
    const auto started = StartActor("me", Cart(std::to_string(i), Placement::NearCaller()));
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_NE(started->member, "me");
  }
}

TEST_F(KindStarterTest, NearCaller_IsHere) {
  MakeThree();
  EXPECT_EQ(StartActor("b", Cart("7", Placement::NearCaller()))->member, "b");
}

TEST_F(KindStarterTest, Stop_AfterTheQueue_OrKilledAtTheLimit) {
  MakeThree();
  At("b").actors->queue = seconds(10);
  auto started = StartActor("a", Cart("7", Placement::On("b")));
  const TimePoint begin = clock_->Now();
  auto stopped = StopActor("a", {.name = N("shop/cart/7"), .member = "b", .epoch = started->epoch});
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_FALSE(stopped->killed);
  EXPECT_EQ(clock_->Now() - begin, seconds(10));
  EXPECT_TRUE(Held().empty());

  started = StartActor("a", Cart("7", Placement::On("b")));
  stopped = StopActor("a", {.name = N("shop/cart/7"), .member = "b", .limit = seconds(3)});
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_TRUE(stopped->killed);
  EXPECT_EQ(At("b").kinds->Stats().killed, 1u);
}

TEST_F(KindStarterTest, Stop_MarksItDrainingFirst) {
  MakeThree();
  At("b").actors->queue = seconds(10);
  ASSERT_TRUE(StartActor("a", Cart("7", Placement::On("b"))).ok());
  testing::Probe<absl::StatusOr<StopResult>> stopped("Stop");
  At("a").starter->Stop({.name = N("shop/cart/7"), .member = "b"}, stopped.Handler());
  Run(seconds(1));
  EXPECT_FALSE(stopped.done());
  EXPECT_EQ(At("b").actors->AttributesOf("shop/cart/7").at(kDraining), "true");
  Run(seconds(10));
  EXPECT_TRUE(stopped.done());
}

TEST_F(KindStarterTest, Stop_OfWhatIsNotThere) {
  MakeThree();
  auto stopped = StopActor("a", {.name = N("shop/cart/7"), .member = "b"});
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DeliveryOf(stopped.status()), Delivery::kRejected);
  // Another registration of the name is another actor.
  const auto started = StartActor("a", Cart("7", Placement::On("b")));
  stopped = StopActor("a", {.name = N("shop/cart/7"), .member = "b", .epoch = started->epoch - 1});
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Held().size(), 1u);
}

TEST_F(KindStarterTest, CancellationAndTheEndOfTheStarter) {
  Start("a", {});
  Run(seconds(1));
  table_.SetReachable("a", false);  // so that Spread waits for the directory
  asio::cancellation_signal cancel;
  testing::Probe<absl::StatusOr<StartResult>> first("first"), second("second"), third("third");
  At("a").starter->Start(Cart("1"), asio::bind_cancellation_slot(cancel.slot(), first.Handler()));
  StartRequest late = Cart("2");
  late.policy.deadline = seconds(5);
  At("a").starter->Start(late, second.Handler());
  At("a").starter->Start(Cart("3"), third.Handler());
  Run(seconds(1));
  cancel.emit(asio::cancellation_type::terminal);
  Run(seconds(5));
  EXPECT_EQ(first.value().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DeliveryOf(second.value().status()), Delivery::kNotSent);
  EXPECT_FALSE(third.done());
  EXPECT_EQ(At("a").starter->Stats().under_way, 1u);
  At("a").starter.reset();
  EXPECT_EQ(third.value().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(KindStarterTest, WhatIsUnderWayIsBounded) {
  Start("a", {});
  Run(seconds(1));
  At("a").starter = std::make_unique<KindStarter>(
      *At("a").names, *At("a").members, At("a").caller,
      KindStarterOptions{.io = &io_, .max_under_way = 1, .clock = clock_, .seed = 1});
  testing::Probe<absl::StatusOr<StartResult>> first("first"), second("second");
  At("a").starter->Start(Cart("1"), first.Handler());
  At("a").starter->Start(Cart("2"), second.Handler());
  testing::Drain(io_);
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DeliveryOf(second.value().status()), Delivery::kNotSent);
  EXPECT_EQ(At("a").starter->Stats().limit, 1u);
  Run(seconds(61));
  EXPECT_TRUE(first.done());
}

TEST_F(KindStarterTest, BadRequestsAreRefused) {
  MakeThree();
  StartRequest request = Cart("7");
  request.parameters = {{"k", std::string(5000, 'v')}};
  EXPECT_EQ(StartActor("a", request).status().code(), absl::StatusCode::kInvalidArgument);
  request = Cart("7");
  request.policy.attempts = 0;
  EXPECT_EQ(StartActor("a", request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(StartActor("a", Cart("7", Placement::On(""))).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(KindStarterTest, IsolatedNeedsAProcessThatStartsProcesses) {
  Kind kind = MakeKind("shop/cart");
  kind.placement = Placement::Spread().Isolated();
  MakeThree(kind);
  const absl::Status status = StartActor("a", Cart("7")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DeliveryOf(status), Delivery::kRejected);
}

}  // namespace
}  // namespace grid
