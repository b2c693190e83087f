#include "grid/actor/isolated_processes.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>
#include <optional>

#include "grid/testing/capture_log.h"
#include "handlers/delivery.h"
#include "tests/live/isolated_world.h"
#include "tests/live/process.h"

namespace grid::live {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kHost[] = GRID_BIN_DIR "/isolated_host";

// True once there is no process `pid` any more, or after 10 s not.
bool IsGone(int64_t pid) {
  for (int i = 0; i < 1000; ++i) {
    if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return true;
    usleep(10'000);
  }
  return false;
}

class IsolatedProcessesTest : public ::testing::Test {
 protected:
  void Make(IsolatedProcessesOptions options = {}) {
    options.program = kHost;
    world_.emplace(std::move(options));
  }
  std::shared_ptr<internal::ActorCell> Start(const std::string& key, ActorOptions options = {},
                                             StartParameters parameters = {}) {
    auto started = world_->Start(key, std::move(parameters), std::move(options));
    EXPECT_TRUE(started.status.ok()) << started.status;
    return started.cell;
  }
  // Ends the actor, and waits for its process.
  void Stop(internal::ActorCell& cell) {
    auto stopped = world_->Stopped(cell);
    cell.Stop(StopMode::kAfterCurrent);
    EXPECT_TRUE(stopped.get().ok());
  }
  // True once the log holds `line`, or after 5 s not.
  bool Logged(const std::string& line) {
    for (int i = 0; i < 500; ++i) {
      if (world_->log().Text().find(line) != std::string::npos) return true;
      usleep(10'000);
    }
    return false;
  }

  std::optional<IsolatedWorld> world_;
};

TEST_F(IsolatedProcessesTest, LettersGoInAndAnswersComeOut) {
  Make();
  const auto cell = Start("1");
  const absl::StatusOr<int64_t> pid = world_->Ask(*cell, kPid);
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_NE(*pid, getpid());
  EXPECT_EQ(*world_->Ask(*cell, kEcho, "hello"), "hello");
  const std::string large(5 << 20, 'x');
  EXPECT_EQ(*world_->Ask(*cell, kEcho, large), large);
  EXPECT_EQ(*world_->Ask(*cell, kWhoAsks), "http://sender started by http://starter, message 3");

  const absl::Status failed = world_->Ask(*cell, kFail, "disk full").status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(failed.message(), "disk full");
  EXPECT_EQ(DeliveryOf(failed), Delivery::kExecuted);
  const absl::Status dropped = world_->Ask(*cell, kDrop).status();
  EXPECT_EQ(dropped.message(), NoReplyError().message());
  const MessageType<std::string, std::string> unknown{"unknown"};
  const absl::Status refused = world_->Ask(*cell, unknown).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DeliveryOf(refused), Delivery::kRejected);

  Stop(*cell);
  EXPECT_TRUE(IsGone(*pid));
  EXPECT_EQ(world_->Stats().started, 1u);
  EXPECT_EQ(world_->Stats().died, 0u);
  EXPECT_EQ(world_->Stats().killed, 0u);
}

TEST_F(IsolatedProcessesTest, ACrash_FailsWhatWasUnderWay_AndRestartsTheActor) {
  Make();
  const auto cell = Start("1");
  const auto other = Start("2");
  const int64_t pid = *world_->Ask(*cell, kPid);
  const int64_t other_pid = *world_->Ask(*other, kPid);
  const absl::Status crashed = world_->Ask(*cell, kCrash).status();
  EXPECT_EQ(crashed.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(crashed.message(), "the process of test/worker/1 was killed by signal 6");
  EXPECT_EQ(DeliveryOf(crashed), Delivery::kMaybeExecuted);
  const absl::StatusOr<int64_t> again = world_->Ask(*cell, kPid);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE(*again, pid);
  EXPECT_EQ(*world_->Ask(*other, kPid), other_pid) << "nothing else is taken down";
  EXPECT_EQ(world_->Stats().died, 1u);
  Stop(*cell);
  Stop(*other);
}

TEST_F(IsolatedProcessesTest, AnExit_StopsTheActorWithAnError) {
  Make();
  const auto cell = Start("1", {.mailbox = {}, .on_exception = OnException::kStop});
  auto stopped = world_->Stopped(*cell);
  const absl::Status exited = world_->Ask(*cell, kExit).status();
  EXPECT_EQ(exited.message(), "the process of test/worker/1 has exited with status 3");
  const absl::Status why = stopped.get();
  EXPECT_EQ(why.code(), absl::StatusCode::kInternal);
  EXPECT_NE(why.message().find("has exited with status 3"), absl::string_view::npos) << why;
}

TEST_F(IsolatedProcessesTest, ADeathBetweenLettersIsNoticed) {
  Make();
  const auto cell = Start("1", {.mailbox = {}, .on_exception = OnException::kStop});
  auto stopped = world_->Stopped(*cell);
  const int64_t pid = *world_->Ask(*cell, kPid);
  kill(static_cast<pid_t>(pid), SIGKILL);
  ASSERT_EQ(stopped.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_NE(stopped.get().message().find("was killed by signal 9"), absl::string_view::npos);
}

TEST_F(IsolatedProcessesTest, AHangingActorIsKilledWithItsCell) {
  Make({.stop = milliseconds(300)});
  const auto cell = Start("1");
  const auto other = Start("2");
  const int64_t pid = *world_->Ask(*cell, kPid);
  auto hanging = world_->Send(*cell, kHang);
  EXPECT_EQ(*world_->Ask(*other, kEcho, "still here"), "still here");
  EXPECT_EQ(hanging.wait_for(milliseconds(200)), std::future_status::timeout);
  auto stopped = world_->Stopped(*cell);
  cell->Stop(StopMode::kKill);
  ASSERT_EQ(stopped.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(DeliveryOf(hanging.get().status()), Delivery::kMaybeExecuted);
  EXPECT_TRUE(IsGone(pid));
  EXPECT_EQ(world_->Stats().killed, 0u) << "it was not given time";
  Stop(*other);
}

TEST_F(IsolatedProcessesTest, TheActorHasStoppedOnceItsProcessIsGone) {
  Make();
  const auto cell = Start("1", {}, {{"_stop", "slow"}});
  const int64_t pid = *world_->Ask(*cell, kPid);
  Stop(*cell);
  EXPECT_NE(kill(static_cast<pid_t>(pid), 0), 0);
  EXPECT_TRUE(Logged("stopped with a lease that holds"));
  EXPECT_EQ(world_->Stats().killed, 0u);
}

TEST_F(IsolatedProcessesTest, AnEndThatHangsIsCutShort) {
  Make({.stop = milliseconds(300)});
  const auto cell = Start("1", {}, {{"_stop", "hang"}});
  const int64_t pid = *world_->Ask(*cell, kPid);
  Stop(*cell);
  EXPECT_NE(kill(static_cast<pid_t>(pid), 0), 0);
  EXPECT_EQ(world_->Stats().killed, 1u);
}

TEST_F(IsolatedProcessesTest, ALostLeaseKillsTheProcess) {
  Make();
  const auto cell = Start("1", {}, {{"_stop", "slow"}});
  const int64_t pid = *world_->Ask(*cell, kPid);
  auto stopped = world_->Stopped(*cell);
  cell->LoseLease(absl::AbortedError("the test takes it"));
  EXPECT_EQ(stopped.get().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(IsGone(pid));
  EXPECT_EQ(world_->log().Text().find("stopped with"), std::string::npos);
}

TEST_F(IsolatedProcessesTest, AStartTakesNoLongerThanItMay) {
  Make({.start = milliseconds(500)});
  auto started = world_->Start("1", {{"_start", "hang"}});
  EXPECT_EQ(started.status.code(), absl::StatusCode::kDeadlineExceeded) << started.status;
  EXPECT_EQ(world_->Stats().start_timeouts, 1u);
  started = world_->Start("2", {{"_start", "fail"}});
  EXPECT_EQ(started.status.code(), absl::StatusCode::kDataLoss) << started.status;
  EXPECT_EQ(started.status.message(), "no disk");
  started = world_->Start("3", {{"_start", "crash"}});
  EXPECT_NE(started.status.message().find("was killed by signal 6"), absl::string_view::npos)
      << started.status;
  EXPECT_EQ(world_->Stats().start_failures, 3u);
}

TEST_F(IsolatedProcessesTest, StandardErrorGoesToTheLog) {
  Make({.max_line_bytes = 10});
  const auto cell = Start("1");
  EXPECT_TRUE(world_->Ask(*cell, kSay, "one\n0123456789abc").ok());
  Stop(*cell);
  EXPECT_TRUE(Logged(": one"));
  EXPECT_TRUE(Logged(": 0123456789")) << "lines are cut";
  EXPECT_TRUE(Logged(": abc"));
}

TEST_F(IsolatedProcessesTest, TheLeaseThereEndsWithTheLeaseHere) {
  Make();
  const auto cell = Start("1");
  EXPECT_EQ(*world_->Ask(*cell, kLeaseValid), true);
  // Once it is known there, no further message is needed for it to end.
  auto ended = world_->Send(*cell, kAwaitLeaseEnd);
  asio::post(world_->io(), [this] { world_->lease().Extend(RealClock()->Now() + seconds(1)); });
  const absl::StatusOr<bool> answer = ended.get();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(*answer);
}

TEST_F(IsolatedProcessesTest, ProcessesAndLettersAreBounded) {
  Make({.max_processes = 1, .max_frame_bytes = 1 << 20});
  const auto cell = Start("1");
  const absl::Status refused = world_->Start("2").status;
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(world_->Stats().process_limit, 1u);
  const absl::Status large = world_->Ask(*cell, kEcho, std::string(2 << 20, 'x')).status();
  EXPECT_EQ(large.code(), absl::StatusCode::kResourceExhausted) << large;
  EXPECT_EQ(DeliveryOf(large), Delivery::kRejected);
  EXPECT_EQ(world_->Stats().frame_limit, 1u);
  const absl::Status answer = world_->Ask(*cell, kRepeat, std::string(1 << 18, 'x')).status();
  EXPECT_EQ(answer.code(), absl::StatusCode::kResourceExhausted) << answer;
  EXPECT_EQ(DeliveryOf(answer), Delivery::kExecuted);
  EXPECT_EQ(*world_->Ask(*cell, kEcho, "small"), "small");
  EXPECT_EQ(world_->Stats().died, 0u);
  Stop(*cell);
}

TEST_F(IsolatedProcessesTest, AProgramThatIsNotThereIsAnError) {
  world_.emplace(IsolatedProcessesOptions{.program = "/nowhere/program"});
  const absl::Status status = world_->Start("1").status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("/nowhere/program: No such file"), absl::string_view::npos);
}

TEST_F(IsolatedProcessesTest, TheProcessDiesWithItsHost) {
  Process host({kHost});
  ASSERT_TRUE(host.WaitForOutput("\n", seconds(20))) << host.err();
  const int64_t pid = std::atoll(host.out().c_str() + 4);
  ASSERT_GT(pid, 0) << host.out();
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0);
  host.Signal(SIGKILL);
  host.Wait(seconds(10));
  EXPECT_TRUE(IsGone(pid));
}

}  // namespace
}  // namespace grid::live
