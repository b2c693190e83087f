// Actors and mailboxes on several threads: letters, answers, timers and ends at the same time.
// Every letter is answered once, and no actor is ever on two threads at once.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "grid/actor/actor_cell.h"
#include "grid/actor/coroutine_actor.h"
#include "grid/actor/mailbox_end.h"
#include "grid/testing/random.h"

namespace grid {
namespace {

using internal::ActorCell;
using std::chrono::milliseconds;

constexpr MessageType<int64_t, int64_t> kPlain{"plain"};
constexpr MessageType<int64_t, int64_t> kCoroutine{"coroutine"};
constexpr MessageType<int64_t, int64_t> kLater{"later"};

constexpr int kThreads = 3;
constexpr int kSenders = 3;
constexpr int kLetters = 500;

// Runs io_contexts until it goes.
class Threads {
 public:
  Threads() {
    threads_.emplace_back([this] { control.run(); });
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { actors.run(); });
  }
  ~Threads() {
    control_work_.reset();
    actors_work_.reset();
    for (std::thread& thread : threads_) thread.join();
  }

  asio::io_context control{1};
  asio::io_context actors{kThreads};

 private:
  using Work = asio::executor_work_guard<asio::io_context::executor_type>;
  Work control_work_{control.get_executor()};
  Work actors_work_{actors.get_executor()};
  std::vector<std::thread> threads_;
};

// Of what was sent, what was answered.
struct Answers {
  std::atomic<int> sent{0};
  std::atomic<int> answered{0};
  std::atomic<int> well{0};
};

class CountingSink final : public OutcomeSink {
 public:
  explicit CountingSink(std::shared_ptr<Answers> answers) : answers_(std::move(answers)) {
    ++answers_->sent;
  }
  void Complete(LetterOutcome outcome) override {
    if (outcome.ok()) ++answers_->well;
    ++answers_->answered;
  }
  std::shared_ptr<Cancellation> cancellation() override { return cancellation_; }

 private:
  const std::shared_ptr<Answers> answers_;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
};

class Busy final : public Actor {
 public:
  explicit Busy(asio::io_context& elsewhere) : elsewhere_(elsewhere) {
    On(kPlain, [this](int64_t by, ActorContext& context) -> absl::StatusOr<int64_t> {
      const Alone alone(*this);
      if (by % 97 == 0) throw std::runtime_error("now and then");
      if (by % 31 == 0) (void)context.Once(milliseconds(1), [this](ActorContext&) { ++total_; });
      return total_ += by;
    });
    On(kCoroutine,
       [this](int64_t by, ActorContext& context) -> asio::awaitable<absl::StatusOr<int64_t>> {
         for (int i = 0; i < 3; ++i) {
           {
             const Alone alone(*this);
             total_ += by;
           }
           co_await asio::post(context.executor(), asio::use_awaitable);
         }
         co_return total_;
       });
    On(kLater, [this](int64_t by, Reply<int64_t> reply, ActorContext& context) {
      const Alone alone(*this);
      context.OnCancel([] {});
      auto shared = std::make_shared<Reply<int64_t>>(std::move(reply));
      asio::post(elsewhere_, [shared, by] {
        if (by % 5 != 0) (*shared)(by);
      });
    });
  }

 private:
  // Nobody else is in the actor.
  class Alone {
   public:
    explicit Alone(Busy& actor) : actor_(actor) { EXPECT_FALSE(actor_.inside_.exchange(true)); }
    ~Alone() { actor_.inside_ = false; }

   private:
    Busy& actor_;
  };

  asio::io_context& elsewhere_;
  std::atomic<bool> inside_{false};
  int64_t total_ = 0;  // guarded by nothing but being an actor's
};

void Send(internal::LetterBox& box, const std::shared_ptr<Answers>& answers,
          testing::Random& random) {
  static const auto* const sender =
      new std::shared_ptr<const Sender>(std::make_shared<const Sender>());
  constexpr std::string_view kTypes[] = {"plain", "coroutine", "later", "unknown"};
  const std::string_view type = kTypes[random.Below(20) == 0 ? 3 : random.Below(3)];
  Letter letter;
  letter.message = Buffer::CopyOf(type);
  letter.type_bytes = static_cast<uint32_t>(type.size());
  EXPECT_TRUE(Encode(random.Between(int64_t{1}, int64_t{1000}), letter.message).ok());
  letter.sender = *sender;
  letter.acknowledge = static_cast<Acknowledgement>(random.Below(3));
  if (random.OneIn(4)) letter.deadline = RealClock()->Now() + milliseconds(random.Below(20));
  auto sink = std::make_unique<CountingSink>(answers);
  const auto cancellation = sink->cancellation();
  letter.cancellation = cancellation;
  letter.reply = ReplyToken(std::move(sink));
  box.Put(std::move(letter));
  if (random.OneIn(8)) cancellation->Cancel(absl::CancelledError("given up"));
}

// kSenders threads send while `meanwhile` runs on this one.
template <typename Function>
void SendFromThreads(internal::LetterBox& box, const std::shared_ptr<Answers>& answers,
                     uint64_t seed, Function meanwhile) {
  std::latch begin(kSenders + 1);
  std::vector<std::thread> senders;
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      testing::Random random(seed * 100 + s);
      begin.arrive_and_wait();
      for (int i = 0; i < kLetters; ++i) Send(box, answers, random);
    });
  }
  begin.arrive_and_wait();
  meanwhile();
  for (std::thread& sender : senders) sender.join();
}

void ExpectAllAnswered(const Answers& answers) {
  for (int i = 0; i < 1000 && answers.answered != answers.sent; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(answers.answered, answers.sent);
  EXPECT_EQ(answers.sent, kSenders * kLetters);
}

// The seed says how the actor is set and how it ends.
class ActorThreads : public ::testing::TestWithParam<uint64_t> {
 protected:
  ActorOptions Options() {
    ActorOptions options;
    options.holding = Holding::kShared;
    options.mailbox.overflow = static_cast<Overflow>(GetParam() % 3);
    options.mailbox.capacity = 100;
    options.mailbox.max_waiting = 50;
    options.concurrency = GetParam() % 2 == 0 ? 1 : 4;
    options.max_restarts = 1'000'000;
    return options;
  }
  void RunCell(const ActorFactory& factory) {
    auto cell =
        std::make_shared<ActorCell>(runtime_, *Name::Parse("live/actor/1"), Options(), factory);
    auto started = std::make_shared<std::promise<absl::Status>>();
    std::promise<absl::Status> stopped;
    cell->OnStopped([&](const absl::Status& why) { stopped.set_value(why); });
    const auto answers = std::make_shared<Answers>();
    SendFromThreads(*cell, answers, GetParam(), [&] {
      cell->Start(1, LeaseToken(), Completion<absl::Status>([started](const absl::Status& status) {
                    started->set_value(status);
                  }));
      EXPECT_TRUE(started->get_future().get().ok());
      std::this_thread::sleep_for(std::chrono::microseconds(GetParam() * 300));
      cell->Stop(static_cast<StopMode>(GetParam() / 3 % 3));
    });
    EXPECT_TRUE(stopped.get_future().get().ok());
    ExpectAllAnswered(*answers);
  }

  Threads threads_;
  const std::shared_ptr<internal::ActorRuntime> runtime_ = std::make_shared<internal::ActorRuntime>(
      threads_.control, threads_.actors, RealClock(), NullLog());
};

TEST_P(ActorThreads, OfHandlers) {
  RunCell([this] { return std::make_unique<Busy>(threads_.actors); });
}

TEST_P(ActorThreads, OfOneCoroutine) {
  RunCell(
      CoroutineActor([](Mailbox& mailbox, ActorContext& context) -> asio::awaitable<absl::Status> {
        for (int64_t total = 0;;) {
          absl::StatusOr<Letter> letter = co_await mailbox.Receive();
          if (!letter.ok()) co_return absl::OkStatus();
          co_await asio::post(context.executor(), asio::use_awaitable);
          letter->reply.Answer(Buffer());
          if (++total == 50) throw std::runtime_error("fifty");
        }
      }));
}

TEST_P(ActorThreads, Mailbox) {
  auto end =
      std::make_shared<internal::MailboxEnd>(runtime_, *Name::Parse("live/mailbox/1"),
                                             Options().mailbox, Holding::kShared, 1, LeaseToken());
  Mailbox mailbox(end);
  const auto answers = std::make_shared<Answers>();
  auto reader = asio::co_spawn(
      threads_.actors,
      [&]() -> asio::awaitable<int> {
        for (int read = 0;; ++read) {
          absl::StatusOr<Letter> letter = co_await mailbox.Receive();
          if (!letter.ok()) co_return read;
          if (read % 3 == 0) letter->reply.Answer(Buffer());
        }
      },
      asio::use_future);
  SendFromThreads(*end, answers, GetParam(), [&] {
    std::this_thread::sleep_for(std::chrono::microseconds(GetParam() * 300));
    mailbox.Close();
  });
  reader.get();
  ExpectAllAnswered(*answers);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ActorThreads, ::testing::Range(uint64_t{0}, uint64_t{9}));

TEST(MailboxThreads, WithoutAName_Fails) {
  auto received = Mailbox().Receive(asio::use_future);
  EXPECT_EQ(received.get().status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace grid
