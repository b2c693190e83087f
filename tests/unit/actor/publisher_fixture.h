// What the tests of Publisher share: one over a FakePost, and what came to whom.
#ifndef GRID_TESTS_UNIT_ACTOR_PUBLISHER_FIXTURE_H_
#define GRID_TESTS_UNIT_ACTOR_PUBLISHER_FIXTURE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/publisher.h"
#include "tests/unit/actor/recipients_fixture.h"

namespace grid {

class PublisherTest : public RecipientsTest {
 protected:
  using Published = absl::StatusOr<PublishReport>;
  using PublishedProbe = testing::Probe<Published>;

  Publisher ToTopic(const char* policy = "attempts=1", PublisherOptions options = {}) {
    return Publisher(To(Under("r/k"), Routing::All(), P(policy)), options);
  }
  Published Publish(const Publisher& publisher, int64_t value = 1) {
    PublishedProbe published("Publish");
    publisher.Publish(kNote, value, published.Handler());
    EXPECT_TRUE(Run([&] { return published.done(); }, std::chrono::hours(1)));
    return std::move(published.value());
  }
  Published Republish(const Publisher& publisher, PublishReport report, int64_t value = 1) {
    PublishedProbe published("Republish");
    publisher.Republish(kNote, value, std::move(report), published.Handler());
    EXPECT_TRUE(Run([&] { return published.done(); }, std::chrono::hours(1)));
    return std::move(published.value());
  }
  // The numbers that came to each name, in order.
  std::map<std::string, std::vector<uint64_t>> Numbers() const {
    std::map<std::string, std::vector<uint64_t>> numbers;
    for (const FakePost::Sent& sent : post_->sent) {
      numbers[sent.target.name.text()].push_back(sent.publication->sequence);
    }
    return numbers;
  }
  static std::vector<std::string> Names(const std::vector<Target>& targets) {
    std::vector<std::string> names;
    for (const Target& target : targets) names.push_back(target.name.text());
    return names;
  }
};

}  // namespace grid

#endif  // GRID_TESTS_UNIT_ACTOR_PUBLISHER_FIXTURE_H_
