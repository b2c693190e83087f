// What the tests of Recipients share: a directory on a virtual clock, members that register names
// in it, and a Post whose targets do what a script says.
#ifndef GRID_TESTS_UNIT_ACTOR_RECIPIENTS_FIXTURE_H_
#define GRID_TESTS_UNIT_ACTOR_RECIPIENTS_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/recipients.h"
#include "grid/actor/recipients_core.h"
#include "grid/actor/recipients_env.h"
#include "grid/directory/local_directory.h"
#include "grid/testing/probe.h"
#include "grid/testing/virtual_clock.h"

namespace grid {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr MessageType<int64_t, int64_t> kAdd{"test.add"};
inline constexpr MessageType<int64_t> kNote{"test.note"};
inline constexpr MessageType<std::vector<int64_t>> kBatch{"test.batch"};

// A Post without targets: each message does at once what `script` says, or waits to be completed.
class FakePost final : public internal::Post {
 public:
  struct Sent {
    Target target;
    std::string type;
    int64_t body = 0;
    std::vector<int64_t> items = {};  // of a kBatch, which has no body
    Acknowledgement acknowledge = {};
    TimePoint deadline = {};
    uint64_t call = 0;
    std::optional<Publication> publication = {};
    size_t message = 0;  // which Deliver or DeliverMany it came with, from 0
    bool open = true;
    bool cancelled = false;
    std::function<void(LetterOutcome)> complete = {};
  };
  // Nothing: it waits.
  using Script = std::function<std::optional<LetterOutcome>(const Sent&)>;

  std::shared_ptr<const internal::LocalLetters> letters() const override { return letters_; }

  void Deliver(const Target& target, const internal::Message& message,
               std::unique_ptr<OutcomeSink> sink) override {
    const std::shared_ptr<Cancellation> cancellation = sink->cancellation();
    const std::shared_ptr<OutcomeSink> shared = std::move(sink);
    const size_t number = messages++;
    Add(target, message, number, cancellation,
        [shared](LetterOutcome outcome) { shared->Complete(std::move(outcome)); });
    Run(sent.size() - 1, sent.size());
  }

  std::shared_ptr<internal::LetterBox> BoxHere(const Target& target) override {
    asked_for_boxes.push_back(target.name.text());
    return boxes[target.name.text()];
  }

  void DeliverMany(const std::string& member, const std::vector<Target>& targets,
                   const internal::Message& message, std::shared_ptr<internal::OutcomesSink> sink,
                   std::shared_ptr<Cancellation> cancellation) override {
    const size_t number = messages++;
    const size_t first = sent.size();
    for (size_t i = 0; i < targets.size(); ++i) {
      EXPECT_EQ(targets[i].member, member);
      Add(targets[i], message, number, cancellation,
          [sink, i](LetterOutcome outcome) { sink->Complete(i, std::move(outcome)); });
    }
    Run(first, first + targets.size());
  }

  void WhenConnected(const std::string& member,
                     absl::AnyInvocable<void(absl::Status)> done) override {
    when_connected[member].push_back(std::move(done));
  }
  void Connect(const std::string& member, const absl::Status& status = absl::OkStatus()) {
    for (auto& done : std::exchange(when_connected[member], {})) done(status);
  }

  size_t open() const {
    size_t count = 0;
    for (const Sent& one : sent) count += one.open ? 1 : 0;
    return count;
  }
  // The names that the messages went to, in order.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Sent& one : sent) names.push_back(one.target.name.text());
    return names;
  }

  Script script = [](const Sent&) { return std::nullopt; };
  std::deque<Sent> sent;
  size_t messages = 0;
  std::map<std::string, std::vector<absl::AnyInvocable<void(absl::Status)>>> when_connected;
  // Where letters arrive that nobody waits for, by name; and for which names that was asked.
  std::map<std::string, std::shared_ptr<internal::LetterBox>> boxes;
  std::vector<std::string> asked_for_boxes;

 private:
  void Add(const Target& target, const internal::Message& message, size_t number,
           const std::shared_ptr<Cancellation>& cancellation,
           std::function<void(LetterOutcome)> complete) {
    const size_t index = sent.size();
    int64_t body = 0;
    std::vector<int64_t> items;
    const bool batch = message.type == kBatch.name();
    EXPECT_TRUE((batch ? Decode(message.body, items) : Decode(message.body, body)).ok());
    sent.push_back({.target = target,
                    .type = std::string(message.type),
                    .body = body,
                    .items = std::move(items),
                    .acknowledge = message.acknowledge,
                    .deadline = message.deadline,
                    .call = message.call,
                    .publication = message.publication,
                    .message = number});
    sent[index].complete = [this, index, complete = std::move(complete)](LetterOutcome outcome) {
      if (!std::exchange(sent[index].open, false)) return;
      complete(std::move(outcome));
    };
    if (cancellation == nullptr) return;
    cancellation->OnCancel([this, index] {
      if (!sent[index].open) return;
      sent[index].cancelled = true;
      sent[index].complete(
          WithDelivery(absl::CancelledError("given up"), Delivery::kMaybeExecuted));
    });
  }
  void Run(size_t first, size_t end) {
    for (size_t i = first; i < end; ++i) {
      std::optional<LetterOutcome> outcome = script(sent[i]);
      if (outcome.has_value()) sent[i].complete(*std::move(outcome));
    }
  }

  const std::shared_ptr<const internal::LocalLetters> letters_ =
      std::make_shared<internal::LocalLetters>("self");
};

inline LetterOutcome Number(int64_t value) {
  Buffer bytes;
  EXPECT_TRUE(Encode(value, bytes).ok());
  return bytes;
}
inline absl::Status Failure(Delivery delivery, absl::StatusCode code, const char* text = "failed") {
  return WithDelivery(absl::Status(code, text), delivery);
}
inline absl::Status Unreachable() { return DisconnectedError("no connection", Delivery::kNotSent); }

class RecipientsTest : public ::testing::Test {
 protected:
  using Called = absl::StatusOr<Answer<int64_t>>;

  void SetUp() override { Open({}); }
  void TearDown() override {
    if (env_ != nullptr) env_->Close();
    testing::Drain(io_);
    // Each remembers whom it was to tell, who keep the post.
    post_->sent.clear();
    directories_.clear();
    testing::Drain(io_);
  }
  // A new system, with these limits.
  void Open(ActorLimits limits, uint64_t seed = 1) {
    if (env_ != nullptr) env_->Close();
    env_ = std::make_shared<internal::RecipientsEnv>(
        internal::RecipientsEnvOptions{.post = post_,
                                       .directory = &At("self"),
                                       .io = &io_,
                                       .clock = clock_,
                                       .limits = limits,
                                       .seed = seed});
  }

  Directory& At(const std::string& member) {
    auto& directory = directories_[member];
    if (directory == nullptr) {
      DirectoryOptions options;
      options.io = &io_;
      options.member = member;
      options.clock = clock_;
      options.log = NullLog();
      options.seed = directories_.size();
      auto joined = table_.Join(options);
      EXPECT_TRUE(joined.ok()) << joined.status();
      directory = *std::move(joined);
    }
    return *directory;
  }
  Registration Register(const std::string& member, const char* name,
                        Holding holding = Holding::kExclusive, Attributes attributes = {}) {
    testing::Probe<absl::StatusOr<Registration>> held("Register");
    At(member).Register(N(name), holding, std::move(attributes), milliseconds(0), held.Handler());
    EXPECT_TRUE(Run([&] { return held.done(); }, seconds(60)));
    EXPECT_TRUE(held.value().ok()) << held.value().status();
    return *std::move(held.value());
  }
  // "r/k/0" to "r/k/<count - 1>", each with a member of its own, "m0" and so on.
  std::vector<Registration> RegisterRing(int count) {
    std::vector<Registration> held;
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      held.push_back(Register("m" + number, ("r/k/" + number).c_str()));
    }
    return held;
  }
  void Update(Registration& held, Attributes attributes) {
    testing::Probe<absl::Status> updated("Update");
    held.Update(std::move(attributes), milliseconds(0), updated.Handler());
    EXPECT_TRUE(Run([&] { return updated.done(); }, seconds(60)));
    RunFor(milliseconds(1));
  }

  static Name N(std::string_view text) { return *Name::Parse(text); }
  static Selector Under(std::string_view path) { return Selector::Under(*Path::Parse(path)); }
  static CallPolicy P(const char* text) { return *CallPolicy::Parse(text); }
  Recipients To(Selector selector, Routing routing = Routing::RoundRobin(),
                CallPolicy policy = CallPolicy()) {
    return Recipients(internal::RecipientsCore::Make(env_, std::move(selector), std::move(routing),
                                                     policy, std::nullopt));
  }

  bool Run(absl::FunctionRef<bool()> predicate, Duration limit) {
    return testing::RunUntil(io_, *clock_, predicate, limit);
  }
  void RunFor(Duration duration) { testing::RunFor(io_, *clock_, duration); }

  Called Call(const Recipients& to, int64_t value = 1) {
    testing::Probe<Called> called("Call");
    to.Call(kAdd, value, called.Handler());
    EXPECT_TRUE(Run([&] { return called.done(); }, std::chrono::hours(1)));
    return std::move(called.value());
  }
  absl::Status Send(const Recipients& to, int64_t value = 1) {
    testing::Probe<absl::Status> sent("Send");
    to.Send(kNote, value, sent.Handler());
    EXPECT_TRUE(Run([&] { return sent.done(); }, std::chrono::hours(1)));
    return sent.value();
  }
  GatherResults<int64_t> GatherAll(const Recipients& to, int64_t value = 1) {
    testing::Probe<GatherResults<int64_t>> gathered("GatherAll");
    to.GatherAll(kAdd, value, gathered.Handler());
    EXPECT_TRUE(Run([&] { return gathered.done(); }, std::chrono::hours(1)));
    return std::move(gathered.value());
  }
  absl::StatusOr<std::optional<TargetResult<int64_t>>> Next(Gathering<int64_t>& gathering) {
    testing::Probe<absl::StatusOr<std::optional<TargetResult<int64_t>>>> next("Next");
    gathering.Next(next.Handler());
    EXPECT_TRUE(Run([&] { return next.done(); }, std::chrono::hours(1)));
    return std::move(next.value());
  }
  // So that it watches, and has heard all there is: `to` is used as often as that takes.
  void Warm(const Recipients& to) {
    const FakePost::Script script = std::exchange(post_->script, AnswerOne());
    for (int i = 0; i < 2; ++i) {
      (void)(to.routing().one() ? Call(to).status() : GatherAll(to).status());
      RunFor(milliseconds(1));
    }
    post_->script = script;
    post_->sent.clear();
    post_->messages = 0;
  }
  static FakePost::Script AnswerOne() {
    return [](const FakePost::Sent& sent) { return Number(sent.body + 1); };
  }
  internal::RecipientsCounters& counters() { return env_->counters(); }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  asio::io_context io_;
  LocalDirectory table_{{.io = &io_, .clock = clock_}};
  std::map<std::string, std::unique_ptr<Directory>> directories_;
  const std::shared_ptr<FakePost> post_ = std::make_shared<FakePost>();
  std::shared_ptr<internal::RecipientsEnv> env_;
};

}  // namespace grid

#endif  // GRID_TESTS_UNIT_ACTOR_RECIPIENTS_FIXTURE_H_
