// Windows of streams, in messages and bytes.
#include "grid/mux/flow_control.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));

TEST(SendWindow, NeedsAMessageAndAByte) {
  SendWindow window;
  EXPECT_FALSE(window.open());
  window.Grant({.messages = 2});
  EXPECT_FALSE(window.open());
  window.Grant({.bytes = 1});
  EXPECT_TRUE(window.open());
  // The last byte lets a message of any size through.
  window.Use(1000);
  EXPECT_FALSE(window.open());
  window.Grant({.bytes = 999});
  EXPECT_FALSE(window.open());
  window.Grant({.bytes = 1});
  EXPECT_TRUE(window.open());
  window.Use(0);
  EXPECT_FALSE(window.open());  // no message left
}

TEST(SendWindow, GrantsSaturate) {
  SendWindow window;
  for (int i = 0; i < 3; ++i) window.Grant({.messages = UINT32_MAX, .bytes = UINT64_MAX});
  EXPECT_TRUE(window.open());
  window.Use(SIZE_MAX / 8);
  EXPECT_TRUE(window.open());
}

TEST(ReceiveWindow, HoldsWhatItWasOpenedWith) {
  ReceiveWindow closed;
  EXPECT_FALSE(closed.Receive(0));

  ReceiveWindow window;
  window.Open({.messages = 2, .bytes = 10}, 10);
  EXPECT_TRUE(window.Receive(9));
  EXPECT_TRUE(window.Receive(100));
  EXPECT_FALSE(window.Receive(0));
}

TEST(ReceiveWindow, GrantIsDueAtHalf) {
  ReceiveWindow window;
  window.Open({.messages = 8, .bytes = 100}, 100);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(window.Receive(1));
  window.Consume(1, 1);
  EXPECT_FALSE(window.GrantRides());
  window.Consume(1, 1);
  EXPECT_TRUE(window.GrantRides());
  EXPECT_FALSE(window.GrantDue());
  window.Consume(2, 2);
  EXPECT_TRUE(window.GrantDue());
  const Credits grant = window.TakeGrant();
  EXPECT_EQ(grant.messages, 4u);
  EXPECT_EQ(grant.bytes, 4u);
  EXPECT_FALSE(window.GrantRides());

  // By bytes: messages that come after the last grant count too.
  ReceiveWindow bytes;
  bytes.Open({.messages = 8, .bytes = 100}, 100);
  ASSERT_TRUE(bytes.Receive(49));
  ASSERT_TRUE(bytes.Receive(1));
  bytes.Consume(1, 49);
  EXPECT_FALSE(bytes.GrantDue());
  bytes.Consume(1, 1);
  EXPECT_TRUE(bytes.GrantDue());
}

TEST(ReceiveWindow, SizeOne_IsGrantedAtOnce) {
  ReceiveWindow window;
  window.Open({.messages = 1, .bytes = 1}, 1);
  ASSERT_TRUE(window.Receive(1));
  EXPECT_FALSE(window.GrantDue());
  window.Consume(1, 1);
  EXPECT_TRUE(window.GrantDue());
}

TEST(ReceiveWindow, ConsumesNoMoreThanWasReceived) {
  ReceiveWindow window;
  window.Open({.messages = 2, .bytes = 10}, 10);
  window.Consume(5, 5);
  EXPECT_FALSE(window.GrantDue());
  ASSERT_TRUE(window.Receive(3));
  window.Consume(5, 500);
  const Credits grant = window.TakeGrant();
  EXPECT_EQ(grant.messages, 1u);
  EXPECT_EQ(grant.bytes, 3u);
}

TEST(ReceiveWindow, MessageLargerThanIt_IsGrantedBackWhole) {
  ReceiveWindow window;
  window.Open({.messages = 2, .bytes = 10}, 10);
  ASSERT_TRUE(window.Receive(1000));
  EXPECT_FALSE(window.Receive(0));
  window.Consume(1, 1000);
  ASSERT_TRUE(window.GrantDue());
  EXPECT_EQ(window.TakeGrant().bytes, 1000u);
  EXPECT_TRUE(window.Receive(10));
}

// Reads `bytes` once every 10 ms for `rounds` round trips of 20 ms, and grows as it wants to.
uint64_t SizeAfter(uint64_t bytes, int rounds, uint64_t max_bytes) {
  ReceiveWindow window;
  window.Open({.messages = 100, .bytes = 1000}, max_bytes);
  TimePoint now = kStart;
  for (int i = 0; i < 2 * rounds; ++i, now += 10ms) {
    const uint64_t step = std::min<uint64_t>(bytes, window.size().bytes / 2);
    if (!window.Receive(step)) break;
    window.Consume(1, step);
    if (const uint64_t more = window.WantedGrowth(now, 20ms); more > 0) window.Grow(more);
    window.TakeGrant();
  }
  return window.size().bytes;
}

TEST(ReceiveWindow, DoublesWhileItLimits) {
  EXPECT_EQ(SizeAfter(100, 50, 1'000'000), 1000u);  // 200 in a round trip
  EXPECT_EQ(SizeAfter(1'000'000, 2, 1'000'000), 2000u);
  EXPECT_EQ(SizeAfter(1'000'000, 3, 1'000'000), 4000u);
  // 6000 in a round trip: until three times as much fit.
  EXPECT_EQ(SizeAfter(3000, 50, 1'000'000), 32'000u);
  EXPECT_EQ(SizeAfter(1'000'000, 50, 5000), 5000u);  // the limit
  EXPECT_EQ(SizeAfter(1'000'000, 50, 0), 1000u);
}

TEST(ReceiveWindow, UnknownRoundTrip_GrowsNothing) {
  ReceiveWindow window;
  window.Open({.messages = 1, .bytes = 10}, 1000);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(window.Receive(10));
    window.Consume(1, 10);
    EXPECT_EQ(window.WantedGrowth(kStart + i * 1h, Duration::max()), 0u);
    window.TakeGrant();
  }
}

TEST(ReceiveWindow, Growth_IsGrantedAndTakesTheMessagesAlong) {
  ReceiveWindow window;
  window.Open({.messages = 10, .bytes = 1000}, 3000);
  window.Grow(500);
  EXPECT_EQ(window.size().messages, 15u);
  EXPECT_EQ(window.size().bytes, 1500u);
  const Credits grant = window.TakeGrant();
  EXPECT_EQ(grant.messages, 5u);
  EXPECT_EQ(grant.bytes, 500u);
}

}  // namespace
}  // namespace grid
