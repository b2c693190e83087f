#include "grid/directory/lease_token.h"

#include <gtest/gtest.h>

#include "grid/directory/directory.h"
#include "grid/directory/directory_options.h"
#include "grid/testing/virtual_clock.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LeaseTokenTest : public ::testing::Test {
 protected:
  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  const std::shared_ptr<LeaseToken::State> state_ =
      std::make_shared<LeaseToken::State>(clock_, clock_->Now() + seconds(10));
  const LeaseToken token_{state_};
};

TEST_F(LeaseTokenTest, OfNothing_IsNeverValid) {
  const LeaseToken token;
  EXPECT_FALSE(token.valid());
  EXPECT_EQ(token.why().code(), absl::StatusCode::kFailedPrecondition);
  int lost = 0;
  token.OnLost([&] { ++lost; });
  EXPECT_EQ(lost, 1);
}

// As in a process that was stopped and has just gone on: nothing has told it.
TEST_F(LeaseTokenTest, EndsWithTheTime_AndNeverComesBack) {
  EXPECT_TRUE(token_.valid());
  EXPECT_TRUE(token_.why().ok());
  clock_->Advance(seconds(10));
  EXPECT_FALSE(token_.valid());
  EXPECT_EQ(token_.why().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(state_->Extend(clock_->Now() + seconds(10)));
  EXPECT_FALSE(token_.valid());
}

// One that was told so, of whatever time, stays so.
TEST_F(LeaseTokenTest, OfATimeThatWasReadBefore) {
  EXPECT_TRUE(token_.valid(clock_->Now() + milliseconds(9'999)));
  EXPECT_FALSE(token_.valid(clock_->Now() + seconds(10)));
  EXPECT_FALSE(token_.valid(clock_->Now()));
  EXPECT_FALSE(LeaseToken().valid(clock_->Now()));
}

TEST_F(LeaseTokenTest, ExtensionThatComesInTime_MovesTheEnd) {
  clock_->Advance(seconds(9));
  EXPECT_TRUE(state_->Extend(clock_->Now() + seconds(10)));
  clock_->Advance(seconds(9));
  EXPECT_TRUE(token_.valid());
}

// Nobody has asked meanwhile, and still it must not come back.
TEST_F(LeaseTokenTest, ExtensionThatComesLate_Fails) {
  clock_->Advance(seconds(11));
  EXPECT_FALSE(state_->Extend(clock_->Now() + seconds(10)));
  EXPECT_FALSE(token_.valid());
}

TEST_F(LeaseTokenTest, LosingTellsOnce_WithTheFirstReason) {
  int lost = 0;
  token_.OnLost([&] { ++lost; });
  state_->Lose(absl::CancelledError("first"));
  state_->Lose(absl::InternalError("second"));
  EXPECT_EQ(lost, 1);
  EXPECT_FALSE(token_.valid());
  EXPECT_EQ(token_.why().message(), "first");
  token_.OnLost([&] { ++lost; });
  EXPECT_EQ(lost, 2);
}

TEST(DirectoryOptionsTest, FieldsAreNamed) {
  asio::io_context io;
  DirectoryOptions good;
  good.io = &io;
  good.member = "http://a:1";
  EXPECT_TRUE(good.Check().ok());
  const auto expect = [&](auto change, const char* field) {
    DirectoryOptions options = good;
    change(options);
    const absl::Status status = options.Check();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find(field), std::string::npos) << status;
  };
  expect([](auto& o) { o.io = nullptr; }, "io");
  expect([](auto& o) { o.member = "a b"; }, "member");
  expect([](auto& o) { o.lease = milliseconds(999); }, "lease");
  expect([](auto& o) { o.margin = milliseconds(15'000); }, "margin");
  expect([](auto& o) { o.renew = milliseconds(10'000); }, "renew");
  expect([](auto& o) { o.timeout = milliseconds(0); }, "timeout");
  expect([](auto& o) { o.attempt = milliseconds(0); }, "attempt");
  expect([](auto& o) { o.stop = milliseconds(0); }, "stop");
  expect([](auto& o) { o.back_off.factor = 0; }, "back_off.factor");
  expect([](auto& o) { o.limits.max_watch_events = 0; }, "max_watch_events");
}

TEST(RegistrationTest, OfNothing_FailsWithAStatus) {
  Registration none;
  EXPECT_FALSE(none);
  EXPECT_FALSE(none.token().valid());
}

}  // namespace
}  // namespace grid
