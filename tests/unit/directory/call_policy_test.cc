#include "grid/directory/call_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace grid {
namespace {

using std::chrono::milliseconds;

TEST(CallPolicyTest, Rule1_OnlyNotSentAndRejectedAreRetriedByDefault) {
  const CallPolicy policy;
  EXPECT_TRUE(policy.Retries(Delivery::kNotSent));
  EXPECT_TRUE(policy.Retries(Delivery::kRejected));
  EXPECT_FALSE(policy.Retries(Delivery::kMaybeExecuted));
  EXPECT_FALSE(policy.Retries(Delivery::kExecuted));
}

TEST(CallPolicyTest, Rule11_DefaultsAreSaid) {
  EXPECT_EQ(CallPolicy().ToString(),
            "deadline=60s attempts=3 backoff=50ms*2..1s jitter=20% retry=not-sent,rejected "
            "dedup=off ack=processed handover=10s wait=off");
  EXPECT_EQ(*CallPolicy::Parse(""), CallPolicy());
}

TEST(CallPolicyTest, PrintsAndParsesExactly) {
  for (const std::string& text : {
           std::string("deadline=1500ms attempts=1 backoff=0ms*1..0ms jitter=0% retry=none "
                       "dedup=off ack=accepted handover=off wait=on"),
           std::string("deadline=4294967295ms attempts=1000 backoff=1ms*100..4294967s jitter=100% "
                       "retry=not-sent,rejected,maybe-executed,executed dedup=600s ack=delivered "
                       "handover=4294967295ms wait=off"),
           std::string("deadline=60s attempts=3 backoff=50ms*2..1s jitter=20% "
                       "retry=rejected,executed dedup=1ms ack=processed handover=1ms wait=on"),
       }) {
    const absl::StatusOr<CallPolicy> policy = CallPolicy::Parse(text);
    ASSERT_TRUE(policy.ok()) << policy.status();
    EXPECT_EQ(policy->ToString(), text);
  }
}

TEST(CallPolicyTest, PartsMayBeLeftOut) {
  const absl::StatusOr<CallPolicy> policy = CallPolicy::Parse("attempts=5 ack=accepted");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->attempts, 5u);
  EXPECT_EQ(policy->acknowledge, Acknowledgement::kAccepted);
  EXPECT_EQ(policy->deadline, milliseconds(60'000));
}

TEST(CallPolicyTest, RefusalsGiveThePosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"deadline", "at byte 0: expected one of deadline="},
      {"deadline=", "at byte 9: expected a number"},
      {"deadline=60", "at byte 11: expected ms or s"},
      {"deadline=0ms", "CallPolicy::deadline must be 1 ms to 49 days"},
      {"deadline=1000ms", "at byte 9: this is written 1s"},
      {"deadline=4294968s", "at byte 9: more than 49 days"},
      {"attempts=0", "CallPolicy::attempts must be 1 to 1000"},
      {"attempts=3 deadline=1s", "at byte 11: expected one of"},
      {"attempts=3 attempts=3", "at byte 11: expected one of"},
      {"attempts=3  ack=accepted", "at byte 11: expected one of"},
      {"backoff=2s*2..1s", "CallPolicy::back_off.most must be back_off.first to 49 days"},
      {"backoff=1s*0..1s", "CallPolicy::back_off.factor must be 1 to 100"},
      {"jitter=101%", "CallPolicy::back_off.jitter_percent must be 0 to 100"},
      {"retry=rejected,not-sent", "at byte 14: expected \" \""},
      {"retry=", "at byte 6: expected none"},
      {"ack=maybe", "at byte 4: expected accepted, delivered or processed"},
      {"handover=4294968s", "at byte 9: more than 49 days"},
      {"wait=yes", "at byte 5: expected on or off"},
  };
  for (const auto& [text, expected] : cases) {
    const absl::Status status = CallPolicy::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find(expected), std::string::npos) << status;
  }
}

TEST(BackOffTest, DoublesUpToItsLimitLessJitter) {
  const BackOff back_off;
  const int expected[] = {0, 0, 50, 100, 200, 400, 800, 1000, 1000};
  for (uint32_t attempt = 0; attempt < std::size(expected); ++attempt) {
    EXPECT_EQ(back_off.Pause(attempt, 0).count(), expected[attempt]) << attempt;
  }
  EXPECT_EQ(back_off.Pause(3, 1).count(), 80);
  EXPECT_EQ(back_off.Pause(3, 0.5).count(), 90);
  EXPECT_EQ(back_off.Pause(UINT32_MAX, 0).count(), 1000);
  const BackOff none{.first = milliseconds(0), .most = milliseconds(0)};
  EXPECT_EQ(none.Pause(UINT32_MAX, 0).count(), 0);
}

}  // namespace
}  // namespace grid
