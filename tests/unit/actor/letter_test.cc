#include "grid/actor/letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/actor/actor_kit.h"

namespace grid {
namespace {

using ::testing::HasSubstr;

TEST(CancellationTest, TheFirstReasonStays_AndEachCallbackRunsOnce) {
  Cancellation cancellation;
  int runs = 0;
  cancellation.OnCancel([&] { ++runs; });
  EXPECT_FALSE(cancellation.cancelled());
  EXPECT_TRUE(cancellation.why().ok());
  cancellation.Cancel(absl::CancelledError("first"));
  cancellation.Cancel(absl::AbortedError("second"));
  EXPECT_TRUE(cancellation.cancelled());
  EXPECT_EQ(cancellation.why().message(), "first");
  EXPECT_EQ(runs, 1);
  cancellation.OnCancel([&] { ++runs; });  // at once
  EXPECT_EQ(runs, 2);
}

TEST(CancellationTest, Forget_DropsThoseOfOneOwner) {
  Cancellation cancellation;
  std::string ran;
  int owner = 0;
  cancellation.OnCancel([&] { ran += "a"; });
  cancellation.OnCancel([&] { ran += "b"; }, &owner);
  cancellation.OnCancel([&] { ran += "c"; });
  cancellation.Forget(&owner);
  cancellation.Cancel(absl::CancelledError(""));
  EXPECT_EQ(ran, "ac");
}

TEST(ReplyTokenTest, AnswersOnce) {
  Outcome outcome;
  ReplyToken token = outcome.Token();
  EXPECT_TRUE(token);
  token.Answer(Buffer::CopyOf("a"));
  EXPECT_FALSE(token);
  token.Answer(Buffer::CopyOf("b"));
  EXPECT_TRUE(outcome.done());
}

TEST(ReplyTokenTest, Dropped_AnswersNoReply) {
  Outcome outcome;
  { const ReplyToken token = outcome.Token(); }
  EXPECT_EQ(outcome.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(outcome.delivery(), Delivery::kExecuted);
  EXPECT_EQ(outcome.text(), "no reply");
}

TEST(ReplyTokenTest, Overwritten_AnswersNoReply) {
  Outcome first, second;
  ReplyToken token = first.Token();
  token = second.Token();
  EXPECT_EQ(first.text(), "no reply");
  EXPECT_FALSE(second.done());
}

TEST(ReplyTokenTest, Errors_AreTheActorsOwn_UnlessTheySayOtherwise) {
  Outcome own, rejected, refused, relayed;
  own.Token().Answer(absl::NotFoundError("x"));
  EXPECT_EQ(own.delivery(), Delivery::kExecuted);
  rejected.Token().Answer(WithDelivery(absl::NotFoundError("x"), Delivery::kRejected));
  EXPECT_EQ(rejected.delivery(), Delivery::kRejected);
  refused.Token().Refuse(absl::NotFoundError("x"));
  EXPECT_EQ(refused.delivery(), Delivery::kRejected);
  // That another call of the actor's was never sent says nothing about its own.
  relayed.Token().Fail(WithDelivery(absl::UnavailableError("x"), Delivery::kNotSent));
  EXPECT_EQ(relayed.delivery(), Delivery::kExecuted);
}

TEST(LetterTest, ReadsWhatItIs_AndNothingElse) {
  const Letter letter = MakeLetter(kAdd, Add{.by = 3});
  EXPECT_EQ(letter.type(), "test.add");
  EXPECT_TRUE(letter.Is(kAdd));
  EXPECT_FALSE(letter.Is(kEcho));
  EXPECT_EQ(letter.Read(kAdd)->by, 3);
  const absl::Status wrong = letter.Read(kEcho).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("\"test.add\" is no \"test.echo\""));
}

TEST(LetterTest, WhatCantBeRead_NamesTheField) {
  Letter letter = MakeLetter(MessageType<std::map<std::string, std::string>>("test.add"),
                             std::map<std::string, std::string>{{"by", "three"}});
  const absl::Status status = letter.Read(kAdd).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"by\""));
}

TEST(LetterTest, ToldFromEmpty_NoBodyIsNil) {
  Letter letter = MakeLetter(MessageType<NoPayload>("ping"), NoPayload{});
  EXPECT_FALSE(IsNil(letter.body()));
  letter.nil_body = true;
  EXPECT_TRUE(IsNil(letter.body()));
  EXPECT_EQ(letter.type(), "ping");
}

TEST(LetterTest, AnswersAValue_OrAnError) {
  Outcome value, error, nothing;
  Letter letter = MakeLetter(kAdd, Add{});
  letter.reply = value.Token();
  letter.Answer<Add, int64_t>(kAdd, 5);
  EXPECT_EQ(value.As<int64_t>(), 5);
  letter.reply = error.Token();
  letter.Answer<Add, int64_t>(kAdd, absl::NotFoundError("none"));
  EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
  letter.reply = nothing.Token();
  letter.Answer<std::string, NoPayload>(kTell, NoPayload{});
  EXPECT_TRUE(nothing.nil());
}

}  // namespace
}  // namespace grid
