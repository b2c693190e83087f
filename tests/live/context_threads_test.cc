// RequestContext between threads.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

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

}  // namespace
}  // namespace grid
