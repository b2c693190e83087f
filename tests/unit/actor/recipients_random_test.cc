// Recipients under random failures: each verb completes exactly once, and no message is delivered
// more often than its policy permits.
#include <boost/asio/bind_cancellation_slot.hpp>

#include <set>

#include "grid/testing/random.h"
#include "tests/unit/actor/recipients_fixture.h"

namespace grid {
namespace {

using RecipientsRandomTest = RecipientsTest;

constexpr int kSeeds = 60;
constexpr int64_t kVerbs = 150;

// What a verb may do at the most, and what it did.
struct Expected {
  CallPolicy policy;
  bool several = false;
  std::map<Target, uint32_t> executed = {};  // by target; a failure after it may have run counts
  std::map<Target, uint32_t> delivered = {};
};

TEST_F(RecipientsRandomTest, EachVerbCompletesOnce_NoneIsDeliveredMoreOftenThanItsPolicyPermits) {
  for (int seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::Random random(seed);
    Open({.max_targets = 6, .max_fan_out = 2, .max_handles = random.Below(4)}, seed);
    std::vector<std::optional<Registration>> held(8);
    std::map<int64_t, Expected> verbs;
    post_->sent.clear();
    post_->script = [&](const FakePost::Sent& sent) -> std::optional<LetterOutcome> {
      Expected& verb = verbs[sent.body];
      ++verb.delivered[sent.target];
      switch (random.Below(8)) {
        case 0:
          return Unreachable();
        case 1:
          return Failure(Delivery::kRejected, absl::StatusCode::kResourceExhausted);
        case 2:
          return NoSuchTargetError(sent.target.name.text(), sent.target.epoch, 0);
        case 3:
          ++verb.executed[sent.target];
          return Failure(Delivery::kMaybeExecuted, absl::StatusCode::kUnavailable);
        case 4:
          ++verb.executed[sent.target];
          return Failure(Delivery::kExecuted, absl::StatusCode::kAborted);
        case 5:
          ++verb.executed[sent.target];
          return std::nullopt;
        default:
          ++verb.executed[sent.target];
          return Number(1);
      }
    };
    std::vector<Recipients> handles;
    const std::vector<Routing> routings = {Routing::LocalFirst(), Routing::Random(),
                                           Routing::RoundRobin(), Routing::LeastOutstanding(),
                                           Routing::Hash("k"),    Routing::All(),
                                           Routing::First(2),     Routing::OnePerNextSegment()};
    for (int i = 0; i < 6; ++i) {
      CallPolicy policy;
      policy.deadline = milliseconds(random.Between(10, 3000));
      policy.attempts = static_cast<uint32_t>(random.Between(1, 4));
      policy.retry_maybe_executed = random.OneIn(3);
      policy.retry_executed = random.OneIn(4);
      if (random.OneIn(3)) policy.deduplicate = seconds(10);
      handles.push_back(To(Under("r/k"), routings[random.Below(routings.size())], policy));
    }
    // Handlers may outlive the loop below: what they count in does not.
    auto completed = std::make_shared<std::map<int64_t, int>>();
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
    std::vector<Gathering<int64_t>> gatherings;
    for (int64_t number = 0; number < kVerbs; ++number) {
      const Recipients& to = handles[random.Below(handles.size())];
      verbs[number] = {.policy = to.policy(), .several = !to.routing().one()};
      signals.push_back(std::make_unique<asio::cancellation_signal>());
      const auto slot = signals.back()->slot();
      const auto done = [completed, number](const auto&) { ++(*completed)[number]; };
      switch (random.Below(3)) {
        case 0:
          to.Send(kNote, number, asio::bind_cancellation_slot(slot, done));
          break;
        case 1:
          to.Call(kAdd, number, asio::bind_cancellation_slot(slot, done));
          break;
        default:
          if (random.OneIn(3)) {
            gatherings.push_back(to.Gather(kAdd, number));
            (*completed)[number] = 1;
          } else {
            to.GatherAll(kAdd, number, asio::bind_cancellation_slot(slot, done));
          }
          break;
      }
      if (random.OneIn(3)) RunFor(milliseconds(random.Below(200)));
      if (random.OneIn(4)) {
        auto& one = held[random.Below(held.size())];
        const std::string place = std::to_string(&one - held.data());
        if (one.has_value()) {
          one.reset();
          RunFor(milliseconds(1));
        } else {
          one = Register("m" + std::to_string(random.Below(3)), ("r/k/" + place).c_str());
        }
      }
      if (random.OneIn(5) && !post_->sent.empty()) {
        post_->sent[random.Below(post_->sent.size())].complete(Number(2));
      }
      if (random.OneIn(6)) {
        signals[random.Below(signals.size())]->emit(asio::cancellation_type::terminal);
      }
      if (random.OneIn(8) && !gatherings.empty()) gatherings.pop_back();
    }
    if (random.OneIn(2)) RunFor(seconds(10));
    env_->Close();
    gatherings.clear();
    RunFor(seconds(10));
    for (int64_t number = 0; number < kVerbs; ++number) {
      EXPECT_EQ((*completed)[number], 1) << "verb " << number;
      const Expected& verb = verbs[number];
      uint32_t executed = 0, delivered = 0;
      for (const auto& [target, count] : verb.executed) {
        // One more where the first one did not count: no such target.
        EXPECT_LE(verb.delivered.at(target), verb.policy.attempts + 1) << number;
        executed = verb.several ? std::max(executed, count) : executed + count;
      }
      for (const auto& [target, count] : verb.delivered) delivered += count;
      if (!verb.several) {
        EXPECT_LE(delivered, verb.policy.attempts + 1) << number;
      }
      const bool again = verb.policy.retry_maybe_executed || verb.policy.retry_executed;
      EXPECT_LE(executed, again ? verb.policy.attempts : 1) << number;
      // The callee would remember it: then all of them are the same name at the same member.
      if (verb.policy.deduplicate.count() > 0 && !verb.several) {
        std::set<std::pair<std::string, std::string>> places;
        for (const auto& [target, count] : verb.executed) {
          places.emplace(target.name.text(), target.member);
        }
        EXPECT_LE(places.size(), 1u) << number;
      }
    }
    EXPECT_EQ(counters().under_way, 0u);
    EXPECT_EQ(counters().watches, 0u);
    EXPECT_EQ(post_->open(), 0u);
    post_->script = [](const FakePost::Sent&) { return std::nullopt; };
  }
}

}  // namespace
}  // namespace grid
