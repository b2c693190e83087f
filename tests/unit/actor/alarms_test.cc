// Alarms: in the order of their times, cancelled, closed.
#include "grid/actor/alarms.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "grid/testing/virtual_clock.h"

namespace grid::internal {
namespace {

using std::chrono::milliseconds;

class AlarmsTest : public ::testing::Test {
 protected:
  Alarms::Id At(int64_t ms, char what) {
    return alarms_->At(begin_ + milliseconds(ms), [this, what] { fired_ += what; });
  }
  void RunFor(int64_t ms) { testing::RunFor(io_, *clock_, milliseconds(ms)); }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  boost::asio::io_context io_;
  const std::shared_ptr<Alarms> alarms_ = std::make_shared<Alarms>(io_, clock_);
  const TimePoint begin_ = clock_->Now();
  std::string fired_;
};

TEST_F(AlarmsTest, FireInTheOrderOfTheirTimes_AlsoOneThatIsSetLaterForEarlier) {
  At(30, 'c');
  At(10, 'a');
  At(30, 'd');
  RunFor(5);
  At(20, 'b');
  At(0, 'x');
  RunFor(10);
  EXPECT_EQ(fired_, "xa");
  RunFor(5);
  EXPECT_EQ(fired_, "xab");
  RunFor(100);
  EXPECT_EQ(fired_, "xabcd");
}

TEST_F(AlarmsTest, OneThatFiresMaySetTheNext) {
  alarms_->At(begin_ + milliseconds(10), [this] { At(15, 'b'); });
  RunFor(14);
  EXPECT_EQ(fired_, "");
  RunFor(1);
  EXPECT_EQ(fired_, "b");
}

TEST_F(AlarmsTest, CancelledOnesDoNotFire) {
  const Alarms::Id a = At(10, 'a');
  At(20, 'b');
  RunFor(1);
  alarms_->Cancel(a);
  alarms_->Cancel(a);
  RunFor(100);
  EXPECT_EQ(fired_, "b");
}

TEST_F(AlarmsTest, ClosedNoneFires) {
  At(10, 'a');
  RunFor(1);
  alarms_->Close();
  At(20, 'b');
  alarms_->Close();
  RunFor(100);
  EXPECT_EQ(fired_, "");
  EXPECT_EQ(clock_->pending(), 0u);
}

}  // namespace
}  // namespace grid::internal
