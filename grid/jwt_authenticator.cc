#include "grid/jwt_authenticator.h"

#include <algorithm>
#include <exception>
#include <jwt/jwt.hpp>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grid/internal/secret_file.h"

namespace grid {
namespace {

using internal::SecretLines;

// Far more than a token of ours has; what is longer is not looked at.
constexpr size_t kMaxTokenBytes = size_t{8} << 10;
// Names that tokens are kept for: there is one manager, or a few.
constexpr size_t kMaxCached = 64;

absl::Status Refused(std::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat("token: ", std::string(why)));
}

// Three parts of base64url, none of them empty. The library takes bytes outside that alphabet for
// indices into a table, so nothing else may reach it.
bool LooksLikeToken(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return false;
  size_t dots = 0;
  size_t part = 0;
  for (const char c : token) {
    if (c == '.') {
      if (part == 0) return false;
      ++dots;
      part = 0;
      continue;
    }
    const bool known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (!known) return false;
    ++part;
  }
  return dots == 2 && part > 0;
}

// A claim that is a number of seconds; nothing where it is missing.
absl::StatusOr<std::optional<int64_t>> Seconds(const nlohmann::json& claims, const char* name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return std::nullopt;
  if (!claim->is_number()) return Refused(absl::StrCat(name, " is no number"));
  // Version 8 of the standard allows fractions; years beyond what 64 bits hold are as good as ever.
  constexpr double kLimit = 1e15;
  return static_cast<int64_t>(std::clamp(claim->get<double>(), -kLimit, kLimit));
}

bool Addresses(const nlohmann::json& claims, const std::string& audience) {
  const auto claim = claims.find("aud");
  if (claim == claims.end()) return false;
  if (claim->is_string()) return claim->get<std::string>() == audience;
  return claim->is_array() && std::any_of(claim->begin(), claim->end(), [&](const auto& one) {
           return one.is_string() && one.template get<std::string>() == audience;
         });
}

class JwtAuthenticator final : public Authenticator {
 public:
  JwtAuthenticator(JwtOptions options, std::unique_ptr<internal::SecretFile> file)
      : options_(std::move(options)),
        file_(std::move(file)),
        fixed_(std::make_shared<const std::vector<std::string>>(options_.secrets)) {}

  absl::StatusOr<std::string> MakeToken(std::string_view local, std::string_view) override {
    const std::string subject = options_.subject.empty() ? std::string(local) : options_.subject;
    const SecretLines secrets = Secrets();
    const WallTime now = options_.clock->WallNow();
    const std::lock_guard lock(mutex_);
    if (const auto it = made_.find(subject); it != made_.end() && now < it->second.until &&
                                             now >= it->second.made &&
                                             it->second.secret == secrets->front()) {
      return it->second.token;
    }
    absl::StatusOr<std::string> token = Make(subject, secrets->front(), now);
    if (!token.ok()) return token;
    if (made_.size() >= kMaxCached) made_.clear();
    made_[subject] = {*token, secrets->front(), now,
                      now + std::chrono::nanoseconds(options_.lifetime) / 2};
    return token;
  }

  absl::Status CheckToken(std::string_view token, std::string_view host) override {
    if (token.empty()) return Refused("none shown");
    if (!LooksLikeToken(token)) return Refused("no JSON Web Token");
    // The signature comes first: nothing that a stranger made is taken apart.
    if (!SignedByUs(token)) return Refused("not signed with a secret of ours");
    try {
      std::error_code ec;
      const auto object =
          jwt::decode(jwt::string_view(token.data(), token.size()),
                      jwt::params::algorithms({Name()}), ec, jwt::params::verify(false));
      if (ec) return Refused(ec.message());
      if (object.header().algo() != Algorithm()) return Refused("alg is not what was agreed on");
      return CheckClaims(object.payload().create_json_obj(), host);
    } catch (const std::exception&) {
      // Its text may quote the token.
      return Refused("not as a JSON Web Token must be");
    }
  }

 private:
  struct Made {
    std::string token;
    std::string secret;
    WallTime made;
    WallTime until;  // when the next one is made
  };

  const char* Name() const {
    return options_.algorithm == JwtAlgorithm::kHs256 ? "HS256" : "HS512";
  }
  jwt::algorithm Algorithm() const {
    return options_.algorithm == JwtAlgorithm::kHs256 ? jwt::algorithm::HS256
                                                      : jwt::algorithm::HS512;
  }
  SecretLines Secrets() { return file_ == nullptr ? fixed_ : file_->Lines(); }

  absl::StatusOr<std::string> Make(const std::string& subject, const std::string& secret,
                                   WallTime now) const {
    using std::chrono::duration_cast;
    const auto issued = duration_cast<std::chrono::seconds>(now.time_since_epoch());
    try {
      jwt::jwt_object token{jwt::params::algorithm(Name()), jwt::params::secret(secret)};
      token.add_claim("sub", subject);
      token.add_claim("iat", static_cast<int64_t>(issued.count()));
      token.add_claim("exp", static_cast<int64_t>((issued + options_.lifetime).count()));
      if (!options_.audience.empty()) token.add_claim("aud", options_.audience);
      std::error_code ec;
      std::string text = token.signature(ec);
      if (ec) return absl::InternalError(absl::StrCat("making a token: ", ec.message()));
      return text;
    } catch (const std::exception&) {
      // Names that are no UTF-8, for one.
      return absl::InternalError("making a token: the subject or the audience can't be encoded");
    }
  }

  bool SignedByUs(std::string_view token) {
    const size_t end = token.rfind('.');
    const jwt::string_view data(token.data(), end);
    const std::string_view shown = token.substr(end + 1);
    bool ours = false;
    // All are tried, so that the time does not tell which one it was.
    const SecretLines secrets = Secrets();
    for (const std::string& secret : *secrets) {
      auto [digest, failed] = options_.algorithm == JwtAlgorithm::kHs256
                                  ? jwt::HMACSign<jwt::algo::HS256>::sign(secret, data)
                                  : jwt::HMACSign<jwt::algo::HS512>::sign(secret, data);
      if (failed) continue;
      std::string text = jwt::base64_encode(digest.data(), digest.size());
      text.resize(jwt::base64_uri_encode(text.data(), text.size()));
      if (internal::SameSecret(text, shown)) ours = true;
    }
    return ours;
  }

  absl::Status CheckClaims(const nlohmann::json& claims, std::string_view host) const {
    if (!claims.is_object()) return Refused("its claims are no object");
    using std::chrono::duration_cast;
    const int64_t now =
        duration_cast<std::chrono::seconds>(options_.clock->WallNow().time_since_epoch()).count();
    const int64_t leeway = options_.leeway.count();
    const auto expiry = Seconds(claims, "exp");
    if (!expiry.ok()) return expiry.status();
    if (!expiry->has_value()) return Refused("exp is missing: it would hold for ever");
    if (now > **expiry + leeway) {
      return Refused(absl::StrCat("exp is past since ", now - **expiry, " s"));
    }
    for (const char* name : {"nbf", "iat"}) {
      const auto from = Seconds(claims, name);
      if (!from.ok()) return from.status();
      if (from->has_value() && now < **from - leeway) {
        return Refused(absl::StrCat(name, " is ", **from - now, " s ahead"));
      }
    }
    if (!options_.audience.empty() && !Addresses(claims, options_.audience)) {
      return Refused(absl::StrCat("aud is not ", options_.audience));
    }
    if (host.empty() || !options_.check_subject) return absl::OkStatus();
    const auto subject = claims.find("sub");
    if (subject == claims.end() || !subject->is_string() ||
        std::string_view(subject->get_ref<const std::string&>()) != host) {
      return Refused("sub is not the host that connects");
    }
    return absl::OkStatus();
  }

  const JwtOptions options_;
  const std::unique_ptr<internal::SecretFile> file_;  // null: fixed_
  const SecretLines fixed_;
  std::mutex mutex_;
  std::map<std::string, Made> made_ ABSL_GUARDED_BY(mutex_);  // by subject
};

absl::Status Wrong(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("JwtOptions::", std::string(what)));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Authenticator>> MakeJwtAuthenticator(JwtOptions options) {
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.secrets.empty() == options.secret_file.empty()) {
    return Wrong("secrets or secret_file: exactly one of them is needed");
  }
  for (const std::string& secret : options.secrets) {
    if (secret.empty()) return Wrong("secrets must not be empty");
  }
  // Bounds that keep sums of seconds far from overflow.
  constexpr auto kMost = std::chrono::hours(24 * 365 * 100);
  if (options.lifetime < std::chrono::seconds(1) || options.lifetime > kMost) {
    return Wrong("lifetime must be a second to a hundred years");
  }
  if (options.leeway < std::chrono::seconds(0) || options.leeway > kMost) {
    return Wrong("leeway must be nothing to a hundred years");
  }
  std::unique_ptr<internal::SecretFile> file;
  if (!options.secret_file.empty()) {
    auto opened = internal::SecretFile::Open({options.secret_file, options.clock, options.log});
    if (!opened.ok()) {
      return absl::Status(opened.status().code(),
                          absl::StrCat("JwtOptions::secret_file: ", opened.status().message()));
    }
    file = *std::move(opened);
  }
  return std::make_shared<JwtAuthenticator>(std::move(options), std::move(file));
}

}  // namespace grid
