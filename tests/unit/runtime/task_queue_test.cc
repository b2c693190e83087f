#include "grid/runtime/task_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace grid {
namespace {

// Notes its number when it is destroyed without having been taken.
class Numbered final : public LinkTask {
 public:
  Numbered(int number, std::vector<int>* dropped) : number(number), dropped_(dropped) {}
  ~Numbered() override {
    if (!taken) dropped_->push_back(number);
  }
  void Run(Link&) override {}

  const int number;
  bool taken = false;

 private:
  std::vector<int>* const dropped_;
};

class TaskQueueTest : public ::testing::Test {
 protected:
  TaskQueue::Pushed Push(int number) {
    std::unique_ptr<LinkTask> task = std::make_unique<Numbered>(number, &dropped_);
    return queue_.Push(task);
  }
  auto Take() {
    return [this](std::unique_ptr<LinkTask> task) {
      auto& numbered = static_cast<Numbered&>(*task);
      numbered.taken = true;
      taken_.push_back(numbered.number);
    };
  }

  std::vector<int> dropped_;  // outlives the queue
  std::vector<int> taken_;
  TaskQueue queue_;
};

TEST_F(TaskQueueTest, OnlyTheFirstPushOfABatchWakes) {
  EXPECT_EQ(Push(1), TaskQueue::Pushed::kFirst);
  EXPECT_EQ(Push(2), TaskQueue::Pushed::kQueued);
  queue_.Drain(Take());
  EXPECT_EQ(Push(3), TaskQueue::Pushed::kFirst);
  queue_.Drain(Take());
  EXPECT_EQ(taken_, (std::vector<int>{1, 2, 3}));
}

TEST_F(TaskQueueTest, Drain_WhileATaskPushes_LeavesThatForTheNext) {
  Push(1);
  queue_.Drain([&](std::unique_ptr<LinkTask> task) {
    Take()(std::move(task));
    EXPECT_EQ(Push(2), TaskQueue::Pushed::kFirst);
  });
  EXPECT_EQ(taken_, (std::vector<int>{1}));
  queue_.Drain(Take());
  EXPECT_EQ(taken_, (std::vector<int>{1, 2}));
}

TEST_F(TaskQueueTest, Seal_RunsWhatWaitsAndRefusesTheRest) {
  Push(1);
  queue_.Seal(Take());
  EXPECT_EQ(taken_, (std::vector<int>{1}));
  std::unique_ptr<LinkTask> late = std::make_unique<Numbered>(2, &dropped_);
  EXPECT_EQ(queue_.Push(late), TaskQueue::Pushed::kSealed);
  ASSERT_NE(late, nullptr) << "a refused task stays with the caller";
  late.reset();
  EXPECT_EQ(dropped_, (std::vector<int>{2}));
}

TEST_F(TaskQueueTest, Destruction_FreesWhatWaits) {
  {
    TaskQueue queue;
    std::unique_ptr<LinkTask> task = std::make_unique<Numbered>(1, &dropped_);
    queue.Push(task);
  }
  EXPECT_EQ(dropped_, (std::vector<int>{1}));
}

}  // namespace
}  // namespace grid
