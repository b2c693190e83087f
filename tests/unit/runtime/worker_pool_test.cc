#include "grid/runtime/worker_pool.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

namespace grid {
namespace {

// Notes its number when it runs, and whether it is destroyed.
class Numbered final : public WorkerTask {
 public:
  Numbered(int number, std::vector<int>* ran, int* alive)
      : number_(number), ran_(ran), alive_(alive) {
    ++*alive_;
  }
  ~Numbered() override { --*alive_; }
  void RunOnWorker(std::unique_ptr<WorkerTask> self) override {
    EXPECT_EQ(self.get(), this);
    ran_->push_back(number_);
  }

 private:
  const int number_;
  std::vector<int>* const ran_;
  int* const alive_;
};

class WorkerPoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<WorkerTask> Task(int number) {
    return std::make_unique<Numbered>(number, &ran_, &alive_);
  }
  // Takes room for as many of them as there is room for.
  WorkerTasks Tasks(WorkerPool& pool, std::vector<int> numbers) {
    WorkerTasks tasks;
    for (const int number : numbers) {
      if (pool.Reserve()) tasks.Push(Task(number));
    }
    return tasks;
  }
  static std::vector<const WorkerTask*> PopAll(WorkerTasks& tasks) {
    std::vector<const WorkerTask*> popped;
    while (!tasks.empty()) popped.push_back(tasks.Pop().get());
    return popped;
  }

  std::vector<int> ran_;
  int alive_ = 0;
  boost::asio::io_context io_;
  WorkerPool posting_{0, 3, io_.get_executor()};
  WorkerPool unstarted_{1, 3, {}};  // what is submitted waits
};

TEST_F(WorkerPoolTest, List_KeepsTheOrderThroughAppendAndMove) {
  WorkerTasks tasks, later, none;
  std::vector<const WorkerTask*> pushed;
  const auto push = [&](WorkerTasks& to) {
    auto task = Task(0);
    pushed.push_back(task.get());
    to.Push(std::move(task));
  };
  push(tasks);
  push(later);
  push(later);
  tasks.Append(later);
  tasks.Append(none);
  EXPECT_TRUE(later.empty());
  push(tasks);
  none.Append(tasks);
  EXPECT_TRUE(tasks.empty());
  WorkerTasks moved(std::move(none));
  EXPECT_TRUE(none.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(none.size(), 0u);
  push(moved);
  EXPECT_EQ(moved.size(), 5u);
  EXPECT_EQ(PopAll(moved), pushed);
  // What was emptied takes tasks as before.
  for (WorkerTasks* list : {&tasks, &later, &none, &moved}) {
    push(*list);
    push(*list);
    EXPECT_EQ(list->size(), 2u);
    EXPECT_EQ(PopAll(*list), std::vector<const WorkerTask*>(pushed.end() - 2, pushed.end()));
  }
}

TEST_F(WorkerPoolTest, List_DestroysWhatIsLeft) {
  {
    WorkerTasks tasks;
    tasks.Push(Task(1));
    tasks.Push(Task(2));
    EXPECT_EQ(alive_, 2);
  }
  EXPECT_EQ(alive_, 0);
}

TEST_F(WorkerPoolTest, Reserve_FailsWhenFullAndAgainSucceedsOnceATaskRuns) {
  WorkerTasks tasks = Tasks(posting_, {1, 2, 3, 4});
  EXPECT_EQ(tasks.size(), 3u) << "room is taken before anything is submitted";
  EXPECT_EQ(posting_.waiting(), 3u);
  posting_.Submit(std::move(tasks));
  EXPECT_EQ(posting_.waiting(), 3u);
  EXPECT_FALSE(posting_.Reserve());
  io_.run_one();
  EXPECT_EQ(posting_.waiting(), 2u);
  EXPECT_TRUE(posting_.Reserve());
}

TEST_F(WorkerPoolTest, Executor_RunsEveryTaskInOrder) {
  posting_.Submit(Tasks(posting_, {1, 2}));
  posting_.Submit(Tasks(posting_, {3}));
  EXPECT_TRUE(ran_.empty());
  io_.run();
  EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(alive_, 0);
  EXPECT_EQ(posting_.waiting(), 0u);
}

TEST_F(WorkerPoolTest, Stop_DropsWhatWaitsAndWhatComesLate) {
  unstarted_.Submit(Tasks(unstarted_, {1, 2}));
  WorkerTasks late = Tasks(unstarted_, {3});
  EXPECT_EQ(unstarted_.waiting(), 3u);
  unstarted_.Stop();
  EXPECT_EQ(alive_, 1);
  EXPECT_FALSE(unstarted_.Reserve());
  unstarted_.Submit(std::move(late));
  EXPECT_EQ(alive_, 0);
  EXPECT_TRUE(ran_.empty());
  EXPECT_EQ(unstarted_.waiting(), 0u);
}

}  // namespace
}  // namespace grid
