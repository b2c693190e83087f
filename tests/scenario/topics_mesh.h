// TopicsTest: an ActorMesh with subscribers to r/topic that remember what they have heard.
#ifndef GRID_TESTS_SCENARIO_TOPICS_MESH_H_
#define GRID_TESTS_SCENARIO_TOPICS_MESH_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grid/actor/producer.h"
#include "grid/actor/publisher.h"
#include "grid/actor/sequence_check.h"
#include "tests/scenario/actor_mesh.h"

namespace grid::actors_test {

using Verdict = SequenceCheck::Verdict;

inline constexpr MessageType<std::vector<int64_t>> kItems{"items"};

// What one subscriber has seen.
struct Heard {
  std::vector<std::string> texts = {};
  std::vector<int64_t> items = {};
  std::vector<Publication> publications = {};
  std::vector<SequenceCheck::Result> verdicts = {};
  SequenceCheck check{};

  std::vector<uint64_t> numbers() const {
    std::vector<uint64_t> numbers;
    for (const Publication& publication : publications) numbers.push_back(publication.sequence);
    return numbers;
  }
};

// Takes what it has not seen before.
class Listener final : public Actor {
 public:
  explicit Listener(std::shared_ptr<Heard> heard) : heard_(std::move(heard)) {
    On(kDrop, [this](const Text& text, ActorContext& context) -> absl::Status {
      if (Fresh(context)) heard_->texts.push_back(text.text);
      return absl::OkStatus();
    });
    On(kItems, [this](const std::vector<int64_t>& items, ActorContext& context) -> absl::Status {
      if (Fresh(context)) {
        heard_->items.insert(heard_->items.end(), items.begin(), items.end());
      }
      return absl::OkStatus();
    });
  }

 private:
  bool Fresh(ActorContext& context) {
    const auto& publication = context.sender().publication;
    if (!publication.has_value()) return true;
    heard_->publications.push_back(*publication);
    heard_->verdicts.push_back(heard_->check.Check(*publication));
    return heard_->verdicts.back().fresh();
  }

  const std::shared_ptr<Heard> heard_;
};

class TopicsTest : public ActorMesh {
 protected:
  absl::StatusOr<ActorHandle> Subscribe(int node, std::string_view name,
                                        const std::shared_ptr<Heard>& heard,
                                        MailboxOptions mailbox = {}) {
    testing::Probe<absl::StatusOr<ActorHandle>> started("Subscribe");
    At(node).Start(
        N(name),
        [heard]() -> absl::StatusOr<std::unique_ptr<Actor>> {
          return std::make_unique<Listener>(heard);
        },
        {.mailbox = mailbox, .holding = Holding::kShared}, started.Handler());
    return Await(started);
  }
  Publisher Topic(int node, CallPolicy policy = Once(), PublisherOptions options = {}) {
    return Publisher(At(node).To(Under("r/topic"), Routing::All(), policy), options);
  }
  absl::StatusOr<PublishReport> Publish(const Publisher& publisher, std::string text) {
    testing::Probe<absl::StatusOr<PublishReport>> published("Publish");
    publisher.Publish(kDrop, Text{.text = std::move(text)}, published.Handler());
    return Await(published);
  }
  // One on each of the members 1 to 3.
  std::vector<std::shared_ptr<Heard>> SubscribeAll() {
    std::vector<std::shared_ptr<Heard>> heard;
    for (const int node : {1, 2, 3}) {
      heard.push_back(std::make_shared<Heard>());
      EXPECT_TRUE(Subscribe(node, "r/topic/" + std::to_string(node), heard.back()).ok());
    }
    return heard;
  }
  std::unique_ptr<Producer<int64_t>> MakeProducer(const Publisher& to, ProducerOptions options) {
    options.io = &cluster().io();
    options.clock = cluster().shared_clock();
    options.log = NullLog();
    auto producer = Producer<int64_t>::Make(to, kItems, std::move(options));
    EXPECT_TRUE(producer.ok()) << producer.status();
    return *std::move(producer);
  }
  ProducerRest StopProducer(Producer<int64_t>& producer) {
    testing::Probe<ProducerRest> stopped("Stop");
    producer.Stop(stopped.Handler());
    return Await(stopped);
  }
};

}  // namespace grid::actors_test

#endif  // GRID_TESTS_SCENARIO_TOPICS_MESH_H_
