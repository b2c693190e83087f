// Publishers and producers from several threads at once, with subscribers on others: every number
// and every item comes once, and in order. For the thread sanitizer as much as for what it checks.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "grid/actor/actor_system.h"
#include "grid/actor/producer.h"
#include "grid/actor/publisher.h"
#include "grid/actor/sequence_check.h"
#include "grid/directory/local_directory.h"
#include "grid/manager.h"

namespace grid {
namespace {

constexpr int kThreads = 3;
constexpr int64_t kEach = 400;
constexpr MessageType<int64_t> kOne{"one"};
constexpr MessageType<std::vector<int64_t>> kMany{"many"};

// Serial, so it needs no lock; read once everything has been acknowledged as processed.
struct Heard {
  std::vector<int64_t> items = {};
  SequenceCheck check{};
};

class Listener final : public Actor {
 public:
  explicit Listener(std::shared_ptr<Heard> heard) : heard_(std::move(heard)) {
    On(kOne, [this](int64_t item, ActorContext& context) -> absl::Status {
      heard_->check.Check(*context.sender().publication);
      heard_->items.push_back(item);
      return absl::OkStatus();
    });
    On(kMany, [this](const std::vector<int64_t>& items, ActorContext& context) -> absl::Status {
      heard_->check.Check(*context.sender().publication);
      heard_->items.insert(heard_->items.end(), items.begin(), items.end());
      return absl::OkStatus();
    });
  }

 private:
  const std::shared_ptr<Heard> heard_;
};

class TopicsThreadsTest : public ::testing::Test {
 protected:
  TopicsThreadsTest() : manager_({.local = "http://127.0.0.1:7"}) {
    DirectoryOptions options;
    options.io = &io_;
    options.member = manager_.local();
    options.log = NullLog();
    names_ = *table_.Join(options);
    system_ = *ActorSystem::Make(manager_, *names_, {.io = &io_, .threads = 2, .log = NullLog()});
    for (int i = 0; i < 2; ++i) {
      heard_.push_back(std::make_shared<Heard>());
      auto started = system_->Start(
          *Name::Parse("r/topic/" + std::to_string(i)),
          [heard = heard_.back()]() -> absl::StatusOr<std::unique_ptr<Actor>> {
            return std::make_unique<Listener>(heard);
          },
          {.holding = Holding::kShared}, asio::use_future);
      EXPECT_TRUE(started.get().ok());
    }
  }
  ~TopicsThreadsTest() override {
    EXPECT_TRUE(system_->Stop(asio::use_future).get().ok());
    work_.reset();
    control_.join();
    system_.reset();
    names_.reset();
  }
  // Runs `function(item)` for the items of each thread.
  template <typename Function>
  static void OnThreads(Function function) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int64_t i = 0; i < kEach; ++i) function(thread * kEach + i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // Each item came once to each, those of one thread in order.
  void ExpectAll() {
    for (const auto& heard : heard_) {
      std::map<int64_t, int64_t> next;
      for (const int64_t item : heard->items) EXPECT_EQ(item % kEach, next[item / kEach]++);
      EXPECT_EQ(heard->items.size(), static_cast<size_t>(kThreads * kEach));
      const SequenceCheck::Stats& stats = heard->check.stats();
      EXPECT_EQ(stats.missed + stats.late + stats.duplicates, 0u);
    }
  }
  Publisher ToTopic(PublisherOptions options = {}) {
    return Publisher(system_->To(Selector::Under(*Path::Parse("r/topic")), Routing::All()),
                     options);
  }

  asio::io_context io_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
      asio::make_work_guard(io_)};
  std::thread control_{[this] { io_.run(); }};
  Manager manager_;
  LocalDirectory table_{{.io = &io_}};
  std::unique_ptr<Directory> names_;
  std::unique_ptr<ActorSystem> system_;
  std::vector<std::shared_ptr<Heard>> heard_;
};

TEST_F(TopicsThreadsTest, PublishersFromManyThreads_KeepTheirOrder) {
  const Publisher publisher = ToTopic();
  std::atomic<int> reached{0};
  std::promise<void> all;
  OnThreads([&](int64_t item) {
    publisher.Publish(kOne, item, [&](const absl::StatusOr<PublishReport>& report) {
      EXPECT_TRUE(report.ok() && report->reached.size() == 2) << report.status();
      if (++reached == kThreads * kEach) all.set_value();
    });
  });
  all.get_future().wait();
  ExpectAll();
}

TEST_F(TopicsThreadsTest, AProducerTakesItemsFromManyThreads) {
  auto made = Producer<int64_t>::Make(ToTopic(), kMany, {.io = &io_, .max_batch = 50});
  ASSERT_TRUE(made.ok()) << made.status();
  std::atomic<int> sent{0};
  OnThreads([&](int64_t item) {
    (*made)->Produce(item, [&](const absl::Status& status) { sent += status.ok() ? 1 : 0; });
    if (item % 100 == 0) (void)(*made)->Stats();
  });
  const ProducerRest rest = (*made)->Stop(asio::use_future).get();
  EXPECT_TRUE(rest.status.ok()) << rest.status;
  EXPECT_EQ(sent, kThreads * kEach);
  ExpectAll();
  // On its thread.
  asio::post(io_, [&] { made->reset(); });
  asio::post(io_, asio::use_future).get();
}

TEST_F(TopicsThreadsTest, TheSystemStopsInTheMiddle) {
  const Publisher publisher = ToTopic({.max_under_way = 4});
  auto made = Producer<int64_t>::Make(ToTopic(), kMany, {.io = &io_, .log = NullLog()});
  ASSERT_TRUE(made.ok()) << made.status();
  std::atomic<int> completed{0};
  std::future<absl::Status> stopped;
  OnThreads([&](int64_t item) {
    publisher.Publish(kOne, item, [&](const auto&) { ++completed; });
    (*made)->Produce(item, [&](const absl::Status&) { ++completed; });
    if (item == kEach / 2) stopped = system_->Stop(asio::use_future);
  });
  EXPECT_TRUE(stopped.get().ok());
  (*made)->Stop(asio::use_future).get();
  // Publications that are over at the system's stop, and their successors, which fail at once.
  for (int i = 0; i < 30'000 && completed < 2 * kThreads * kEach; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(completed, 2 * kThreads * kEach);
  asio::post(io_, [&] { made->reset(); });
  asio::post(io_, asio::use_future).get();
}

}  // namespace
}  // namespace grid
