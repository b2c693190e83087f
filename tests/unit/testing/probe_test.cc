#include "grid/testing/probe.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace grid::testing {
namespace {

TEST(ProbeTest, KeepsWhatItWasCalledWith) {
  Probe<std::unique_ptr<int>> probe;
  auto handler = probe.Handler();
  EXPECT_FALSE(probe.done());
  handler(std::make_unique<int>(7));
  ASSERT_TRUE(probe.done());
  EXPECT_EQ(*probe.value(), 7);
}

TEST(ProbeTest, NeverCalled_FailsTheTest) {
  EXPECT_NONFATAL_FAILURE(
      {
        Probe<int> probe("lost request");
        probe.Handler();
      },
      "lost request was never called");
}

TEST(ProbeTest, CalledTwice_FailsTheTestAndKeepsTheFirstValue) {
  Probe<int> probe("request");
  auto handler = probe.Handler();
  handler(1);
  EXPECT_NONFATAL_FAILURE(handler(2), "request was called 2 times");
  EXPECT_EQ(probe.value(), 1);
  EXPECT_EQ(probe.calls(), 2);
}

TEST(ProbeTest, NotHandedOut_IsNoFailure) { Probe<int> probe; }

TEST(ProbeTest, HandlerMayOutliveIt) {
  auto probe = std::make_unique<Probe<int>>();
  auto handler = probe->Handler();
  handler(1);
  probe.reset();
  EXPECT_NONFATAL_FAILURE(handler(2), "called 2 times");
}

}  // namespace
}  // namespace grid::testing
