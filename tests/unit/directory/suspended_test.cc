// A directory's client in a process that was suspended: time has passed, and all its timers come at
// once.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "grid/directory/directory_client.h"
#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Jumps: the time is already beyond all alarms when the first of them fires.
class JumpingClock final : public Clock {
 public:
  using Fire = std::shared_ptr<absl::AnyInvocable<void()>>;
  using Alarms = std::multimap<TimePoint, Fire>;

  TimePoint Now() const override { return now_; }
  WallTime WallNow() const override { return WallTime(now_.time_since_epoch()); }
  std::unique_ptr<Alarm> NewAlarm(absl::AnyInvocable<void()> fire) override {
    return std::make_unique<JumpingAlarm>(alarms_, std::move(fire));
  }
  void Jump(Duration by) {
    now_ += by;
    while (!alarms_->empty() && alarms_->begin()->first <= now_) {
      const Fire fire = alarms_->begin()->second;
      alarms_->erase(alarms_->begin());
      (*fire)();
    }
  }

 private:
  class JumpingAlarm final : public Alarm {
   public:
    JumpingAlarm(std::shared_ptr<Alarms> alarms, absl::AnyInvocable<void()> fire)
        : alarms_(std::move(alarms)),
          fire_(std::make_shared<absl::AnyInvocable<void()>>(std::move(fire))) {}
    ~JumpingAlarm() override { Clear(); }
    void Set(TimePoint at) override {
      Clear();
      alarms_->emplace(at, fire_);
    }
    void Clear() override {
      std::erase_if(*alarms_, [this](const auto& alarm) { return alarm.second == fire_; });
    }

   private:
    const std::shared_ptr<Alarms> alarms_;
    const Fire fire_;
  };

  TimePoint now_ = TimePoint(std::chrono::hours(1));
  const std::shared_ptr<Alarms> alarms_ = std::make_shared<Alarms>();
};

// Grants everything, and remembers which incarnation asked.
class GrantingBackend final : public DirectoryBackend {
 public:
  GrantingBackend(boost::asio::io_context& io, std::shared_ptr<std::vector<uint64_t>> asked)
      : io_(io), asked_(std::move(asked)) {}

  void Renew(LeaseCall call, Duration, Done<LeaseGrant> done) override {
    asked_->push_back(call.incarnation);
    Answer(std::move(done), LeaseGrant{.fresh = asked_->size() == 1});
  }
  void Register(RegisterCall call, Duration, Done<Entry> done) override {
    Answer(
        std::move(done),
        Entry{
            .name = call.name, .epoch = 1, .member = call.member, .incarnation = call.incarnation});
  }
  void Update(UpdateCall, Duration, StatusDone done) override { Answer(std::move(done)); }
  void Deregister(DeregisterCall, Duration, StatusDone done) override { Answer(std::move(done)); }
  void End(LeaseCall, Duration, StatusDone done) override { Answer(std::move(done)); }
  void Flush(Duration, Done<uint64_t> done) override { Answer(std::move(done), uint64_t{0}); }
  void Resolve(Selector, Duration, Done<std::vector<Entry>> done) override {
    Answer(std::move(done), std::vector<Entry>());
  }
  std::unique_ptr<Subscription> Subscribe(const Selector&, SubscriptionSink&) override {
    return nullptr;
  }

 private:
  template <typename Function, typename Answered = absl::Status>
  void Answer(Function done, Answered answer = {}) {
    boost::asio::post(io_, [done = std::move(done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }

  boost::asio::io_context& io_;
  const std::shared_ptr<std::vector<uint64_t>> asked_;
};

class SuspendedTest : public ::testing::Test {
 protected:
  SuspendedTest() {
    DirectoryOptions options;
    options.io = &io_;
    options.member = "http://a:1";
    options.lease = seconds(3);  // tokens: 2 s
    options.clock = clock_;
    options.log = NullLog();
    options.seed = 1;
    directory_ = *MakeDirectory(options, std::make_unique<GrantingBackend>(io_, asked_));
    testing::Drain(io_);
    testing::Probe<absl::StatusOr<Registration>> held;
    directory_->Register(*Name::Parse("a/b/c"), Holding::kExclusive, {}, milliseconds(0),
                         held.Handler());
    testing::Drain(io_);
    held_ = *std::move(held.value());
    first_ = asked_->back();
    EXPECT_TRUE(held_.token().valid());
  }
  ~SuspendedTest() override {
    held_ = Registration();
    directory_.reset();
    testing::Drain(io_);
  }

  void SuspendFor(Duration time) {
    asked_->clear();
    clock_->Jump(time);
    testing::Drain(io_);
  }

  const std::shared_ptr<JumpingClock> clock_ = std::make_shared<JumpingClock>();
  boost::asio::io_context io_;
  const std::shared_ptr<std::vector<uint64_t>> asked_ = std::make_shared<std::vector<uint64_t>>();
  std::unique_ptr<Directory> directory_;
  Registration held_;
  uint64_t first_ = 0;  // incarnation
};

TEST_F(SuspendedTest, ForLessThanItsTokens_GoesOn) {
  SuspendFor(milliseconds(1900));
  ASSERT_FALSE(asked_->empty());
  for (const uint64_t incarnation : *asked_) EXPECT_EQ(incarnation, first_);
  EXPECT_TRUE(held_.token().valid());
  EXPECT_EQ(directory_->Stats().lapsed, 0u);
}

// Else what is lost would be kept from everybody for another lease, should it be suspended again
// before it can begin anew.
TEST_F(SuspendedTest, ForLonger_NeverRenewsTheOldSession) {
  SuspendFor(milliseconds(2500));
  ASSERT_FALSE(asked_->empty());
  for (const uint64_t incarnation : *asked_) EXPECT_GT(incarnation, first_);
  EXPECT_FALSE(held_.token().valid());
  EXPECT_EQ(directory_->Stats().lapsed, 1u);
  EXPECT_EQ(directory_->Stats().ready, 1u);
}

}  // namespace
}  // namespace grid
