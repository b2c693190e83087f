// What actor systems say over grid: round trips, and bytes that are no delivery or no outcome.
#include "grid/actor/actor_protocol.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/cord.h"
#include "grid/actor/message_type.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

Target T(const char* name, uint64_t epoch) {
  return {.name = *Name::Parse(name), .member = "http://a:1", .epoch = epoch};
}

TEST(ActorProtocolTest, ADeliveryComesAsItWasSent) {
  const Name from = *Name::Parse("r/k/sender");
  const Publication publication{.publisher = ~uint64_t{0}, .incarnation = 5, .sequence = 6};
  const Message message{.type = "counter.add",
                        .body = AsBytes("the body"),
                        .acknowledge = Acknowledgement::kDelivered,
                        .deduplicate = std::chrono::milliseconds(5000),
                        .call = 77,
                        .from = &from,
                        .publication = publication};
  const absl::StatusOr<Buffer> payload =
      EncodeDelivery(std::vector{T("r/k/a", 7), T("r/k/b", 9)}, message);
  ASSERT_TRUE(payload.ok()) << payload.status();
  const absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(payload->view(), 2);
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  ASSERT_EQ(arrived->header.targets.size(), 2u);
  EXPECT_EQ(arrived->header.targets[0].name, "r/k/a");
  EXPECT_EQ(arrived->header.targets[1].epoch, 9u);
  EXPECT_EQ(arrived->header.call, 77u);
  EXPECT_EQ(arrived->header.deduplicate_ms, 5000u);
  EXPECT_EQ(arrived->header.acknowledge, 1);
  EXPECT_EQ(arrived->from, from);
  EXPECT_EQ(arrived->publication, publication);
  const std::string_view rest = AsText(payload->view().subspan(arrived->type_offset));
  EXPECT_EQ(rest, "counter.addthe body");
  EXPECT_EQ(arrived->header.type_bytes, 11u);
}

TEST(ActorProtocolTest, NilAndEmptyBodiesAreTwoThings) {
  for (const bool nil : {true, false}) {
    const absl::StatusOr<Buffer> payload = EncodeDelivery(
        std::vector{T("r/k/a", 1)}, {.type = "t", .body = nil ? BytesView() : EmptyBytes()});
    ASSERT_TRUE(payload.ok());
    const absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(payload->view(), 1);
    ASSERT_TRUE(arrived.ok()) << arrived.status();
    EXPECT_EQ(arrived->header.nil_body, nil);
    EXPECT_FALSE(arrived->publication.has_value());
  }
}

TEST(ActorProtocolTest, TypesThatCanNotBeSentAreRefused) {
  const std::string longest(kMaxMessageTypeBytes, 'x');
  EXPECT_TRUE(EncodeDelivery(std::vector{T("r/k/a", 1)}, {.type = longest}).ok());
  for (const std::string& type : {std::string(), longest + "x"}) {
    const absl::Status refused =
        EncodeDelivery(std::vector{T("r/k/a", 1)}, {.type = type}).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  }
}

// Every field that is wrong is named; nothing is read beyond the end.
TEST(ActorProtocolTest, WhatIsNoDeliveryIsRefused) {
  const absl::StatusOr<Buffer> good =
      EncodeDelivery(std::vector{T("r/k/a", 7)}, {.type = "t", .body = AsBytes("b")});
  ASSERT_TRUE(good.ok());
  for (size_t length = 0; length + 2 <= good->size(); ++length) {
    const absl::StatusOr<ArrivedDelivery> cut = DecodeDelivery(good->view().first(length), 1);
    EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument) << length;
  }
  for (size_t at = 0; at < good->size(); ++at) {
    Buffer changed = Buffer::CopyOf(good->view());
    for (int value = 0; value < 256; ++value) {
      changed.data()[at] = static_cast<uint8_t>(value);
      const absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(changed.view(), 1);
      if (!arrived.ok()) continue;
      EXPECT_LE(arrived->type_offset + arrived->header.type_bytes, changed.size());
    }
  }
  const absl::StatusOr<Buffer> two =
      EncodeDelivery(std::vector{T("r/k/a", 7), T("r/k/b", 7)}, {.type = "t"});
  ASSERT_TRUE(two.ok());
  const absl::Status many = DecodeDelivery(two->view(), 1).status();
  EXPECT_NE(std::string(many.message()).find("2 targets, more than 1"), std::string::npos) << many;
}

TEST(ActorProtocolTest, WhatIsNoPublicationIsRefused) {
  EXPECT_EQ(*PublicationFrom({}), std::nullopt);
  EXPECT_EQ(*PublicationFrom({1, 2, 3}),
            (Publication{.publisher = 1, .incarnation = 2, .sequence = 3}));
  for (const std::vector<uint64_t>& wrong : std::vector<std::vector<uint64_t>>{
           {1}, {1, 2}, {1, 2, 3, 4}, {0, 2, 3}, {1, 0, 3}, {1, 2, 0}}) {
    const absl::Status status = PublicationFrom(wrong).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find("published"), std::string::npos) << status;
  }
}

LetterOutcome Through(const LetterOutcome& outcome) {
  Buffer bytes;
  EncodeOutcome(outcome, bytes);
  const LetterOutcome copied = DecodeOutcome(bytes.view());
  LetterOutcome moved = DecodeOutcome(std::move(bytes));
  EXPECT_EQ(moved.status(), copied.status());
  if (moved.ok() && copied.ok()) {
    EXPECT_EQ(moved->text(), copied->text());
    EXPECT_EQ(moved->is_nil(), copied->is_nil());
  }
  return moved;
}

TEST(ActorProtocolTest, AnAnswerComesAsItWasGiven) {
  const LetterOutcome nil = Through(Buffer());
  ASSERT_TRUE(nil.ok());
  EXPECT_TRUE(nil->is_nil());
  const LetterOutcome empty = Through(Buffer::Empty());
  ASSERT_TRUE(empty.ok());
  EXPECT_FALSE(empty->is_nil());
  EXPECT_EQ(empty->size(), 0u);
  const LetterOutcome bytes = Through(Buffer::CopyOf("an answer"));
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->text(), "an answer");
}

TEST(ActorProtocolTest, AnErrorKeepsItsCodeItsClassAndItsDetails) {
  for (const Delivery delivery :
       {Delivery::kNotSent, Delivery::kRejected, Delivery::kMaybeExecuted, Delivery::kExecuted}) {
    const absl::Status error =
        Through(WithDelivery(absl::PermissionDeniedError("no"), delivery)).status();
    EXPECT_EQ(error.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(error.message(), "no");
    EXPECT_EQ(DeliveryOf(error), delivery);
    EXPECT_TRUE(IsRemote(error));
  }
  EXPECT_TRUE(IsNoSuchTarget(Through(NoSuchTargetError("r/k/a", 3, 9)).status()));
  absl::Status foreign = absl::InternalError("x");
  foreign.SetPayload("somebody's/secret", absl::Cord("s"));
  EXPECT_FALSE(Through(foreign).status().GetPayload("somebody's/secret").has_value());
}

TEST(ActorProtocolTest, WhatIsNoOutcomeMayHaveRun) {
  for (const std::string& bytes :
       {std::string(), std::string("\x03"), std::string("\x02"),
        std::string("\x02\x94\x00\xa0\x00\x80", 6), std::string("\x02\x94\x05\xa0\x09\x80", 6)}) {
    const absl::Status error = DecodeOutcome(AsBytes(bytes)).status();
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument) << error;
    EXPECT_EQ(DeliveryOf(error), Delivery::kMaybeExecuted);
  }
}

TEST(ActorProtocolTest, AnIndexIsFourBytes) {
  Buffer bytes;
  EncodeIndex(0x01020304, bytes);
  EXPECT_EQ(DecodeIndex(bytes.view()), 0x01020304u);
  EXPECT_EQ(DecodeIndex(bytes.view().first(3)), std::nullopt);
}

}  // namespace
}  // namespace grid::internal
