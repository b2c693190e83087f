#include "handlers/delivery.h"

#include <gtest/gtest.h>

namespace grid {
namespace {

TEST(Delivery, EveryClassAndOriginSurvivesTheStatus) {
  for (const Delivery delivery :
       {Delivery::kNotSent, Delivery::kRejected, Delivery::kMaybeExecuted, Delivery::kExecuted}) {
    for (const bool remote : {false, true}) {
      const absl::Status status = WithDelivery(absl::NotFoundError("gone"), delivery, remote);
      EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
      EXPECT_EQ(status.message(), "gone");
      EXPECT_EQ(DeliveryOf(status), delivery);
      EXPECT_EQ(IsRemote(status), remote);
    }
  }
}

TEST(Delivery, StatusWithoutMarkMayHaveExecutedAndIsLocal) {
  EXPECT_EQ(DeliveryOf(absl::InternalError("x")), Delivery::kMaybeExecuted);
  EXPECT_FALSE(IsRemote(absl::InternalError("x")));
}

TEST(Delivery, LaterMarkReplacesTheEarlier) {
  absl::Status status = WithDelivery(absl::InternalError("x"), Delivery::kNotSent, true);
  status = WithDelivery(std::move(status), Delivery::kExecuted);
  EXPECT_EQ(DeliveryOf(status), Delivery::kExecuted);
  EXPECT_FALSE(IsRemote(status));
}

TEST(Delivery, OnlyWhatNeverRanIsSafeToRetry) {
  const auto safe = [](Delivery d) {
    return IsSafeToRetry(WithDelivery(absl::AbortedError(""), d));
  };
  EXPECT_TRUE(safe(Delivery::kNotSent));
  EXPECT_TRUE(safe(Delivery::kRejected));
  EXPECT_FALSE(safe(Delivery::kMaybeExecuted));
  EXPECT_FALSE(safe(Delivery::kExecuted));
  EXPECT_FALSE(IsSafeToRetry(absl::AbortedError("unmarked")));
}

TEST(Delivery, NamesAreTheDocumentedOnes) {
  EXPECT_EQ(DeliveryName(Delivery::kNotSent), "not-sent");
  EXPECT_EQ(DeliveryName(Delivery::kRejected), "rejected");
  EXPECT_EQ(DeliveryName(Delivery::kMaybeExecuted), "maybe-executed");
  EXPECT_EQ(DeliveryName(Delivery::kExecuted), "executed");
}

TEST(Delivery, DisconnectedIsRecognisedByCodeAndPrefix) {
  const absl::Status lost = DisconnectedError("ping time-out", Delivery::kMaybeExecuted);
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(lost.message(), "disconnected: ping time-out");
  EXPECT_EQ(DeliveryOf(lost), Delivery::kMaybeExecuted);
  EXPECT_TRUE(IsDisconnected(lost));
  EXPECT_EQ(DisconnectedError("", Delivery::kNotSent).message(), "disconnected");
  EXPECT_FALSE(IsDisconnected(absl::UnavailableError("busy")));
  EXPECT_FALSE(IsDisconnected(absl::InternalError("disconnected")));
}

TEST(Delivery, PeersTextCantPassForADisconnect) {
  EXPECT_FALSE(IsDisconnected(
      WithDelivery(absl::UnavailableError("disconnected"), Delivery::kExecuted, true)));
}

}  // namespace
}  // namespace grid
