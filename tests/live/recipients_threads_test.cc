// Recipients from several threads at once: verbs, cancellation, failures, changes in the directory,
// and the system's stop in the middle of it. For the thread sanitizer as much as for what it
// checks.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grid/actor/recipients.h"
#include "grid/actor/recipients_core.h"
#include "grid/actor/recipients_env.h"
#include "grid/directory/local_directory.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MessageType<int64_t, int64_t> kAdd{"test.add"};

// Answers on threads of its own, now and then with a failure, or not at all.
class BusyPost final : public internal::Post {
 public:
  ~BusyPost() override { Join(); }
  void Join() {
    work_.reset();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  std::shared_ptr<const internal::LocalLetters> letters() const override { return letters_; }
  void Deliver(const Target& target, const internal::Message&,
               std::unique_ptr<OutcomeSink> sink) override {
    const std::shared_ptr<Cancellation> cancellation = sink->cancellation();
    Answer(target, cancellation,
           [sink = std::shared_ptr<OutcomeSink>(std::move(sink))](LetterOutcome outcome) {
             sink->Complete(std::move(outcome));
           });
  }
  void DeliverMany(const std::string&, const std::vector<Target>& targets, const internal::Message&,
                   std::shared_ptr<internal::OutcomesSink> sink,
                   std::shared_ptr<Cancellation> cancellation) override {
    for (size_t i = 0; i < targets.size(); ++i) {
      Answer(targets[i], cancellation,
             [sink, i](LetterOutcome outcome) { sink->Complete(i, std::move(outcome)); });
    }
  }
  void WhenConnected(const std::string&, absl::AnyInvocable<void(absl::Status)> done) override {
    done(absl::OkStatus());
  }

 private:
  static LetterOutcome Outcome(uint64_t number, const Target& target) {
    if (number % 7 == 0) return DisconnectedError("lost", Delivery::kNotSent);
    if (number % 11 == 0) return NoSuchTargetError(target.name.text(), target.epoch, 0);
    if (number % 13 == 0) return WithDelivery(absl::AbortedError("no"), Delivery::kExecuted);
    Buffer bytes;
    EXPECT_TRUE(Encode(int64_t{1}, bytes).ok());
    return bytes;
  }
  template <typename Complete>
  void Answer(const Target& target, const std::shared_ptr<Cancellation>& cancellation,
              Complete complete) {
    const uint64_t number = ++numbers_;
    if (number % 17 == 0) {
      cancellation->OnCancel([complete] {
        complete(WithDelivery(absl::CancelledError("given up"), Delivery::kMaybeExecuted));
      });
    } else if (number % 3 == 0) {
      complete(Outcome(number, target));
    } else {
      asio::post(io_, [number, target, complete] { complete(Outcome(number, target)); });
    }
  }

  const std::shared_ptr<const internal::LocalLetters> letters_ =
      std::make_shared<internal::LocalLetters>("self");
  std::atomic<uint64_t> numbers_{0};
  asio::io_context io_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      asio::make_work_guard(io_)};
  std::thread threads_[2] = {std::thread([this] { io_.run(); }),
                             std::thread([this] { io_.run(); })};
};

TEST(RecipientsThreadsTest, VerbsCompleteOnce_WhateverHappensAtTheSameTime) {
  asio::io_context io;
  const auto work = asio::make_work_guard(io);
  std::thread control([&] { io.run(); });
  LocalDirectory table({.io = &io});
  const auto join = [&](const char* member) {
    DirectoryOptions options;
    options.io = &io;
    options.member = member;
    options.log = NullLog();
    return *table.Join(options);
  };
  std::unique_ptr<Directory> ours = join("self"), theirs = join("a");
  const auto name = [](int i) { return *Name::Parse("r/k/" + std::to_string(i)); };
  const auto hold = [&](int i) {
    auto held = theirs->Register(name(i), Holding::kShared, {}, seconds(30), asio::use_future);
    return held.get();
  };
  std::vector<absl::StatusOr<Registration>> held;
  for (int i = 0; i < 6; ++i) held.push_back(hold(i));

  const auto post = std::make_shared<BusyPost>();
  auto env = std::make_shared<internal::RecipientsEnv>(internal::RecipientsEnvOptions{
      .post = post, .directory = ours.get(), .io = &io, .limits = {.max_fan_out = 2}});
  CallPolicy policy;
  policy.deadline = milliseconds(200);
  policy.back_off = {.first = milliseconds(0), .most = milliseconds(2)};
  const Selector all = Selector::Under(*Path::Parse("r/k"));
  const auto to = [&](Routing routing) {
    return Recipients(
        internal::RecipientsCore::Make(env, all, std::move(routing), policy, std::nullopt));
  };
  const Recipients one = to(Routing::LeastOutstanding()), several = to(Routing::All()),
                   first = to(Routing::First(2));
  // A name that is there every other moment: its calls wait.
  const Name lone = *Name::Parse("r/lone/1");
  const Recipients waits(internal::RecipientsCore::Make(
      env, Selector::Of({lone}), Routing::LocalFirst(), policy, std::nullopt));

  std::atomic<int> begun{0}, completed{0};
  std::atomic<bool> stop{false};
  const auto verbs = [&] {
    for (int i = 0; i < 1500 && !stop; ++i) {
      ++begun;
      switch (i % 5) {
        case 0:
          one.Call(kAdd, i, [&](const auto&) { ++completed; });
          break;
        case 1:
          several.GatherAll(kAdd, i, [&](const auto&) { ++completed; });
          break;
        case 2: {
          Gathering<int64_t> dropped = first.Gather(kAdd, i);
          dropped.Next([&](const auto&) { ++completed; });
          break;
        }
        case 3:
          waits.Call(kAdd, i, [&](const auto&) { ++completed; });
          break;
        default:
          // A handle of its own, which goes at once.
          to(Routing::Random()).Send(kAdd, i, [&](const auto&) { ++completed; });
          break;
      }
    }
  };
  std::thread callers[3] = {std::thread(verbs), std::thread(verbs), std::thread(verbs)};
  for (int round = 0; round < 20; ++round) {
    held[round % held.size()] = absl::NotFoundError("given back");
    held[round % held.size()] = hold(round % 6);
    absl::StatusOr<Registration> there =
        theirs->Register(lone, Holding::kExclusive, {}, seconds(30), asio::use_future).get();
    EXPECT_TRUE(there.ok()) << there.status();
    if (there.ok()) {
      EXPECT_TRUE(there->Release(asio::use_future).get().ok());
    }
  }
  env->Close();
  stop = true;
  for (std::thread& caller : callers) caller.join();
  // What was begun before has been ended by Close, what came later was refused.
  post->Join();
  EXPECT_EQ(completed, begun);
  EXPECT_EQ(env->counters().under_way, 0u);
  EXPECT_EQ(env->counters().watches, 0u);
  EXPECT_EQ(env->counters().waiting, 0u);
  held.clear();
  EXPECT_TRUE(ours->Stop(asio::use_future).get().ok());
  EXPECT_TRUE(theirs->Stop(asio::use_future).get().ok());
  ours.reset();
  theirs.reset();
  // Behind what they still have there. The table's own timer would keep it going.
  asio::post(io, asio::use_future).get();
  io.stop();
  control.join();
}

}  // namespace
}  // namespace grid
