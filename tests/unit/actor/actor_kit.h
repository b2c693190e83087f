// What tests of single actors and mailboxes share: a runtime on a virtual clock, letters, and what
// became of them.
#ifndef GRID_TESTS_UNIT_ACTOR_ACTOR_KIT_H_
#define GRID_TESTS_UNIT_ACTOR_ACTOR_KIT_H_

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/actor.h"
#include "grid/actor/actor_cell.h"
#include "grid/actor/actor_runtime.h"
#include "grid/actor/letter.h"
#include "grid/testing/capture_log.h"
#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"
#include "handlers/delivery.h"

namespace grid {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Add {
  int64_t by = 0;
  MSGPACK_DEFINE_MAP(by);
};
inline constexpr MessageType<Add, int64_t> kAdd{"test.add"};
inline constexpr MessageType<std::string, std::string> kEcho{"test.echo"};
inline constexpr MessageType<std::string> kTell{"test.tell"};

// Who answers one letter tells `done`.
inline ReplyToken TokenFor(absl::AnyInvocable<void(LetterOutcome)> done) {
  class Sink final : public OutcomeSink {
   public:
    explicit Sink(absl::AnyInvocable<void(LetterOutcome)> done) : done_(std::move(done)) {}
    void Complete(LetterOutcome outcome) override { done_(std::move(outcome)); }

   private:
    absl::AnyInvocable<void(LetterOutcome)> done_;
  };
  return ReplyToken(std::make_unique<Sink>(std::move(done)));
}

// What became of one letter; the test fails if it is never answered, or twice.
class Outcome {
 public:
  explicit Outcome(std::string name = "letter")
      : probe_(std::make_unique<testing::Probe<LetterOutcome>>(std::move(name))) {}

  // For one letter.
  ReplyToken Token() { return TokenFor(probe_->Handler()); }

  bool done() const { return probe_->done(); }
  // These only once it is done.
  absl::Status status() { return probe_->value().status(); }
  absl::StatusCode code() { return status().code(); }
  std::string text() { return std::string(status().message()); }
  Delivery delivery() { return DeliveryOf(status()); }
  bool nil() { return probe_->value().ok() && probe_->value()->is_nil(); }
  template <typename T>
  T As() {
    T value{};
    EXPECT_TRUE(probe_->value().ok()) << status();
    if (probe_->value().ok()) {
      EXPECT_TRUE(Decode(probe_->value()->view(), value).ok());
    }
    return value;
  }

 private:
  std::unique_ptr<testing::Probe<LetterOutcome>> probe_;
};

template <typename Req, typename Resp>
Letter MakeLetter(const MessageType<Req, Resp>& type, const Req& request) {
  Letter letter;
  letter.message = Buffer::CopyOf(type.name());
  letter.type_bytes = static_cast<uint32_t>(type.name().size());
  EXPECT_TRUE(Encode(request, letter.message).ok());
  static const auto* const sender = new std::shared_ptr<const Sender>(
      std::make_shared<const Sender>(Sender{.process = {.host = "http://sender"}}));
  letter.sender = *sender;
  return letter;
}

// An actor of lambdas.
class TestActor : public Actor {
 public:
  using Actor::On;
  using Actor::OnOther;

  asio::awaitable<absl::Status> OnStart(ActorContext& context) override {
    if (!on_start) return {};
    return on_start(context);
  }
  void OnStop(const absl::Status& why) override {
    if (on_stop) on_stop(why);
  }

  std::function<asio::awaitable<absl::Status>(ActorContext&)> on_start;
  std::function<void(const absl::Status&)> on_stop;
};

class ActorTest : public ::testing::Test {
 protected:
  using Setup = std::function<void(TestActor&)>;

  // Before the members that actors refer to go.
  void TearDown() override {
    for (const auto& cell : cells_) cell->Stop(StopMode::kKill);
    testing::Drain(io_);
    cells_.clear();
    testing::Drain(io_);
  }

  static Name At(const std::string& text) { return *Name::Parse(text); }

  // A shared holder: nobody looks at its lease.
  static ActorOptions Shared() {
    ActorOptions options;
    options.holding = Holding::kShared;
    return options;
  }
  // Not started.
  std::shared_ptr<internal::ActorCell> Make(ActorOptions options, ActorFactory factory) {
    EXPECT_TRUE(options.Check().ok()) << options.Check();
    auto cell = std::make_shared<internal::ActorCell>(runtime_, At("test/actor/1"),
                                                      std::move(options), std::move(factory));
    cells_.push_back(cell);
    return cell;
  }
  std::shared_ptr<internal::ActorCell> Make(ActorOptions options, Setup setup) {
    return Make(std::move(options), ActorFactory([this, setup = std::move(setup)] {
                  ++made_;
                  auto actor = std::make_unique<TestActor>();
                  setup(*actor);
                  return actor;
                }));
  }
  // Started, without a lease.
  template <typename Factory>
  std::shared_ptr<internal::ActorCell> Start(ActorOptions options, Factory factory) {
    auto cell = Make(std::move(options), std::move(factory));
    testing::Probe<absl::Status> started("start");
    cell->Start(7, LeaseToken(), Completion<absl::Status>(started.Handler()));
    testing::Drain(io_);
    EXPECT_TRUE(started.done());
    EXPECT_TRUE(started.value().ok()) << started.value();
    return cell;
  }

  // Sends, without running anything.
  template <typename Req, typename Resp>
  Outcome Ask(
      internal::LetterBox& box, const MessageType<Req, Resp>& type, const Req& request,
      const std::function<void(Letter&)>& adjust = [](Letter&) {}) {
    Outcome outcome;
    Letter letter = MakeLetter(type, request);
    letter.reply = outcome.Token();
    adjust(letter);
    box.Put(std::move(letter));
    return outcome;
  }
  Outcome AskAdd(
      internal::LetterBox& box, int64_t by,
      const std::function<void(Letter&)>& adjust = [](Letter&) {}) {
    return Ask(box, kAdd, Add{.by = by}, adjust);
  }

  void Run() { testing::Drain(io_); }
  void RunFor(Duration duration) { testing::RunFor(io_, *clock_, duration); }
  internal::ActorCounters& counters() { return runtime_->counters; }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  asio::io_context io_;
  const std::shared_ptr<testing::CaptureLog> log_ = std::make_shared<testing::CaptureLog>(clock_);
  const std::shared_ptr<internal::ActorRuntime> runtime_ =
      std::make_shared<internal::ActorRuntime>(io_, io_, clock_, log_);
  std::vector<std::shared_ptr<internal::ActorCell>> cells_;
  int made_ = 0;
};

// What coroutines of a test wait for.
class Gate {
 public:
  explicit Gate(asio::io_context& io) : timer_(io, asio::steady_timer::time_point::max()) {}

  // Throws, as any operation does, when the coroutine is cancelled.
  asio::awaitable<void> Wait() {
    const int before = opened_;
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (opened_ == before) throw std::runtime_error("cancelled at the gate");
  }
  // For those that wait now.
  void Open() {
    ++opened_;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  int opened_ = 0;
};

}  // namespace grid

#endif  // GRID_TESTS_UNIT_ACTOR_ACTOR_KIT_H_
