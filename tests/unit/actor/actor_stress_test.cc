// Interleavings of letters, timers, failures and ends, from a seed: every letter is answered once,
// one at a time where that is promised, and every cell stops.
#include <gtest/gtest.h>

#include <stdexcept>

#include "grid/actor/actor_cell.h"
#include "grid/testing/random.h"
#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

class ActorStressTest : public ActorTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  asio::awaitable<absl::StatusOr<int64_t>> Handle(int64_t by, int concurrency) {
    EXPECT_LE(++running_, concurrency);
    struct Leave {
      int& running;
      ~Leave() { --running; }
    };
    const Leave leave{running_};
    const int kind = static_cast<int>(random_.Below(8));
    if (kind < 4) co_await testing::Sleep(io_, *clock_, milliseconds(random_.Below(5)));
    if (kind == 5 && random_.OneIn(4)) throw std::runtime_error("now and then");
    if (kind == 6) co_return absl::NotFoundError("not found");
    co_return by;
  }

  testing::Random random_{GetParam()};
  int running_ = 0;
};

TEST_P(ActorStressTest, EveryLetterIsAnsweredOnce) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  for (int round = 0; round < 10; ++round) {
    ActorOptions options = Shared();
    options.mailbox.capacity = 1 + random_.Below(20);
    options.mailbox.max_bytes = 1 + random_.Below(1000);
    options.mailbox.overflow = static_cast<Overflow>(random_.Below(3));
    options.mailbox.max_waiting = random_.Below(20);
    options.concurrency = random_.OneIn(2) ? 1 : 1 + static_cast<int>(random_.Below(4));
    options.on_exception = random_.OneIn(4) ? OnException::kStop : OnException::kRestart;
    options.max_restarts = static_cast<int>(random_.Below(20));
    running_ = 0;
    const bool serial = options.concurrency == 1;
    auto cell = Make(options, [&, concurrency = options.concurrency](TestActor& actor) {
      actor.On(kAdd, [this, concurrency](const Add& add, ActorContext&) {
        return Handle(add.by, concurrency);
      });
      actor.On(kTell, [this, serial](const std::string&, ActorContext& context) {
        EXPECT_TRUE(!serial || running_ == 0);
        (void)context.Once(milliseconds(1 + random_.Below(5)), [this, serial](ActorContext&) {
          EXPECT_TRUE(!serial || running_ == 0);
          if (random_.OneIn(50)) throw std::runtime_error("a timer, too");
        });
        return absl::OkStatus();
      });
    });
    int stopped = 0;
    cell->OnStopped([&](const absl::Status&) { ++stopped; });
    testing::Probe<absl::Status> started("start");
    std::vector<Outcome> outcomes;
    std::vector<std::shared_ptr<Cancellation>> cancellations;
    const int start_at = static_cast<int>(random_.Below(10));
    for (int step = 0; step < 200; ++step) {
      if (step == start_at) {
        cell->Start(1, LeaseToken(), Completion<absl::Status>(started.Handler()));
      }
      const auto adjust = [&](Letter& letter) {
        letter.acknowledge = static_cast<Acknowledgement>(random_.Below(3));
        if (random_.OneIn(4)) letter.deadline = clock_->Now() + milliseconds(random_.Below(10));
        if (random_.OneIn(4)) {
          letter.cancellation = std::make_shared<Cancellation>();
          cancellations.push_back(letter.cancellation);
        }
      };
      switch (random_.Below(8)) {
        case 0:
          RunFor(milliseconds(random_.Below(8)));
          break;
        case 1:
          Run();
          break;
        case 2:
          if (!cancellations.empty()) {
            cancellations[random_.Below(cancellations.size())]->Cancel(absl::CancelledError("x"));
          }
          break;
        case 3:
          outcomes.push_back(Ask(*cell, kTell, std::string(random_.Below(30), 'x'), adjust));
          break;
        case 4:
          if (step > 100 && random_.OneIn(20)) cell->Stop(static_cast<StopMode>(random_.Below(3)));
          break;
        default:
          outcomes.push_back(AskAdd(*cell, 1, adjust));
      }
    }
    cell->Stop(static_cast<StopMode>(random_.Below(3)));
    testing::RunFor(io_, *clock_, seconds(60), &random_);
    EXPECT_EQ(stopped, 1);
    EXPECT_TRUE(started.done());
    size_t answered = 0;
    for (Outcome& outcome : outcomes) answered += outcome.done() ? 1 : 0;
    EXPECT_EQ(answered, outcomes.size());
    EXPECT_EQ(clock_->pending(), 0u);
    cells_.clear();
    EXPECT_EQ(cell.use_count(), 1) << "nothing keeps it";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ActorStressTest, ::testing::Range(uint64_t{1}, uint64_t{31}));

}  // namespace
}  // namespace grid
