#include "grid/jwt_authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "grid/testing/virtual_clock.h"
#include "tests/unit/auth/temp_file.h"

namespace grid {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLocal[] = "http://a:1";
constexpr char kRemote[] = "http://b:1";
constexpr char kSecret[] = "a secret of thirty-two bytes ...";

// A token put together by hand.
std::string Sign(const std::string& header, const std::string& claims,
                 const std::string& secret = kSecret, const EVP_MD* digest = EVP_sha512()) {
  std::string encoded;
  absl::WebSafeBase64Escape(header, &encoded);
  std::string token = encoded;
  absl::WebSafeBase64Escape(claims, &encoded);
  token += "." + encoded;
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(digest, secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), mac, &size);
  absl::WebSafeBase64Escape(absl::string_view(reinterpret_cast<char*>(mac), size), &encoded);
  return token + "." + encoded;
}

std::string Part(const std::string& token, int index) {
  const size_t first = token.find('.');
  const size_t second = token.rfind('.');
  const std::string part =
      index == 0 ? token.substr(0, first) : token.substr(first + 1, second - first - 1);
  std::string text;
  EXPECT_TRUE(absl::WebSafeBase64Unescape(part, &text));
  return text;
}

class JwtAuthenticatorTest : public ::testing::Test {
 protected:
  JwtOptions Options() const {
    JwtOptions options;
    options.secrets = {kSecret};
    options.audience = "storage";
    options.clock = clock_;
    return options;
  }
  std::shared_ptr<Authenticator> Make(JwtOptions options) {
    auto made = MakeJwtAuthenticator(std::move(options));
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }
  std::shared_ptr<Authenticator> Make() { return Make(Options()); }
  int64_t Now() const {
    return std::chrono::duration_cast<seconds>(clock_->WallNow().time_since_epoch()).count();
  }
  std::string Claims(int64_t expires_in = 60, const std::string& more = "") const {
    return "{\"sub\":\"http://a:1\",\"aud\":\"storage\",\"exp\":" +
           std::to_string(Now() + expires_in) + more + "}";
  }
  // What is wrong with a token; empty: nothing.
  std::string Verdict(const std::string& token, const std::string& host = "") {
    const absl::Status status = Make()->CheckToken(token, host);
    if (status.ok()) return "";
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(status.ToString(), Not(HasSubstr(kSecret)));
    return std::string(status.message());
  }

  const std::shared_ptr<testing::VirtualClock> clock_ = std::make_shared<testing::VirtualClock>();
  const std::string header_ = R"({"alg":"HS512","typ":"JWT"})";
};

TEST_F(JwtAuthenticatorTest, OwnTokenHoldsWhatItMust_AndIsAccepted) {
  for (const auto algorithm : {JwtAlgorithm::kHs256, JwtAlgorithm::kHs512}) {
    JwtOptions options = Options();
    options.algorithm = algorithm;
    const auto tokens = Make(options);
    const std::string token = tokens->MakeToken(kLocal, kRemote).value();
    const std::string name = algorithm == JwtAlgorithm::kHs256 ? "HS256" : "HS512";
    EXPECT_THAT(Part(token, 0), HasSubstr("\"alg\":\"" + name + "\""));
    const std::string claims = Part(token, 1);
    EXPECT_THAT(claims, HasSubstr("\"sub\":\"http://a:1\""));
    EXPECT_THAT(claims, HasSubstr("\"aud\":\"storage\""));
    EXPECT_THAT(claims, HasSubstr("\"iat\":" + std::to_string(Now())));
    EXPECT_THAT(claims, HasSubstr("\"exp\":" + std::to_string(Now() + 900)));
    EXPECT_TRUE(tokens->CheckToken(token, "").ok());
    EXPECT_TRUE(tokens->CheckToken(token, kLocal).ok());
  }
}

TEST_F(JwtAuthenticatorTest, TokenOfAnotherImplementation_IsAccepted) {
  EXPECT_EQ(Verdict(Sign(header_, Claims()), kLocal), "");
  EXPECT_EQ(Verdict(Sign(R"({"alg":"HS512"})", Claims())), "");
  EXPECT_EQ(Verdict(Sign(header_, "{\"aud\":[\"other\",\"storage\"],\"exp\":" +
                                      std::to_string(Now() + 1) + ".5}")),
            "");
}

TEST_F(JwtAuthenticatorTest, Expiry_WithLeeway) {
  EXPECT_EQ(Verdict(Sign(header_, Claims(-60))), "");
  EXPECT_THAT(Verdict(Sign(header_, Claims(-61))), HasSubstr("exp is past since 61 s"));
  EXPECT_THAT(Verdict(Sign(header_, R"({"aud":"storage"})")), HasSubstr("exp is missing"));
  EXPECT_THAT(Verdict(Sign(header_, R"({"aud":"storage","exp":"soon"})")),
              HasSubstr("exp is no number"));
  EXPECT_THAT(Verdict(Sign(header_, R"({"aud":"storage","exp":-1e300})")),
              HasSubstr("exp is past"));
  EXPECT_EQ(Verdict(Sign(header_, R"({"aud":"storage","exp":1e300})")), "");
}

TEST_F(JwtAuthenticatorTest, NotYetValid_WithLeeway) {
  for (const std::string claim : {"nbf", "iat"}) {
    const auto at = [&](int64_t in) {
      return Sign(header_, Claims(600, ",\"" + claim + "\":" + std::to_string(Now() + in)));
    };
    EXPECT_EQ(Verdict(at(60)), "");
    EXPECT_THAT(Verdict(at(61)), HasSubstr(claim + " is 61 s ahead"));
  }
}

TEST_F(JwtAuthenticatorTest, AudienceAndSubject_AreChecked) {
  const std::string end = "\"exp\":" + std::to_string(Now() + 60) + "}";
  EXPECT_THAT(Verdict(Sign(header_, "{" + end)), HasSubstr("aud is not storage"));
  EXPECT_THAT(Verdict(Sign(header_, "{\"aud\":\"other\"," + end)), HasSubstr("aud is not storage"));
  EXPECT_THAT(Verdict(Sign(header_, Claims()), kRemote), HasSubstr("sub is not the host"));
  EXPECT_THAT(Verdict(Sign(header_, "{\"aud\":\"storage\"," + end), kLocal),
              HasSubstr("sub is not the host"));
  JwtOptions lax = Options();
  lax.check_subject = false;
  lax.audience = "";
  EXPECT_TRUE(Make(lax)->CheckToken(Sign(header_, "{" + end), kLocal).ok());
}

TEST_F(JwtAuthenticatorTest, OtherAlgorithms_AreRefusedWhateverTheySay) {
  EXPECT_THAT(Verdict(Sign(R"({"alg":"HS256"})", Claims(), kSecret, EVP_sha256())),
              HasSubstr("not signed"));
  EXPECT_THAT(Verdict(Sign(R"({"alg":"none"})", Claims())), HasSubstr("alg"));
  EXPECT_THAT(Verdict(Sign(R"({"alg":"HS256"})", Claims())), HasSubstr("alg"));
  std::string none = Sign(R"({"alg":"none"})", Claims());
  none.erase(none.rfind('.') + 1);
  EXPECT_THAT(Verdict(none), HasSubstr("no JSON Web Token"));
}

TEST_F(JwtAuthenticatorTest, WrongSecretOrChangedToken_IsRefused) {
  EXPECT_THAT(Verdict(Sign(header_, Claims(), "another secret")), HasSubstr("not signed"));
  const std::string token = Sign(header_, Claims());
  ASSERT_EQ(Verdict(token), "");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(Verdict(changed), "") << i;
  }
}

TEST_F(JwtAuthenticatorTest, WhatIsNoToken_IsRefused) {
  EXPECT_THAT(Verdict(""), HasSubstr("none shown"));
  for (const std::string& text : std::vector<std::string>{
           "a", "a.b", ".a.b", "a..b", "a.b.", "a.b.c.d", "a.b.\xFF", "a\x80.b.c", "a.b.c ",
           "a.b.c=", std::string("a.b.\0c", 6), "a.b." + std::string(9000, 'c')}) {
    EXPECT_THAT(Verdict(text), HasSubstr("no JSON Web Token")) << text;
  }
  // Signed, and still nothing that can be read.
  for (const std::string& header :
       std::vector<std::string>{"", "{", "[]", "7", "null", "{}", R"({"alg":7})",
                                R"({"alg":"HS512","typ":7})", R"({"alg":"HS512","typ":"other"})"}) {
    if (header.empty()) continue;
    EXPECT_NE(Verdict(Sign(header, Claims())), "") << header;
  }
  for (const std::string& claims :
       std::vector<std::string>{"{", "[]", "7", "null", "{}", "\xFF\xFE", std::string(3000, '[')}) {
    EXPECT_NE(Verdict(Sign(header_, claims)), "") << claims;
  }
}

TEST_F(JwtAuthenticatorTest, TokenIsKeptForHalfOfItsLife) {
  const auto tokens = Make();
  const std::string first = tokens->MakeToken(kLocal, kRemote).value();
  clock_->Advance(seconds(449));
  EXPECT_EQ(tokens->MakeToken(kLocal, kRemote).value(), first);
  EXPECT_NE(tokens->MakeToken("http://other:1", kRemote).value(), first);
  clock_->Advance(seconds(1));
  const std::string second = tokens->MakeToken(kLocal, kRemote).value();
  EXPECT_NE(second, first);
  EXPECT_EQ(Verdict(second), "");
  clock_->Advance(minutes(11));
  EXPECT_THAT(Verdict(first), HasSubstr("exp is past"));
}

TEST_F(JwtAuthenticatorTest, RotationOfSecrets) {
  testing::TempFile file("old secret\n");
  JwtOptions options = Options();
  options.secrets.clear();
  options.secret_file = file.path();
  const auto tokens = Make(options);
  const std::string old = tokens->MakeToken(kLocal, kRemote).value();
  file.Write("new secret\nold secret\n");
  clock_->Advance(seconds(1));
  const std::string fresh = tokens->MakeToken(kLocal, kRemote).value();
  EXPECT_NE(fresh, old);
  EXPECT_TRUE(tokens->CheckToken(old, "").ok());
  EXPECT_TRUE(tokens->CheckToken(fresh, "").ok());
  EXPECT_TRUE(tokens->CheckToken(Sign(header_, Claims(), "new secret"), "").ok());
  file.Write("new secret\n");
  clock_->Advance(seconds(1));
  EXPECT_FALSE(tokens->CheckToken(old, "").ok());
  EXPECT_TRUE(tokens->CheckToken(fresh, "").ok());
}

TEST_F(JwtAuthenticatorTest, BadOptions_AreNamed) {
  const auto refused = [&](auto change) {
    JwtOptions options = Options();
    change(options);
    const absl::Status status = MakeJwtAuthenticator(options).status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](JwtOptions& o) { o.secrets.clear(); }), HasSubstr("secrets"));
  EXPECT_THAT(refused([](JwtOptions& o) { o.secret_file = "/x"; }), HasSubstr("exactly one"));
  EXPECT_THAT(refused([](JwtOptions& o) { o.secrets.push_back(""); }), HasSubstr("empty"));
  EXPECT_THAT(refused([](JwtOptions& o) { o.lifetime = seconds(0); }), HasSubstr("lifetime"));
  EXPECT_THAT(refused([](JwtOptions& o) { o.leeway = seconds(-1); }), HasSubstr("leeway"));
  EXPECT_THAT(refused([](JwtOptions& o) {
                o.secrets.clear();
                o.secret_file = "/nonexistent/secret";
              }),
              HasSubstr("/nonexistent/secret"));
}

TEST_F(JwtAuthenticatorTest, SubjectThatIsNoText_IsAnErrorAndNoToken) {
  EXPECT_FALSE(Make()->MakeToken("http://\xFF", kRemote).ok());
}

}  // namespace
}  // namespace grid
