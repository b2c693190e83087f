#include "grid/membership/static_membership.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"

namespace grid {
namespace {

using View = absl::StatusOr<MembershipWatcher::ViewPtr>;

class StaticMembershipTest : public ::testing::Test {
 protected:
  void Make(std::string self = "b") {
    auto made = MakeStaticMembership({.io = &io_,
                                      .self = std::move(self),
                                      .members = {{.name = "b"}, {.name = "a"}},
                                      .max_watches = 2});
    ASSERT_TRUE(made.ok()) << made.status();
    members_ = *std::move(made);
  }
  absl::Status Change(AttributeChanges changes) {
    testing::Probe<absl::Status> done("Change");
    members_->Change(std::move(changes), done.Handler());
    testing::Drain(io_);
    return done.done() ? done.value() : absl::InternalError("never completed");
  }

  asio::io_context io_;
  std::unique_ptr<Membership> members_;
};

TEST_F(StaticMembershipTest, WhoIsOnTheListIsUp) {
  Make();
  const auto view = members_->View();
  EXPECT_EQ(view->number, 1u);
  ASSERT_EQ(view->members.size(), 2u);
  EXPECT_EQ(view->members[0].name, "a");
  EXPECT_EQ(view->members[1].state, MemberState::kUp);
  EXPECT_EQ(members_->self(), "b");
  EXPECT_EQ(members_->Stats().joined, 1u);
}

TEST_F(StaticMembershipTest, NobodyIsDeclaredDown_AsNobodyElseWouldHearOfIt) {
  Make();
  testing::Probe<absl::Status> done("DeclareDown");
  members_->DeclareDown("a", 0, done.Handler());
  testing::Drain(io_);
  EXPECT_EQ(done.value().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(StaticMembershipTest, AWatchGetsTheNewestView) {
  Make();
  auto watcher = members_->Watch();
  ASSERT_TRUE(watcher.ok());
  testing::Probe<View> first("first"), second("second"), third("third");
  watcher->Next(first.Handler());
  testing::Drain(io_);
  ASSERT_TRUE(first.done());
  EXPECT_EQ((*first.value())->number, 1u);
  EXPECT_TRUE(Change({{"load", "1"}}).ok());
  EXPECT_TRUE(Change({{"load", "2"}}).ok());
  watcher->Next(second.Handler());
  testing::Drain(io_);
  ASSERT_TRUE(second.done());
  EXPECT_EQ((*second.value())->number, 3u) << "a slow reader gets the last one only";
  EXPECT_EQ((*second.value())->Find("b")->Metric("load"), 2);

  watcher->Next(third.Handler());
  testing::Drain(io_);
  EXPECT_FALSE(third.done());
  testing::Probe<View> another("another");
  watcher->Next(another.Handler());
  testing::Drain(io_);
  EXPECT_EQ(another.value().status().code(), absl::StatusCode::kFailedPrecondition);
  watcher->Close();
  testing::Drain(io_);
  EXPECT_EQ(third.value().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(StaticMembershipTest, CancellingNextLosesNothing) {
  Make();
  auto watcher = members_->Watch();
  testing::Probe<View> first("first"), second("second"), third("third");
  watcher->Next(first.Handler());
  testing::Drain(io_);
  asio::cancellation_signal cancel;
  watcher->Next(asio::bind_cancellation_slot(cancel.slot(), second.Handler()));
  testing::Drain(io_);
  cancel.emit(asio::cancellation_type::terminal);
  testing::Drain(io_);
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Change({{"load", "1"}}).ok());
  watcher->Next(third.Handler());
  testing::Drain(io_);
  EXPECT_EQ((*third.value())->number, 2u);
}

TEST_F(StaticMembershipTest, TheEndOfTheMembershipEndsItsWatches) {
  Make();
  auto watcher = members_->Watch();
  testing::Probe<View> first("first"), second("second"), third("third");
  watcher->Next(first.Handler());
  testing::Drain(io_);
  watcher->Next(second.Handler());
  members_.reset();
  testing::Drain(io_);
  EXPECT_EQ(second.value().status().code(), absl::StatusCode::kCancelled);
  watcher->Next(third.Handler());
  testing::Drain(io_);
  EXPECT_EQ(third.value().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(StaticMembershipTest, WatchesAreBounded) {
  Make();
  auto first = members_->Watch();
  auto second = members_->Watch();
  EXPECT_EQ(members_->Watch().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(members_->Stats().watch_limit, 1u);
  *first = MembershipWatcher();
  testing::Drain(io_);
  EXPECT_TRUE(members_->Watch().ok());
}

TEST_F(StaticMembershipTest, DrainingIsLeaving_AndLeavingIsDown) {
  Make();
  EXPECT_TRUE(Change({{Member::kDraining, "true"}}).ok());
  EXPECT_EQ(members_->View()->Find("b")->state, MemberState::kLeaving);
  EXPECT_TRUE(Change({{Member::kDraining, std::nullopt}}).ok());
  EXPECT_EQ(members_->View()->Find("b")->state, MemberState::kUp);
  testing::Probe<absl::Status> left("Leave");
  members_->Leave(left.Handler());
  testing::Drain(io_);
  EXPECT_TRUE(left.value().ok());
  EXPECT_EQ(members_->View()->Find("b")->state, MemberState::kDown);
  EXPECT_EQ(Change({{"load", "1"}}).code(), absl::StatusCode::kCancelled);
}

TEST_F(StaticMembershipTest, Client_IsNoMember) {
  Make("http://me");
  EXPECT_EQ(members_->View()->Find("http://me"), nullptr);
  EXPECT_EQ(Change({{"load", "1"}}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(members_->Stats().joined, 0u);
}

TEST_F(StaticMembershipTest, BadListsAreRefused) {
  const auto refused = [&](std::vector<Member> members) {
    return std::string(
        MakeStaticMembership({.io = &io_, .self = "a", .members = std::move(members)})
            .status()
            .message());
  };
  EXPECT_NE(refused({{.name = "a"}, {.name = "a"}}).find("\"a\": is there twice"),
            std::string::npos);
  EXPECT_NE(refused({{.name = ""}}).find("no name"), std::string::npos);
  EXPECT_NE(refused({{.name = "a", .attributes = {{"", "x"}}}}).find("the key is empty"),
            std::string::npos);
  EXPECT_FALSE(MakeStaticMembership({}).ok());
}

}  // namespace
}  // namespace grid
