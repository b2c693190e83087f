#include "handlers/context.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

namespace grid {
namespace {

const Caller kCaller{.host = "http://a:1", .address = "127.0.0.1:5"};

struct ContextTest : testing::Test {
  RequestContext context{kCaller, HandlerId{9}, "a/b", RequestContext::kNoDeadline};
};

TEST_F(ContextTest, StatesTheCall) {
  EXPECT_EQ(context.caller().host, "http://a:1");
  EXPECT_EQ(context.handler(), HandlerId{9});
  EXPECT_EQ(context.subroute(), "a/b");
  EXPECT_EQ(context.deadline(), RequestContext::kNoDeadline);
  EXPECT_FALSE(context.cancelled());
  EXPECT_TRUE(context.cancellation().ok());
}

TEST_F(ContextTest, CancelRunsCallbacksOnceInOrderAndKeepsTheFirstReason) {
  std::vector<int> ran;
  context.OnCancel([&] { ran.push_back(1); });
  context.OnCancel([&] { ran.push_back(2); });
  context.Cancel(absl::DeadlineExceededError("late"));
  context.Cancel(absl::CancelledError("second"));
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
  EXPECT_TRUE(context.cancelled());
  EXPECT_EQ(context.cancellation(), absl::DeadlineExceededError("late"));
}

TEST_F(ContextTest, OnCancelAfterCancelRunsAtOnce) {
  context.Cancel(absl::CancelledError(""));
  bool ran = false;
  context.OnCancel([&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST_F(ContextTest, CallbackMaySeeTheReasonAndAddAnother) {
  absl::Status seen;
  bool inner = false;
  context.OnCancel([&] {
    seen = context.cancellation();
    context.OnCancel([&] { inner = true; });
  });
  context.Cancel(absl::CancelledError("why"));
  EXPECT_EQ(seen, absl::CancelledError("why"));
  EXPECT_TRUE(inner);
}

TEST_F(ContextTest, NothingRunsAfterFinish) {
  bool ran = false;
  context.OnCancel([&] { ran = true; });
  context.Finish();
  context.Cancel(absl::CancelledError(""));
  context.OnCancel([&] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_FALSE(context.cancelled());
}

TEST_F(ContextTest, NothingRunsAfterFinishReturned) {
  bool ran = false;
  context.OnCancel([&] { ran = true; });
  context.FinishReturned();
  context.Cancel(absl::CancelledError(""));
  context.OnDrain([&] { ran = true; });
  context.Drain();
  EXPECT_FALSE(ran);
}

TEST_F(ContextTest, CallbackThatFinishesTheHandlerStopsThoseBehindIt) {
  bool second = false;
  context.OnCancel([&] { context.Finish(); });
  context.OnCancel([&] { second = true; });
  context.Cancel(absl::CancelledError(""));
  EXPECT_FALSE(second);
}

TEST_F(ContextTest, CallbackThatRunsAtOnceMayEndTheContext) {
  auto ends =
      std::make_unique<RequestContext>(kCaller, HandlerId{9}, "", RequestContext::kNoDeadline);
  ends->Cancel(absl::CancelledError(""));
  bool behind = false;
  ends->OnDrain([&] { behind = true; });
  ends->OnCancel([&] { ends.reset(); });
  EXPECT_EQ(ends, nullptr);
  EXPECT_FALSE(behind);
}

TEST_F(ContextTest, FinishReleasesWhatCallbacksOwn) {
  auto owned = std::make_shared<int>(1);
  context.OnCancel([owned] {});
  EXPECT_EQ(owned.use_count(), 2);
  context.Finish();
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(ContextTest, CallbackIsDestroyedRightAfterItRan) {
  auto owned = std::make_shared<int>(1);
  long during = 0, behind = 0;
  context.OnCancel([owned, &during] { during = owned.use_count(); });
  context.OnCancel([&owned, &behind] { behind = owned.use_count(); });
  context.Cancel(absl::CancelledError(""));
  EXPECT_EQ(during, 2);
  EXPECT_EQ(behind, 1);
}

TEST_F(ContextTest, DrainingIsToldOnce_AndCancelsNothing) {
  std::vector<int> ran;
  context.OnDrain([&] { ran.push_back(1); });
  context.OnCancel([&] { ran.push_back(9); });
  EXPECT_FALSE(context.draining());
  context.Drain();
  context.Drain();
  EXPECT_TRUE(context.draining());
  EXPECT_FALSE(context.cancelled());
  context.OnDrain([&] { ran.push_back(2); });
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
  context.Cancel(absl::CancelledError(""));
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 9}));
}

TEST_F(ContextTest, DrainCallbackMayFinishTheHandler_AndNoneRunsAfterwards) {
  bool ran = false;
  context.OnDrain([&] { context.Finish(); });
  context.OnDrain([&] { ran = true; });
  context.Drain();
  context.OnDrain([&] { ran = true; });
  EXPECT_FALSE(ran);

  RequestContext finished{kCaller, HandlerId{9}, "", RequestContext::kNoDeadline};
  finished.Finish();
  finished.Drain();
  EXPECT_FALSE(finished.draining());
}

}  // namespace
}  // namespace grid
