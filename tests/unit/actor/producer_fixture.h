// What the tests of Producer share: one of numbers, and the outcome of each of them.
#ifndef GRID_TESTS_UNIT_ACTOR_PRODUCER_FIXTURE_H_
#define GRID_TESTS_UNIT_ACTOR_PRODUCER_FIXTURE_H_

#include <memory>
#include <utility>
#include <vector>

#include "grid/actor/producer.h"
#include "tests/unit/actor/recipients_fixture.h"

namespace grid {

using Decision = ProducerDecision;
using Batches = std::vector<std::vector<int64_t>>;

class ProducerTest : public RecipientsTest {
 protected:
  using Numbers = Producer<int64_t>;

  void TearDown() override {
    producer_.reset();
    testing::Drain(io_);
    RecipientsTest::TearDown();
  }
  void Make(ProducerOptions options = {}, CallPolicy policy = P("deadline=1s attempts=1")) {
    MakeTo(To(Under("r/k"), Routing::RoundRobin(), policy), std::move(options));
  }
  template <typename Where>
  void MakeTo(const Where& to, ProducerOptions options) {
    producer_.reset();
    testing::Drain(io_);
    outcomes_.clear();
    options.io = &io_;
    options.clock = clock_;
    options.log = NullLog();
    auto made = Numbers::Make(to, kBatch, std::move(options));
    ASSERT_TRUE(made.ok()) << made.status();
    producer_ = *std::move(made);
  }
  // Its outcome comes into outcomes_, at the place of `value`.
  void Produce(int64_t value) {
    if (outcomes_.size() <= static_cast<size_t>(value)) outcomes_.resize(value + 1);
    producer_->Produce(value,
                       [this, value](absl::Status status) { outcomes_[value].push_back(status); });
  }
  void ProduceAll(int64_t from, int64_t to) {
    for (int64_t value = from; value < to; ++value) Produce(value);
  }
  // Each of them has exactly one outcome.
  absl::Status Outcome(int64_t value) {
    EXPECT_EQ(outcomes_[value].size(), 1u) << value;
    return outcomes_[value].empty() ? absl::UnknownError("none") : outcomes_[value][0];
  }
  ProducerRest Stop() {
    testing::Probe<ProducerRest> stopped("Stop");
    producer_->Stop(stopped.Handler());
    EXPECT_TRUE(Run([&] { return stopped.done(); }, std::chrono::hours(1)));
    return std::move(stopped.value());
  }
  // What was sent, each attempt.
  Batches Sent() const {
    Batches batches;
    for (const FakePost::Sent& sent : post_->sent) batches.push_back(sent.items);
    return batches;
  }
  static std::vector<int64_t> Range(int64_t from, int64_t to) {
    std::vector<int64_t> values;
    for (; from < to; ++from) values.push_back(from);
    return values;
  }
  static FakePost::Script Always(const absl::Status& status) {
    return [status](const FakePost::Sent&) { return status; };
  }

  std::unique_ptr<Numbers> producer_;
  std::vector<std::vector<absl::Status>> outcomes_;
};

}  // namespace grid

#endif  // GRID_TESTS_UNIT_ACTOR_PRODUCER_FIXTURE_H_
