// RequestContext between threads.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "handlers/context.h"

namespace grid {
namespace {

TEST(ContextThreads, FinishWaitsForACallbackThatRunsAtOnce) {
  const Caller caller{.host = "http://a:1"};
  RequestContext context(caller, HandlerId{9}, "", RequestContext::kNoDeadline);
  context.Cancel(absl::CancelledError(""));
  std::promise<void> entered, go;
  std::atomic<bool> ran = false;
  std::thread late([&] {
    context.OnCancel([&] {
      entered.set_value();
      go.get_future().wait();
      ran = true;
    });
  });
  entered.get_future().wait();
  bool ran_before = false;
  std::thread finisher([&] {
    context.Finish();
    ran_before = ran;
  });
  go.set_value();
  late.join();
  finisher.join();
  EXPECT_TRUE(ran_before);
}

// As of a call whose answer is given, on the I/O thread, before the callback that replied returns.
TEST(ContextThreads, ContextMayGoWhileACallbackThatRunsAtOnceReturns) {
  const Caller caller{.host = "http://a:1"};
  auto context =
      std::make_unique<RequestContext>(caller, HandlerId{9}, "", RequestContext::kNoDeadline);
  context->Cancel(absl::CancelledError(""));
  std::promise<void> finished, gone;
  std::thread late([&] {
    context->OnCancel([&] {
      context->Finish();
      finished.set_value();
      gone.get_future().wait();
    });
  });
  finished.get_future().wait();
  context.reset();
  gone.set_value();
  late.join();
}

// What threads do to a fresh context, all at once, many times.
class AtOnce {
 public:
  static constexpr int kTimes = 2000;

  AtOnce() {
    for (auto& context : contexts_) {
      context =
          std::make_unique<RequestContext>(caller_, HandlerId{9}, "", RequestContext::kNoDeadline);
    }
  }

  // Each in a thread of its own.
  void Run(const std::vector<std::function<void(RequestContext&)>>& parts) {
    std::atomic<size_t> here = 0;
    std::vector<std::thread> threads;
    for (const auto& part : parts) {
      threads.emplace_back([&] {
        for (size_t i = 0; i < contexts_.size(); ++i) {
          ++here;
          while (here < (i + 1) * parts.size()) std::this_thread::yield();
          part(*contexts_[i]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  const Caller caller_{.host = "http://a:1"};
  std::array<std::unique_ptr<RequestContext>, kTimes> contexts_;
};

TEST(ContextThreads, WatchersAtOnceWithCancelRunOnceEach) {
  std::atomic<int> cancelled = 0, drained = 0;
  AtOnce().Run({[&](RequestContext& context) { context.OnCancel([&] { ++cancelled; }); },
                [&](RequestContext& context) { context.OnDrain([&] { ++drained; }); },
                [&](RequestContext& context) {
                  context.Drain();
                  context.Cancel(absl::CancelledError(""));
                }});
  EXPECT_EQ(cancelled, AtOnce::kTimes);
  EXPECT_EQ(drained, AtOnce::kTimes);
}

TEST(ContextThreads, FinishDropsACallbackThatComesAtOnce) {
  const auto owned = std::make_shared<int>();
  AtOnce all;
  all.Run({[&](RequestContext& context) { context.OnCancel([owned] {}); },
           [&](RequestContext& context) { context.Finish(); }});
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(ContextThreads, NothingRunsOnceAFunctionHasReturned_WhateverComesAtOnce) {
  std::atomic<int> late = 0;
  AtOnce().Run({[&](RequestContext& context) {
                  const auto over = std::make_shared<std::atomic<bool>>(false);
                  context.OnCancel([over, &late] { late += *over ? 1 : 0; });
                  context.FinishReturned();
                  *over = true;
                },
                [&](RequestContext& context) { context.Cancel(absl::CancelledError("")); },
                [&](RequestContext& context) { context.Drain(); }});
  EXPECT_EQ(late, 0);
}

}  // namespace
}  // namespace grid
