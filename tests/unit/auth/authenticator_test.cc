#include "grid/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "grid/testing/capture_log.h"
#include "grid/testing/virtual_clock.h"
#include "tests/unit/auth/temp_file.h"

namespace grid {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLocal[] = "http://a:1";
constexpr char kRemote[] = "http://b:1";

std::string Shown(Authenticator& authenticator) {
  return authenticator.MakeToken(kLocal, kRemote).value();
}
bool Accepts(Authenticator& authenticator, const std::string& token) {
  return authenticator.CheckToken(token, "").ok();
}

TEST(StaticAuthenticatorTest, FirstIsShown_AllAreAccepted) {
  const auto tokens = MakeStaticAuthenticator({"new", "old"});
  EXPECT_EQ(Shown(*tokens), "new");
  EXPECT_TRUE(Accepts(*tokens, "new"));
  EXPECT_TRUE(Accepts(*tokens, "old"));
  for (const char* wrong : {"", "ne", "neww", "nex", "New"}) {
    EXPECT_FALSE(Accepts(*tokens, wrong)) << wrong;
  }
}

TEST(StaticAuthenticatorTest, NothingSet_AcceptsEverybody) {
  for (const auto& tokens : {MakeStaticAuthenticator({}), MakeStaticAuthenticator({""})}) {
    EXPECT_EQ(Shown(*tokens), "");
    EXPECT_TRUE(Accepts(*tokens, ""));
    EXPECT_TRUE(Accepts(*tokens, "anything"));
  }
}

TEST(StaticAuthenticatorTest, RefusalDoesNotRepeatTheToken) {
  const auto tokens = MakeStaticAuthenticator({"secret"});
  const absl::Status refused = tokens->CheckToken("guess", kRemote);
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("guess")));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("secret")));
}

class FileAuthenticatorTest : public ::testing::Test {
 protected:
  std::shared_ptr<Authenticator> Open() {
    auto opened = MakeFileAuthenticator({file_.path(), clock_, log_});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *opened;
  }
  absl::Status OpenStatus() { return MakeFileAuthenticator({file_.path(), clock_, log_}).status(); }

  testing::TempFile file_{"  first\t\r\n\n second \n"};
  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  const std::shared_ptr<testing::CaptureLog> log_ = std::make_shared<testing::CaptureLog>(clock_);
};

TEST_F(FileAuthenticatorTest, LinesAreTokens) {
  const auto tokens = Open();
  EXPECT_EQ(Shown(*tokens), "first");
  EXPECT_TRUE(Accepts(*tokens, "first"));
  EXPECT_TRUE(Accepts(*tokens, "second"));
  EXPECT_FALSE(Accepts(*tokens, ""));
  EXPECT_FALSE(Accepts(*tokens, " second "));
}

TEST_F(FileAuthenticatorTest, ChangeIsSeenAfterASecond_NotBefore) {
  const auto tokens = Open();
  file_.Write("another token");
  EXPECT_EQ(Shown(*tokens), "first");
  clock_->Advance(milliseconds(999));
  EXPECT_EQ(Shown(*tokens), "first");
  clock_->Advance(milliseconds(1));
  EXPECT_EQ(Shown(*tokens), "another token");
  EXPECT_FALSE(Accepts(*tokens, "first"));
}

TEST_F(FileAuthenticatorTest, FileOfTheSameSizeInItsPlace_IsAnotherOne) {
  file_.Write("aaaa");
  const auto tokens = Open();
  file_.Replace("bbbb");
  clock_->Advance(std::chrono::seconds(1));
  EXPECT_EQ(Shown(*tokens), "bbbb");
}

TEST_F(FileAuthenticatorTest, WhileItCantBeUsed_TheOldTokensStay_AndOneWarningSaysWhy) {
  const auto tokens = Open();
  file_.Remove();
  for (int i = 0; i < 5; ++i) {
    clock_->Advance(std::chrono::seconds(1));
    EXPECT_TRUE(Accepts(*tokens, "first"));
  }
  EXPECT_EQ(log_->Count(file_.path(), LogLevel::kWarning), 1u);
  file_.Write("  \n\n");
  clock_->Advance(std::chrono::seconds(1));
  EXPECT_EQ(Shown(*tokens), "first");
  EXPECT_EQ(log_->Count("is empty", LogLevel::kWarning), 1u);
  EXPECT_EQ(log_->Count("first"), 0u);
  file_.Write("back");
  clock_->Advance(std::chrono::seconds(1));
  EXPECT_EQ(Shown(*tokens), "back");
}

TEST_F(FileAuthenticatorTest, WhatCantBeUsedAtFirst_IsAnErrorThatNamesTheFile) {
  file_.Write("\n");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(OpenStatus().ToString(), HasSubstr(file_.path()));
  file_.Write(std::string((64 << 10) + 1, 'x'));
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kInvalidArgument);
  file_.Remove();
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenStatus().ToString(), HasSubstr(file_.path()));
  EXPECT_EQ(MakeFileAuthenticator({"/", clock_, log_}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grid
